//! A worker: one user's storage, and a session per client.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use broker::worker::{Bounds, Outcome, Parked, Prepare, Serve, Work, make_directory};
use config::{Overrides, PerConnection, Snapshot};
use ipc::facts::Facts;
use ipc::worker::{Begin, ClientSession, Identity, Rest};
use service::journal::id;
use storage::{MailUser, Storage};
use sys::fs::Fs;

use crate::session::{self, Context, Returned, Who};

/// Loads what the worker needs while it may still read it.
///
/// # Errors
/// What the administrator should read.
pub fn prepare() -> Result<(Prepared, Bounds), String> {
    let snapshot = Snapshot::load("imap").map_err(|error| error.to_string())?;
    let bounds = Bounds {
        address_space: snapshot.limits().vsz_limit,
    };
    Ok((Prepared { snapshot }, bounds))
}

/// Settings, and nobody to serve yet.
pub struct Prepared {
    snapshot: Snapshot,
}

impl Prepare for Prepared {
    type Server = User;

    fn directories(&self, identity: &Identity) -> Result<Vec<PathBuf>, String> {
        let shared = storage::Shared::new(Fs::real());
        let facts = config::Facts::of_protocol("imap");
        let overrides = overrides(&self.snapshot, identity)?;
        let storage = open((&self.snapshot, &facts, &overrides), &shared, identity)?;
        let mut directories = storage.directories();
        for directory in &directories {
            make_directory(directory)?;
        }
        directories.extend(
            identity
                .home
                .as_ref()
                .map(PathBuf::from)
                .filter(|home| home.is_dir()),
        );
        Ok(directories)
    }

    fn open(self, identity: Identity) -> Result<User, String> {
        let shared = storage::Shared::new(Fs::real());
        let overrides = overrides(&self.snapshot, &identity)?;
        let settings = PerConnection::new(self.snapshot, {
            let identity = identity.clone();
            move |snapshot, facts| {
                let session = snapshot.settings_of_user(facts, &overrides);
                let session = session.map_err(|e| e.to_string())?;
                let store = open((snapshot, facts, &overrides), &shared, &identity)?;
                Ok(ForSessions { session, store })
            }
        });
        Ok(User { identity, settings })
    }
}

/// What sessions from the same networks have in common.
struct ForSessions {
    session: session::Settings,
    store: Storage,
}

/// The user, with what its sessions share.
pub struct User {
    identity: Identity,
    settings: PerConnection<ForSessions, String>,
}

impl Serve for User {
    fn serve(&self, work: Work) -> Outcome {
        let session = work.session.clone();
        self.session(work).unwrap_or_else(|reason| {
            tracing::error!(
                message_id = id::SESSION_FAILED,
                culver_user = self.identity.user.as_str(),
                culver_session = session.as_str(),
                "{}Error: {reason}",
                self.prefix(session.as_str())
            );
            Outcome::Done(Vec::new())
        })
    }
}

impl User {
    fn session(&self, mut work: Work) -> Result<Outcome, String> {
        let client = ClientSession::decode(&work.content).map_err(|error| error.to_string())?;
        let stream = File::from(work.fds.pop().ok_or("BUG: a session without a client")?);
        let settings = self.settings.get(&conditions(&client.facts))?;
        let mut store = settings.store.clone();
        let context = Context {
            store: &mut store,
            stop: &work.stop,
            settings: &settings.session,
            who: Who {
                user: self.identity.user.as_str(),
                session: work.session.as_str(),
            },
            begin: begin(client.begin)?,
        };
        let mut ended = match session::run(stream, context) {
            session::Outcome::Ended(ended) => ended,
            session::Outcome::Parked(parked) => return Ok(parked_session(*parked, client.facts)),
        };
        // The client has gone: it does not wait for this.
        ended.counters.autoexpunged = store.autoexpunge();
        tracing::info!(
            message_id = id::SESSION_ENDED,
            culver_user = self.identity.user.as_str(),
            culver_session = work.session.as_str(),
            culver_remote_ip = %client.facts.remote.ip(),
            "{}{ended}",
            self.prefix(work.session.as_str())
        );
        Ok(Outcome::Done(Vec::new()))
    }

    /// How every line about a session begins, as in Dovecot.
    fn prefix(&self, session: &str) -> String {
        format!(
            "imap({})<{}><{session}>: ",
            self.identity.user,
            std::process::id()
        )
    }
}

fn begin(begin: Begin) -> Result<session::Begin, String> {
    Ok(match begin {
        Begin::LoggedIn { tag, unread } => session::Begin::LoggedIn { tag, unread },
        Begin::Back { state, sent, why } => {
            session::Begin::Back(Box::new(Returned::decode(&state, sent, why)?))
        }
    })
}

fn parked_session(parked: session::Parked, facts: Facts) -> Outcome {
    Outcome::Parked(Parked {
        rest: Rest {
            facts,
            state: parked.state,
        },
        hold: parked.hold,
        fds: std::iter::once(parked.client).chain(parked.watch).collect(),
    })
}

/// What userdb says of the user's settings.
fn overrides(snapshot: &Snapshot, identity: &Identity) -> Result<Overrides, String> {
    broker::overrides(snapshot, identity).map_err(|error| error.to_string())
}

/// The user's mail, as configuration, connection and userdb have it.
fn open(
    (snapshot, facts, overrides): (&Snapshot, &config::Facts<'_>, &Overrides),
    shared: &Arc<storage::Shared>,
    identity: &Identity,
) -> Result<Storage, String> {
    let settings: storage::Settings = snapshot
        .settings_of_user(facts, overrides)
        .map_err(|error| error.to_string())?;
    let user = MailUser {
        name: identity.user.to_string(),
        home: identity.home.clone(),
        variables: vec![("service".to_owned(), "imap".to_owned())],
    };
    Storage::open(shared, &user, &settings).map_err(|error| error.to_string())
}

fn conditions(facts: &Facts) -> config::Facts<'_> {
    config::Facts {
        protocol: "imap",
        local_ip: Some(facts.local.ip()),
        remote_ip: Some(facts.remote.ip()),
        local_name: None,
    }
}

#[cfg(test)]
mod tests;
