//! Conversations of managers and doveadm with anvil, over real sockets.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ipc::anvil::{Reply, Request, Role, Session};
use ipc::facts::Protocol;
use ipc::{AsyncChannel, SessionId, VERSION};
use service::Callers;
use tokio::task::LocalSet;

use crate::log::Log;
use crate::peer;
use crate::serve::{Shared, State};
use crate::table::{Table, Verdict};

/// A session of IMAP.
pub fn session(id: &str, user: &str, remote: &str) -> Session {
    Session {
        session: id.to_owned().try_into().unwrap(),
        user: user.to_owned().try_into().unwrap(),
        protocol: Protocol::Imap,
        remote: remote.parse().unwrap(),
        worker_pid: 7,
    }
}

fn state() -> Shared {
    let (log, sessions) = Log::open(Vec::new()).unwrap();
    let callers = Callers::new(|_| Some(rustix::process::geteuid().as_raw()));
    Rc::new(RefCell::new(State::new(log, sessions, callers)))
}

fn ended(session: SessionId) -> Request {
    Request::Changed {
        began: Vec::new(),
        ended: vec![session],
    }
}

/// A peer of anvil's, connected.
fn connect(state: &Shared) -> AsyncChannel {
    let (ours, theirs) = sys::seqpacket::pair().unwrap();
    tokio::task::spawn_local(peer::serve(
        AsyncChannel::new(theirs).unwrap(),
        Rc::clone(state),
    ));
    AsyncChannel::new(ours).unwrap()
}

async fn say(channel: &AsyncChannel, request: Request) {
    channel.send(&request, &[]).await.unwrap();
}

async fn hear(channel: &AsyncChannel) -> Reply {
    channel.recv::<Reply>().await.unwrap().0
}

async fn greeted(state: &Shared, role: Role) -> AsyncChannel {
    let channel = connect(state);
    say(
        &channel,
        Request::Hello {
            version: VERSION,
            role,
        },
    )
    .await;
    assert!(matches!(
        hear(&channel).await,
        Reply::Hello { version: VERSION }
    ));
    channel
}

async fn manager(state: &Shared) -> AsyncChannel {
    greeted(
        state,
        Role::Manager {
            protocol: Protocol::Imap,
        },
    )
    .await
}

/// Asks until all earlier requests of the manager must have been heard.
async fn count(manager: &AsyncChannel, session: Session, limit: u32) -> bool {
    say(
        manager,
        Request::Connect {
            id: 1,
            session,
            limit,
        },
    )
    .await;
    matches!(hear(manager).await, Reply::Connected { id: 1 })
}

async fn who(state: &Shared) -> Vec<Session> {
    let admin = greeted(state, Role::Admin).await;
    say(&admin, Request::Who { id: 3 }).await;
    let mut all = Vec::new();
    loop {
        let Reply::Sessions { id: 3, sessions } = hear(&admin).await else {
            panic!("no sessions")
        };
        if sessions.is_empty() {
            return all;
        }
        all.extend(sessions);
    }
}

fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn the_limit_is_per_user_and_address() {
    local(async {
        let state = state();
        let imap = manager(&state).await;
        assert!(count(&imap, session("a", "jo", "192.0.2.1"), 2).await);
        assert!(count(&imap, session("b", "jo", "192.0.2.1"), 2).await);
        assert!(!count(&imap, session("c", "jo", "192.0.2.1"), 2).await);
        assert!(!count(&imap, session("c", "jo", "::ffff:192.0.2.1"), 2).await);
        assert!(count(&imap, session("d", "jo", "192.0.2.2"), 2).await);
        assert!(count(&imap, session("e", "al", "192.0.2.1"), 2).await);
        say(&imap, ended(session("a", "jo", "192.0.2.1").session)).await;
        assert!(count(&imap, session("c", "jo", "192.0.2.1"), 2).await);
        assert_eq!(who(&state).await.len(), 4);
    });
}

