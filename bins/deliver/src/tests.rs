//! The manager with callers and an auth that are not what they should be.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use ipc::auth_master::{self, MailUser, Refusal};
use ipc::deliver::{Delivery, Failure, Reply, Request};
use ipc::{AsyncChannel, AsyncListener, Error, SessionId, Username, VERSION};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use crate::manager::Manager;
use crate::serve::{Callers, Server};

fn listen(path: &Path) -> AsyncListener {
    let socket: OwnedFd =
        rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 16).unwrap();
    AsyncListener::new(socket).unwrap()
}

/// Knows everybody but `nobody`, all of them as root; ends when it is asked for `crash`.
async fn serve_auth(listener: AsyncListener) {
    while let Ok(channel) = listener.accept().await {
        while let Ok((request, _)) = channel.recv::<auth_master::Request>().await {
            let reply = match request {
                auth_master::Request::Hello { version } => auth_master::Reply::Hello { version },
                auth_master::Request::Lookup { user, .. } if user == "crash" => break,
                auth_master::Request::Lookup { id, user, .. } if user == "nobody" => {
                    auth_master::Reply::Refused {
                        id,
                        why: Refusal::UnknownUser,
                    }
                }
                auth_master::Request::Lookup { id, user, .. } => {
                    let user = MailUser {
                        name: Username::try_from(user).unwrap(),
                        uid: Some(0),
                        gid: Some(0),
                        home: None,
                        chroot: None,
                        mail: None,
                        groups: Vec::new(),
                        fields: Vec::new(),
                    };
                    auth_master::Reply::User { id, user }
                }
                _ => break,
            };
            channel.send(&reply, &[]).await.unwrap();
        }
    }
}

/// Runs `talk` with a caller of a manager that takes callers with uid `lmtp`.
async fn with_caller<F: Future<Output = ()>>(
    lmtp: Option<u32>,
    talk: impl FnOnce(AsyncChannel) -> F,
) {
    let everything = async {
        let directory = tempfile::tempdir().unwrap();
        let (auth, deliver) = (
            directory.path().join("auth"),
            directory.path().join("deliver"),
        );
        spawn_local(serve_auth(listen(&auth)));
        let config = config::parse_text(Path::new("culver.conf"), "");
        let snapshot = config.snapshot("deliver", &config::NoNames).unwrap();
        let (_drain, draining) = watch::channel(false);
        let (manager, _) = Manager::new(&snapshot, &auth, draining.clone()).unwrap();
        let callers = service::Callers::new(|user| lmtp.filter(|_| user == "culver-lmtp"));
        let server = Rc::new(Server { manager, callers });
        spawn_local(server.accept(listen(&deliver), Callers::new(draining)));
        talk(AsyncChannel::connect(&deliver).await.unwrap()).await;
    };
    LocalSet::new().run_until(everything).await;
}

fn me() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

fn request(user: &str) -> Request {
    let delivery = Delivery {
        user: user.to_owned(),
        detail: None,
        sender: String::new(),
        recipient: user.to_owned(),
        session: SessionId::try_from("x".to_owned()).unwrap(),
        prepend: String::new(),
    };
    Request::Deliver { id: 7, delivery }
}

async fn hello(channel: &AsyncChannel) {
    channel
        .send(&Request::Hello { version: VERSION }, &[])
        .await
        .unwrap();
    let (reply, _) = channel.recv::<Reply>().await.unwrap();
    assert!(matches!(reply, Reply::Hello { version: VERSION }));
}

async fn failure(channel: &AsyncChannel, user: &str) -> Failure {
    let message = tempfile::tempfile().unwrap();
    channel
        .send(&request(user), &[message.as_fd()])
        .await
        .unwrap();
    match channel.recv::<Reply>().await.unwrap().0 {
        Reply::Failed { id: 7, why } => why,
        other => panic!("{other:?}"),
    }
}

async fn is_closed(channel: AsyncChannel) {
    assert!(matches!(channel.recv::<Reply>().await, Err(Error::Closed)));
}

#[tokio::test]
async fn nobody_but_lmtp_may_call() {
    for lmtp in [None, me().map(|uid| uid + 1)] {
        with_caller(lmtp, async |channel| {
            // It may be closed already.
            let _ = channel
                .send(&Request::Hello { version: VERSION }, &[])
                .await;
            is_closed(channel).await;
        })
        .await;
    }
}

#[tokio::test]
async fn callers_that_break_the_protocol_are_sent_away() {
    with_caller(me(), async |channel| {
        channel.send(&request("demo"), &[]).await.unwrap();
        is_closed(channel).await;
    })
    .await;
    with_caller(me(), async |channel| {
        hello(&channel).await;
        channel
            .send(&Request::Hello { version: VERSION }, &[])
            .await
            .unwrap();
        is_closed(channel).await;
    })
    .await;
    with_caller(me(), async |channel| {
        hello(&channel).await;
        channel.send(&request("demo"), &[]).await.unwrap();
        is_closed(channel).await;
    })
    .await;
    with_caller(me(), async |channel| {
        hello(&channel).await;
        let file = tempfile::tempfile().unwrap();
        channel
            .send(&request("demo"), &[file.as_fd(), file.as_fd()])
            .await
            .unwrap();
        is_closed(channel).await;
    })
    .await;
}

#[tokio::test]
async fn users_that_cannot_be_served() {
    with_caller(me(), async |channel| {
        hello(&channel).await;
        assert_eq!(failure(&channel, "nobody").await, Failure::UnknownUser);
        assert_eq!(failure(&channel, "root").await, Failure::Unavailable);
        assert_eq!(failure(&channel, "crash").await, Failure::Unavailable);
        assert_eq!(failure(&channel, "nobody").await, Failure::UnknownUser);
    })
    .await;
}
