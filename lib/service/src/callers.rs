//! Who may call where: the one table of it.
//!
//! Each unit runs as a user of its own (tests/tidy), so the uid that the kernel tells (`SO_PEERCRED`) names the unit. Nothing
//! else is asked: a service without /proc could not, and only root and the managers can be somebody else. That the process
//! lives, and is the one that connected, is checked where the uid is read ([`sys::peer::credentials`]).

use config::Snapshot;
use ipc::facts::Protocol;

/// Something that may be asked of a service: a socket, or a part of what is served there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `auth-login`: SASL exchanges.
    AuthLogin,
    /// `auth-master`: tokens and users.
    AuthMaster,
    /// `auth-userdb`: users.
    AuthUserdb,
    /// Passwords without a client (`doveadm auth test`).
    AuthTest,
    /// `auth-worker`: PAM.
    AuthWorker,
    /// `anvil`: sessions of this protocol.
    AnvilSessions(Protocol),
    /// `anvil`: who and kick.
    AnvilAdmin,
    /// Connections of this protocol that have logged in (`imap-session`).
    Handoff(Protocol),
    /// `deliver`: messages.
    Deliver,
    /// `imap-hibernate`: clients that idle.
    Hibernate,
}

const TABLE: &[(Door, &[&str])] = &[
    (Door::AuthLogin, &["culver-imap-login"]),
    (Door::AuthMaster, &["culver"]),
    (Door::AuthUserdb, &["culver-lmtp", "culver-deliver", ROOT]),
    (Door::AuthTest, &[ROOT]),
    (Door::AuthWorker, &["culver-auth"]),
    // Not root: sessions are their manager's word, whoever asks.
    (Door::AnvilSessions(Protocol::Imap), &["culver"]),
    (Door::AnvilSessions(Protocol::Lmtp), &["culver-lmtp"]),
    (Door::AnvilAdmin, &[ROOT]),
    (Door::Handoff(Protocol::Imap), &["culver-imap-login"]),
    (Door::Deliver, &["culver-lmtp"]),
    (Door::Hibernate, &["culver"]),
];

/// doveadm's.
const ROOT: &str = "root";

/// The table with the uids of this host.
#[derive(Debug, Clone)]
pub struct Callers(Vec<(Door, u32)>);

impl Callers {
    /// As the configuration was compiled for this host. A user that it has not may call nowhere.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::new(|user| match user {
            ROOT => Some(0),
            _ => snapshot.peer_uid(user),
        })
    }

    /// With these uids.
    pub fn new(uid: impl Fn(&str) -> Option<u32>) -> Self {
        let uids = |(door, users): &(Door, &[&str])| {
            let door = *door;
            users
                .iter()
                .filter_map(|user| uid(user))
                .map(|uid| (door, uid))
                .collect::<Vec<_>>()
        };
        Self(TABLE.iter().flat_map(uids).collect())
    }

    /// Whether a process of this user may call there.
    #[must_use]
    pub fn may(&self, uid: u32, door: Door) -> bool {
        self.0.contains(&(door, uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_looks_and_tries_and_is_no_manager() {
        let callers = Callers::new(|user| (user == ROOT).then_some(0));
        for door in [Door::AuthUserdb, Door::AuthTest, Door::AnvilAdmin] {
            assert!(callers.may(0, door), "{door:?}");
        }
        for door in [
            Door::AuthLogin,
            Door::AuthMaster,
            Door::AuthWorker,
            Door::AnvilSessions(Protocol::Imap),
            Door::AnvilSessions(Protocol::Lmtp),
            Door::Handoff(Protocol::Imap),
            Door::Deliver,
            Door::Hibernate,
        ] {
            assert!(!callers.may(0, door), "{door:?}");
        }
    }

    #[test]
    fn a_service_may_what_its_row_says() {
        let callers = Callers::new(|user| match user {
            "culver" => Some(990),
            "culver-lmtp" => Some(991),
            _ => None,
        });
        let may = |uid| {
            [
                Door::AuthMaster,
                Door::AuthUserdb,
                Door::AnvilAdmin,
                Door::AnvilSessions(Protocol::Imap),
                Door::AnvilSessions(Protocol::Lmtp),
                Door::AnvilSessions(Protocol::Pop3),
                Door::Deliver,
            ]
            .map(|door| callers.may(uid, door))
        };
        assert_eq!(may(990), [true, false, false, true, false, false, false]);
        assert_eq!(may(991), [false, true, false, false, true, false, true]);
        assert_eq!(may(992), [false; 7]);
    }
}
