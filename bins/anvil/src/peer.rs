//! One connection: a manager that counts its sessions, or doveadm that looks and kicks.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use ipc::anvil::{Reply, Request, Role, Session};
use ipc::facts::Protocol;
use ipc::{AsyncChannel, Error, SessionId, VERSION};
use service::Door;
use service::journal::{Clean, id};

use crate::managers::Generation;
use crate::serve::{AWAY, Shared, forget_unless_back};
use crate::table::Verdict;

/// Sessions in one record: each has at most 400 bytes, a record 64 KiB.
const BATCH: usize = 128;
/// A peer that doesn't read its replies for so long is cut off.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest pattern of a kick, bytes, and most networks in it.
const MAX_PATTERN: usize = 1024;

/// What the caller wants to be, in the words of the table of callers.
fn door(role: Role) -> Door {
    match role {
        Role::Admin => Door::AnvilAdmin,
        Role::Manager { protocol } => Door::AnvilSessions(protocol),
    }
}

/// Serves one connection to its end.
pub async fn serve(channel: AsyncChannel, state: Shared) {
    let channel = Rc::new(channel);
    match greet(&channel, &state).await {
        Ok(Role::Admin) => report(&channel, &admin(&channel, &state).await),
        Ok(Role::Manager { protocol }) => {
            let known = state.borrow().table.of_protocol(protocol);
            let generation =
                state
                    .borrow_mut()
                    .managers
                    .arrived(protocol, Rc::clone(&channel), known);
            report(
                &channel,
                &manager(&channel, &state, protocol, generation).await,
            );
            if state.borrow_mut().managers.left(protocol, generation) {
                forget_unless_back(state, protocol, generation);
            }
        }
        Err(error) => report(&channel, &Err(error)),
    }
}

/// Says in the journal why a connection ended, unless the peer just left.
fn report(channel: &AsyncChannel, outcome: &Result<(), Refused>) {
    let Err(error) = outcome else { return };
    if matches!(error, Refused::Ipc(Error::Closed)) {
        return;
    }
    let (pid, uid) = channel
        .peer()
        .map_or((0, u32::MAX), |peer| (peer.pid, peer.uid));
    let error = error.to_string();
    tracing::error!(
        message_id = id::PEER_REFUSED,
        "anvil: Error: refused process {pid} of uid {uid}: {}",
        Clean(&error)
    );
}

