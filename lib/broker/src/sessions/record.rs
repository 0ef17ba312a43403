//! What a manager of sessions writes to the journal, and answers to login for it.

use ipc::SessionId;
use ipc::auth_master::{self, MailUser};
use ipc::handoff::Refusal;
use service::journal::{Clean, id};
use sys::peer::Peer;

use super::{Handoff, Sessions};
use crate::SubmitError;

impl Sessions {
    pub(super) fn refuse_peer(&self, peer: Peer, what: &str) {
        tracing::error!(
            message_id = id::PEER_REFUSED,
            "{}: Error: process {} of uid {} {what}: connection refused",
            self.name,
            peer.pid,
            peer.uid
        );
    }

    /// A peer that the kernel does not tell.
    pub(super) fn refuse_unknown(&self, error: &ipc::Error) {
        tracing::error!(
            message_id = id::PEER_REFUSED,
            "{}: Error: {error}: connection refused",
            self.name
        );
    }

    pub(super) fn not_redeemed(&self, handoff: &Handoff, why: auth_master::Refusal) -> Refusal {
        use auth_master::Refusal as Why;
        let (text, refusal) = match why {
            Why::UnknownToken => ("the token is unknown or was used before", Refusal::BadToken),
            Why::ExpiredToken => ("the token has expired", Refusal::BadToken),
            Why::ForeignToken => ("the token belongs to another connection", Refusal::BadToken),
            Why::UnknownUser => ("userdb does not know the user", Refusal::Misconfigured),
            Why::Credentials | Why::Unavailable => ("auth is out of order", Refusal::Unavailable),
        };
        self.log_refused(handoff, text);
        refusal
    }

    pub(super) fn log_refused(&self, handoff: &Handoff, why: &str) {
        tracing::error!(
            message_id = id::HANDOFF_REFUSED,
            culver_session = handoff.facts.session.as_str(),
            culver_remote_ip = %handoff.facts.remote.ip(),
            "{}: Error: hand-off from process {} refused: {why}: rip={}, session=<{}>",
            self.name,
            handoff.peer.pid,
            handoff.facts.remote.ip(),
            handoff.facts.session
        );
    }

    pub(super) fn misconfigured(
        &self,
        handoff: &Handoff,
        user: &MailUser,
        error: &dyn std::fmt::Display,
    ) -> Refusal {
        self.log_user(id::USER_REFUSED, &handoff.facts.session, user, error);
        Refusal::Misconfigured
    }

    pub(super) fn no_worker(
        &self,
        handoff: &Handoff,
        user: &MailUser,
        error: &SubmitError,
    ) -> Refusal {
        let event = match error {
            SubmitError::Limit(_) => id::LIMIT_REACHED,
            _ => id::WORKER_FAILED,
        };
        self.log_user(event, &handoff.facts.session, user, error);
        Refusal::Unavailable
    }

    pub(super) fn log_user(
        &self,
        event: &str,
        session: &SessionId,
        user: &MailUser,
        error: &dyn std::fmt::Display,
    ) {
        tracing::error!(
            message_id = event,
            culver_user = user.name.as_str(),
            culver_session = session.as_str(),
            "{}({})<{session}>: Error: {}",
            self.name,
            Clean(user.name.as_str()),
            Clean(&error.to_string())
        );
    }

    pub(super) fn log_limit(&self, handoff: &Handoff, user: &MailUser, limit: u32) {
        tracing::info!(
            message_id = id::TOO_MANY_CONNECTIONS,
            culver_user = user.name.as_str(),
            culver_session = handoff.facts.session.as_str(),
            culver_remote_ip = %handoff.facts.remote.ip(),
            "{}({})<{}>: Maximum number of connections from user+IP exceeded \
             (mail_max_userip_connections={limit}), rip={}",
            self.name,
            Clean(user.name.as_str()),
            handoff.facts.session,
            handoff.facts.remote.ip()
        );
    }
}
