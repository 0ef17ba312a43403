//! auth and a fake auth-worker.

use std::cell::Cell;

use ipc::AsyncListener;
use ipc::worker_auth::{self, Refusal as PamRefusal, Verdict};

use super::*;

const PAM: &str = "\
auth_failure_delay = 0
auth_worker_max_count = 2
passdb {
  driver = pam
}
userdb {
  driver = static
  args = uid=500 gid=500 home=/home/%u
}
";

/// What the fake worker does with a user.
fn verdict(user: &str) -> Option<Verdict> {
    let refused = |reason| Verdict::Refused {
        reason,
        text: "pam_authenticate() failed: x".to_owned(),
    };
    match user {
        "demo" => Some(Verdict::Accepted {
            user: "demo".to_owned().try_into().unwrap(),
        }),
        "renamed" => Some(Verdict::Accepted {
            user: "other".to_owned().try_into().unwrap(),
        }),
        "locked" => Some(refused(PamRefusal::Disabled)),
        "old" => Some(refused(PamRefusal::PasswordExpired)),
        "broken" => Some(Verdict::Failed {
            reason: "no modules".to_owned(),
        }),
        "crash" => None,
        _ => Some(refused(PamRefusal::Mismatch)),
    }
}

/// Listens like auth-worker; counts connections.
fn worker(site: &Site) -> Rc<Cell<u32>> {
    let address = rustix::net::SocketAddrUnix::new(site.dir.path().join("auth-worker")).unwrap();
    let kind = rustix::net::SocketType::SEQPACKET;
    let socket = rustix::net::socket(rustix::net::AddressFamily::UNIX, kind, None).unwrap();
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::listen(&socket, 16).unwrap();
    let listener = AsyncListener::new(socket).unwrap();
    let connections = Rc::new(Cell::new(0));
    let counted = Rc::clone(&connections);
    spawn_local(async move {
        while let Ok(channel) = listener.accept().await {
            counted.set(counted.get() + 1);
            spawn_local(serve(channel));
        }
    });
    connections
}

async fn serve(channel: AsyncChannel) {
    while let Ok((request, _)) = channel.recv::<worker_auth::Request>().await {
        let reply = match request {
            worker_auth::Request::Hello { version } => worker_auth::Reply::Hello { version },
            worker_auth::Request::Pam {
                user,
                service,
                password,
                remote,
                ..
            } => {
                assert_eq!(
                    (service.as_str(), password.expose()),
                    ("culver", &b"pw"[..])
                );
                assert_eq!(remote, Some(facts().remote.ip()));
                match verdict(user.as_str()) {
                    Some(verdict) => worker_auth::Reply::Verdict(verdict),
                    None => return,
                }
            }
        };
        channel.send(&reply, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn pam_decides() {
    local(async {
        let site = Site::of(PAM, "");
        let connections = worker(&site);
        let (mut login, manager) = (site.login().await, site.caller(Door::AuthMaster).await);
        let token = login.token("demo", "pw").await;
        assert_eq!(manager.redeem(&token).await.unwrap().home.as_deref(), Some("/home/demo"));
        assert!(matches!(login.plain("renamed", "pw").await, Reply::Success { user, .. } if user.as_str() == "other"));
        for (user, reason) in [
            ("wrong", Failure::Credentials),
            ("locked", Failure::Disabled),
            ("old", Failure::Expired),
            ("broken", Failure::Unavailable),
        ] {
            assert_eq!(failure(&login.plain(user, "pw").await), reason, "{user}");
        }
        assert_eq!(connections.get(), 1, "one connection serves one question after the other");
        // A process that dies takes one answer with it; the next question starts another.
        assert_eq!(failure(&login.plain("crash", "pw").await), Failure::Unavailable);
        assert!(matches!(login.plain("demo", "pw").await, Reply::Success { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_crash_harms_nobody_else() {
    local(async {
        let site = Site::of(PAM, "");
        worker(&site);
        let mut login = site.login().await;
        let mut ids = Vec::new();
        for at in 0..20 {
            let message: &[u8] = if at % 2 == 0 {
                b"\0crash\0pw"
            } else {
                b"\0demo\0pw"
            };
            ids.push(login.start("PLAIN", &facts(), Some(message)).await);
        }
        for (at, id) in ids.into_iter().enumerate() {
            let reply = login.hear(id).await;
            assert_eq!(
                at % 2 == 1,
                matches!(reply, Reply::Success { .. }),
                "{at} {reply:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn without_auth_worker_nobody_is_called_wrong() {
    local(async {
        let site = Site::of(PAM, "");
        let mut login = site.login().await;
        assert_eq!(
            failure(&login.plain("demo", "pw").await),
            Failure::Unavailable
        );
    })
    .await;
}