/// Why a connection was ended by us.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Ipc(#[from] Error),
    #[error("it may not call as {0:?}")]
    Role(Role),
    #[error("BUG: unexpected {0}")]
    Unexpected(&'static str),
    #[error("another process took its place as manager")]
    Replaced,
    #[error("it does not read its replies")]
    Slow,
    #[error(transparent)]
    Log(#[from] crate::log::Error),
}

async fn greet(channel: &AsyncChannel, state: &Shared) -> Result<Role, Refused> {
    let hello = tokio::time::timeout(PATIENCE, channel.recv::<Request>()).await;
    let (Request::Hello { version, role }, _) = hello.map_err(|_| Refused::Slow)?? else {
        return Err(Refused::Unexpected("first message"));
    };
    Error::check_version(version)?;
    let uid = channel.peer()?.uid;
    if !state.borrow().callers.may(uid, door(role)) {
        return Err(Refused::Role(role));
    }
    send(channel, &Reply::Hello { version: VERSION }).await?;
    Ok(role)
}

async fn send(channel: &AsyncChannel, reply: &Reply) -> Result<(), Refused> {
    let sent = tokio::time::timeout(PATIENCE, channel.send(reply, &[])).await;
    Ok(sent.map_err(|_| Refused::Slow)??)
}

async fn manager(
    channel: &AsyncChannel,
    state: &Shared,
    protocol: Protocol,
    generation: Generation,
) -> Result<(), Refused> {
    loop {
        let (request, _) = channel.recv::<Request>().await?;
        if !state.borrow().managers.speaks(protocol, generation) {
            return Err(Refused::Replaced);
        }
        match request {
            Request::Connect { id, session, limit } => {
                let reply = connect(state, protocol, id, session, limit)?;
                send(channel, &reply).await?;
            }
            Request::Changed { began, ended } => {
                resume(state, protocol, began)?;
                for session in ended {
                    is_of(state, protocol, &session)?;
                    state.borrow_mut().disconnect(&session)?;
                }
            }
            Request::Resume { sessions } => resume(state, protocol, sessions)?,
            Request::Resumed => {
                let mut state = state.borrow_mut();
                let gone = state.managers.unclaimed(protocol);
                state.forget(gone);
            }
            Request::Hello { .. } | Request::Who { .. } | Request::Kick { .. } => {
                return Err(Refused::Unexpected("request of a manager"));
            }
        }
    }
}

fn connect(
    state: &Shared,
    protocol: Protocol,
    id: u32,
    session: Session,
    limit: u32,
) -> Result<Reply, Refused> {
    is_of(state, protocol, &session.session)?;
    if session.protocol != protocol {
        return Err(Refused::Unexpected("protocol of a session"));
    }
    match state.borrow_mut().connect(session, limit)? {
        Verdict::Counted => Ok(Reply::Connected { id }),
        Verdict::UserLimit => Ok(Reply::LimitReached { id }),
        Verdict::Full => {
            tracing::error!(
                message_id = id::LIMIT_REACHED,
                "anvil: Error: {} sessions are counted: no more fit",
                crate::table::MAX_SESSIONS
            );
            Ok(Reply::LimitReached { id })
        }
    }
}

/// A session that survived, or has no limit, counts in any case: it is there.
fn resume(state: &Shared, protocol: Protocol, sessions: Vec<Session>) -> Result<(), Refused> {
    for session in sessions {
        is_of(state, protocol, &session.session)?;
        if session.protocol != protocol {
            return Err(Refused::Unexpected("protocol of a session"));
        }
        state.borrow_mut().connect(session, 0)?;
    }
    Ok(())
}

/// A manager speaks of its own sessions only; one that nobody knows may be its own.
fn is_of(state: &Shared, protocol: Protocol, session: &SessionId) -> Result<(), Refused> {
    match state.borrow().table.protocol_of(session) {
        Some(other) if other != protocol => Err(Refused::Unexpected("session of another manager")),
        _ => Ok(()),
    }
}

async fn admin(channel: &AsyncChannel, state: &Shared) -> Result<(), Refused> {
    loop {
        let (request, _) = channel.recv::<Request>().await?;
        match request {
            Request::Who { id } => {
                let sessions = state.borrow().table.matching("*", &[]);
                for batch in sessions.chunks(BATCH) {
                    send(
                        channel,
                        &Reply::Sessions {
                            id,
                            sessions: batch.to_vec(),
                        },
                    )
                    .await?;
                }
                send(
                    channel,
                    &Reply::Sessions {
                        id,
                        sessions: Vec::new(),
                    },
                )
                .await?;
            }
            Request::Kick { id, user, networks } => {
                if user.len() > MAX_PATTERN || networks.len() > MAX_PATTERN {
                    return Err(Refused::Unexpected("length of a pattern"));
                }
                let sessions = state.borrow().table.matching(&user, &networks);
                let kicked = kick(state, sessions).await;
                for batch in kicked.chunks(BATCH) {
                    send(
                        channel,
                        &Reply::Kicked {
                            id,
                            sessions: batch.to_vec(),
                        },
                    )
                    .await?;
                }
                send(
                    channel,
                    &Reply::Kicked {
                        id,
                        sessions: Vec::new(),
                    },
                )
                .await?;
            }
            _ => return Err(Refused::Unexpected("request of an administrator")),
        }
    }
}

/// The manager that has a session; one that restarts is waited for as long as its sessions are remembered.
async fn owner(state: &Shared, session: &Session) -> Option<Rc<AsyncChannel>> {
    let news = state.borrow().managers.news();
    let found = async {
        loop {
            let more = news.notified();
            let owner = state
                .borrow()
                .managers
                .owner(session.protocol, &session.session);
            match owner {
                Some(owner) => return owner,
                None => more.await,
            }
        }
    };
    tokio::time::timeout(AWAY, found).await.ok()
}

/// Tells the owners; the sessions that were told.
async fn kick(state: &Shared, sessions: Vec<Session>) -> Vec<Session> {
    let mut kicked = Vec::new();
    // A manager that does not read is waited for once.
    let mut deaf = HashSet::new();
    for session in sessions {
        if deaf.contains(&session.protocol) {
            continue;
        }
        let Some(owner) = owner(state, &session).await else {
            deaf.insert(session.protocol);
            continue;
        };
        if state.borrow().table.protocol_of(&session.session).is_none() {
            // It ended meanwhile.
            continue;
        }
        let word = Reply::EndSession {
            session: session.session.clone(),
        };
        if send(&owner, &word).await.is_ok() {
            tracing::info!(
                message_id = id::KICKED,
                culver_user = session.user.as_str(),
                culver_session = session.session.as_str(),
                culver_remote_ip = %session.remote,
                "anvil: Kicked: user=<{}>, rip={}, session=<{}>", session.user, session.remote, session.session
            );
            kicked.push(session);
        } else {
            deaf.insert(session.protocol);
        }
    }
    kicked
}