#[test]
fn sessions_of_a_manager_that_stays_away_are_forgotten() {
    local(async {
        let state = state();
        let imap = manager(&state).await;
        assert!(count(&imap, session("a", "jo", "192.0.2.1"), 1).await);
        drop(imap);
        assert_eq!(who(&state).await.len(), 1);
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(who(&state).await.len(), 0);
        assert_eq!(state.borrow().table.origins(), 0);
    });
}

#[test]
fn a_manager_that_comes_back_says_what_survived() {
    local(async {
        let state = state();
        let old = manager(&state).await;
        for id in ["a", "b"] {
            assert!(count(&old, session(id, "jo", "192.0.2.1"), 9).await);
        }
        drop(old);
        let new = manager(&state).await;
        say(
            &new,
            Request::Resume {
                sessions: vec![session("b", "jo", "192.0.2.1")],
            },
        )
        .await;
        assert!(count(&new, session("c", "jo", "192.0.2.1"), 9).await);
        assert_eq!(who(&state).await.len(), 3);
        say(&new, Request::Resumed).await;
        assert!(!count(&new, session("d", "jo", "192.0.2.1"), 2).await);
        tokio::time::sleep(Duration::from_secs(11)).await;
        let mut left: Vec<_> = who(&state)
            .await
            .into_iter()
            .map(|session| session.session.to_string())
            .collect();
        left.sort();
        assert_eq!(left, ["b", "c"]);
    });
}

#[test]
fn kick_reaches_the_owner() {
    local(async {
        let state = state();
        let imap = manager(&state).await;
        for (id, user, remote) in [
            ("a", "jo@x", "192.0.2.1"),
            ("b", "jo@y", "192.0.2.1"),
            ("c", "jo@x", "198.51.100.1"),
        ] {
            assert!(count(&imap, session(id, user, remote), 0).await);
        }
        let admin = greeted(&state, Role::Admin).await;
        let networks = vec![("192.0.2.0".parse::<IpAddr>().unwrap(), 24)];
        say(
            &admin,
            Request::Kick {
                id: 5,
                user: "*@x".to_owned(),
                networks,
            },
        )
        .await;
        let Reply::Kicked { id: 5, sessions } = hear(&admin).await else {
            panic!("not kicked")
        };
        assert_eq!(sessions, [session("a", "jo@x", "192.0.2.1")]);
        assert!(
            matches!(hear(&admin).await, Reply::Kicked { id: 5, sessions } if sessions.is_empty())
        );
        let Reply::EndSession { session } = hear(&imap).await else {
            panic!("not told")
        };
        assert_eq!(session.as_str(), "a");
    });
}

#[test]
fn a_kick_waits_for_a_manager_that_restarts() {
    local(async {
        let state = state();
        let old = manager(&state).await;
        for id in ["a", "b"] {
            assert!(count(&old, session(id, "jo", "192.0.2.1"), 9).await);
        }
        drop(old);
        let admin = greeted(&state, Role::Admin).await;
        let kick = Request::Kick {
            id: 5,
            user: "jo".to_owned(),
            networks: Vec::new(),
        };
        say(&admin, kick).await;
        let new = manager(&state).await;
        let survivor = session("b", "jo", "192.0.2.1");
        let sessions = vec![survivor.clone()];
        say(&new, Request::Resume { sessions }).await;
        say(&new, Request::Resumed).await;
        let Reply::EndSession { session } = hear(&new).await else {
            panic!("not told")
        };
        assert_eq!(session.as_str(), "b");
    });
}

#[test]
fn thousands_of_sessions_are_listed_in_records_that_fit() {
    local(async {
        let state = state();
        let imap = manager(&state).await;
        let user = format!("{}@example.org", "ü".repeat(120));
        for number in 0..1000 {
            let id = format!("{:064}", number);
            assert!(count(&imap, session(&id, &user, "2001:db8::1"), 0).await);
        }
        assert_eq!(who(&state).await.len(), 1000);
    });
}

