//! A census and an anvil that is there, away, or silent.

use std::path::Path;

use ipc::{AsyncChannel, AsyncListener};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

use super::*;

fn listener(path: &Path) -> AsyncListener {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 8).unwrap();
    AsyncListener::new(socket).unwrap()
}

fn session(name: &str) -> Session {
    Session {
        session: SessionId::try_from(name.to_owned()).unwrap(),
        user: "ann".to_owned().try_into().unwrap(),
        protocol: Protocol::Imap,
        remote: [192, 0, 2, 1].into(),
        worker_pid: 7,
    }
}

fn id(name: &str) -> SessionId {
    session(name).session
}

/// Takes a connection and its greeting; the sessions named in it.
async fn greet(listener: &AsyncListener) -> (AsyncChannel, Vec<String>) {
    let peer = listener.accept().await.unwrap();
    let hello: Request = peer.recv().await.unwrap().0;
    assert!(matches!(hello, Request::Hello { .. }));
    peer.send(&Reply::Hello { version: VERSION }, &[])
        .await
        .unwrap();
    let mut named = Vec::new();
    loop {
        match peer.recv::<Request>().await.unwrap().0 {
            Request::Resume { sessions } => {
                named.extend(sessions.into_iter().map(|s| s.session.to_string()));
            }
            Request::Resumed => break,
            other => panic!("{other:?} in a greeting"),
        }
    }
    named.sort();
    (peer, named)
}

struct Site {
    directory: tempfile::TempDir,
    census: Census,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anvil");
        let (census, _) = Census::at(path, "test", Protocol::Imap);
        Self { directory, census }
    }

    fn anvil(&self) -> AsyncListener {
        listener(&self.directory.path().join("anvil"))
    }
}

async fn answer(peer: &AsyncChannel, reply: impl FnOnce(u32) -> Reply) {
    let Request::Connect { id, .. } = peer.recv().await.unwrap().0 else {
        panic!("not a session");
    };
    peer.send(&reply(id), &[]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn anvil_says_who_is_too_much() {
    let site = Site::new();
    let anvil = site.anvil();
    let ((peer, named), ()) = tokio::join!(greet(&anvil), site.census.connect());
    assert!(named.is_empty());
    let (counted, ()) = tokio::join!(
        site.census.enter(session("a"), 1),
        answer(&peer, |id| Reply::Connected { id })
    );
    assert!(counted);
    let (counted, ()) = tokio::join!(
        site.census.enter(session("b"), 1),
        answer(&peer, |id| Reply::LimitReached { id })
    );
    assert!(!counted);
    site.census.leave(&id("a"));
    site.census.flush().await;
    assert_eq!(changed(&peer).await, (vec![], vec!["a".to_owned()]));
    // What was never counted is not uncounted.
    site.census.leave(&id("b"));
    site.census.leave(&id("c"));
    assert!(lock(&site.census.sessions).is_empty());
}

/// Names of sessions that began, and of those that ended.
async fn changed(peer: &AsyncChannel) -> (Vec<String>, Vec<String>) {
    let Request::Changed { began, ended } = peer.recv().await.unwrap().0 else {
        panic!("not a change");
    };
    let began = began.iter().map(|session| session.session.to_string());
    let ended = ended.iter().map(ToString::to_string);
    (began.collect(), ended.collect())
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_is_told_at_once() {
    let site = Site::new();
    let anvil = site.anvil();
    let ((peer, _), ()) = tokio::join!(greet(&anvil), site.census.connect());
    for name in ["a", "b", "c"] {
        // Nobody answers.
        assert!(site.census.enter(session(name), 0).await);
    }
    site.census.moved(&id("c"), 8);
    site.census.leave(&id("b"));
    site.census.flush().await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(changed(&peer).await, (names(&["a", "c", "c"]), names(&[])));
    assert_eq!(changed(&peer).await, (names(&[]), names(&["b"])));
    // Whoever is asked hears first who has left.
    site.census.leave(&id("a"));
    let (counted, ()) = tokio::join!(site.census.enter(session("d"), 1), async {
        assert_eq!(changed(&peer).await, (names(&[]), names(&["a"])));
        answer(&peer, |id| Reply::Connected { id }).await;
    });
    assert!(counted);
}

#[tokio::test(start_paused = true)]
async fn without_anvil_everybody_gets_in_and_is_counted_later() {
    let site = Site::new();
    site.census.connect().await;
    for name in ["a", "b", "c"] {
        assert!(site.census.enter(session(name), 1).await);
    }
    site.census.leave(&id("b"));
    let anvil = site.anvil();
    let ((_, named), ()) = tokio::join!(greet(&anvil), site.census.connect());
    assert_eq!(named, ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_anvil_that_does_not_answer_costs_one_wait() {
    let site = Site::new();
    let anvil = site.anvil();
    let ((silent, _), ()) = tokio::join!(greet(&anvil), site.census.connect());
    let begun = tokio::time::Instant::now();
    for name in ["a", "b", "c", "d"] {
        assert!(site.census.enter(session(name), 1).await);
        site.census.leave(&id("d"));
    }
    assert_eq!(begun.elapsed(), PATIENCE);
    // Its connection is given up, and the next one has everything.
    let ((_, named), ()) = tokio::join!(greet(&anvil), site.census.connect());
    assert_eq!(named, ["a", "b", "c"]);
    while silent.recv::<Request>().await.is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn a_session_that_began_while_anvil_died_is_named_to_the_next() {
    let site = Site::new();
    let anvil = site.anvil();
    let ((peer, _), ()) = tokio::join!(greet(&anvil), site.census.connect());
    let dying = async {
        peer.recv::<Request>().await.unwrap();
        drop(peer);
    };
    let (counted, ()) = tokio::join!(site.census.enter(session("a"), 1), dying);
    assert!(counted);
    let ((_, named), ()) = tokio::join!(greet(&anvil), site.census.connect());
    assert_eq!(named, ["a"]);
}