#[test]
fn whoever_breaks_the_protocol_is_cut_off() {
    local(async {
        let state = state();
        let silent_version = connect(&state);
        say(
            &silent_version,
            Request::Hello {
                version: VERSION + 1,
                role: Role::Admin,
            },
        )
        .await;
        assert!(silent_version.recv::<Reply>().await.is_err());
        let no_hello = connect(&state);
        say(&no_hello, Request::Who { id: 1 }).await;
        assert!(no_hello.recv::<Reply>().await.is_err());
        // A name with a line break isn't a user name: the record is refused as a whole.
        let forged = manager(&state).await;
        forged
            .send(&(3_u8, 1_u8, "id", "jo\nLOOKUP"), &[])
            .await
            .unwrap();
        assert!(forged.recv::<Reply>().await.is_err());
        let curious = manager(&state).await;
        say(&curious, Request::Who { id: 1 }).await;
        assert!(curious.recv::<Reply>().await.is_err());
        let wrong = manager(&state).await;
        let mut other = session("a", "jo", "192.0.2.1");
        other.protocol = Protocol::Pop3;
        say(
            &wrong,
            Request::Connect {
                id: 1,
                session: other,
                limit: 0,
            },
        )
        .await;
        assert!(wrong.recv::<Reply>().await.is_err());
        assert_eq!(state.borrow().table.len(), 0);
    });
}

#[test]
fn a_second_manager_takes_the_place_of_the_first() {
    local(async {
        let state = state();
        let old = manager(&state).await;
        assert!(count(&old, session("a", "jo", "192.0.2.1"), 0).await);
        let new = manager(&state).await;
        say(&old, ended(session("a", "jo", "192.0.2.1").session)).await;
        assert!(old.recv::<Reply>().await.is_err());
        assert!(count(&new, session("b", "jo", "192.0.2.1"), 0).await);
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(who(&state).await.len(), 2);
    });
}

#[test]
fn who_is_refused_is_told_nothing() {
    local(async {
        let (log, sessions) = Log::open(Vec::new()).unwrap();
        let state = State::new(log, sessions, Callers::new(|_| None));
        let state = Rc::new(RefCell::new(state));
        for role in [
            Role::Admin,
            Role::Manager {
                protocol: Protocol::Imap,
            },
        ] {
            let caller = connect(&state);
            let version = VERSION;
            say(&caller, Request::Hello { version, role }).await;
            assert!(caller.recv::<Reply>().await.is_err());
        }
    });
}

#[test]
fn a_manager_cannot_touch_sessions_of_another() {
    local(async {
        let state = state();
        let imap = manager(&state).await;
        let victim = session("a", "jo", "192.0.2.1");
        assert!(count(&imap, victim.clone(), 0).await);
        let protocol = Protocol::Lmtp;
        let taken = Session {
            protocol,
            ..victim.clone()
        };
        for attack in [
            ended(victim.session.clone()),
            Request::Resume {
                sessions: vec![taken.clone()],
            },
            Request::Connect {
                id: 1,
                session: taken,
                limit: 0,
            },
        ] {
            let lmtp = greeted(&state, Role::Manager { protocol }).await;
            say(&lmtp, attack).await;
            assert!(lmtp.recv::<Reply>().await.is_err());
        }
        assert_eq!(who(&state).await, [victim]);
    });
}

#[test]
fn counts_leave_nothing_behind() {
    let mut table = Table::default();
    for round in 0..3 {
        for number in 0..100 {
            let one = session(
                &format!("s{number}"),
                &format!("u{}", number % 7),
                "192.0.2.1",
            );
            assert_eq!(table.connect(one, 0), Verdict::Counted, "{round}");
        }
    }
    for number in 0..100 {
        assert!(
            table
                .disconnect(&session(&format!("s{number}"), "x", "192.0.2.1").session)
                .is_some()
        );
    }
    assert_eq!((table.len(), table.origins()), (0, 0));
}
