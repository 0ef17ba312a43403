//! Tokens: issued by auth to login, redeemed by a manager. Honest ways and all the others.

use super::*;
use crate::tokens::LIFETIME;

#[tokio::test]
async fn a_token_is_worth_a_user_once() {
    local(async {
        let site = Site::new();
        let (mut login, manager) = (site.login().await, site.caller(Door::AuthMaster).await);
        let token = login.token("Alice", "alicepw").await;
        let user = manager.redeem(&token).await.unwrap();
        assert_eq!(user.name.as_str(), "alice");
        assert_eq!(
            (user.uid, user.gid, user.home.as_deref()),
            (Some(1001), Some(1001), Some("/home/alice"))
        );
        assert_eq!(
            user.fields,
            [("quota_rule".to_owned(), "*:storage=1G".to_owned())]
        );
        assert_eq!(manager.redeem(&token).await, Err(Refusal::UnknownToken));
        assert_eq!(
            manager.redeem(&Token::random().unwrap()).await,
            Err(Refusal::UnknownToken)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_expires() {
    local(async {
        let site = Site::new();
        let (mut login, manager) = (site.login().await, site.caller(Door::AuthMaster).await);
        let (first, second) = (
            login.token("alice", "alicepw").await,
            login.token("alice", "alicepw").await,
        );
        tokio::time::advance(LIFETIME - std::time::Duration::from_millis(1)).await;
        assert!(manager.redeem(&first).await.is_ok());
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        assert_eq!(manager.redeem(&second).await, Err(Refusal::ExpiredToken));
        assert_eq!(manager.redeem(&second).await, Err(Refusal::UnknownToken));
    })
    .await;
}

#[tokio::test]
async fn a_token_is_for_one_socket_and_one_client_only() {
    local(async {
        let site = Site::new();
        let (mut login, manager) = (site.login().await, site.caller(Door::AuthMaster).await);
        type Swap = fn(&mut auth_master::Request);
        let swaps: [Swap; 7] = [
            |request| cookie_of(request, COOKIE + 1),
            |request| {
                facts_of(request, |facts| {
                    facts.session = SessionId::try_from("OTHER".to_owned()).unwrap()
                })
            },
            |request| {
                facts_of(request, |facts| {
                    facts.remote = "192.0.2.3:40000".parse().unwrap()
                })
            },
            |request| {
                facts_of(request, |facts| {
                    facts.local = "192.0.2.1:143".parse().unwrap()
                })
            },
            |request| facts_of(request, |facts| facts.transport = Transport::Plain),
            |request| facts_of(request, |facts| facts.protocol = Protocol::Pop3),
            |request| pid_of(request, 1),
        ];
        for swap in swaps {
            let token = login.token("alice", "alicepw").await;
            let mut request = redeem(&token);
            swap(&mut request);
            assert_eq!(manager.ask(request).await, Err(Refusal::ForeignToken));
            // And now it is worth nothing to its owner either.
            assert_eq!(manager.redeem(&token).await, Err(Refusal::UnknownToken));
        }
    })
    .await;
}

fn cookie_of(request: &mut auth_master::Request, other: u64) {
    if let auth_master::Request::Redeem { cookie, .. } = request {
        *cookie = other;
    }
}

fn pid_of(request: &mut auth_master::Request, other: i32) {
    if let auth_master::Request::Redeem { login_pid, .. } = request {
        *login_pid = other;
    }
}

fn facts_of(request: &mut auth_master::Request, change: impl FnOnce(&mut Facts)) {
    if let auth_master::Request::Redeem { facts, .. } = request {
        change(facts);
    }
}

#[tokio::test]
async fn a_token_dies_with_its_login_process() {
    local(async {
        let site = Site::new();
        let (mut login, manager) = (site.login().await, site.caller(Door::AuthMaster).await);
        let mut other = site.login().await;
        let (token, kept) = (
            login.token("alice", "alicepw").await,
            other.token("bob", "bobpw").await,
        );
        drop(login.channel);
        assert!(matches!(
            login.served.await.unwrap(),
            Err(Refused::Ipc(ipc::Error::Closed))
        ));
        assert_eq!(manager.redeem(&token).await, Err(Refusal::UnknownToken));
        assert!(manager.redeem(&kept).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn only_managers_redeem() {
    local(async {
        let site = Site::new();
        let mut login = site.login().await;
        let token = login.token("alice", "alicepw").await;
        let lmtp = site.caller(Door::AuthUserdb).await;
        assert!(lmtp.lookup("alice").await.is_ok());
        lmtp.tell(&redeem(&token)).await;
        assert!(matches!(
            lmtp.served.await.unwrap(),
            Err(Refused::Unexpected(_))
        ));
        // The attempt did not cost the client its login.
        assert!(
            site.caller(Door::AuthMaster)
                .await
                .redeem(&token)
                .await
                .is_ok()
        );
    })
    .await;
}

#[tokio::test]
async fn strangers_are_turned_away_at_every_door() {
    local(async {
        let site = Site::new();
        let live = Live::new(&settings(CONFIG, site.dir.path()), Callers::new(|_| None)).unwrap();
        site.shared.replace(live);
        let pair = || {
            let (ours, theirs) = seqpacket::pair().unwrap();
            (ours, AsyncChannel::new(theirs).unwrap())
        };
        let (_ours, theirs) = pair();
        assert!(matches!(
            login::serve(Rc::clone(&site.shared), theirs).await,
            Err(Refused::Uid)
        ));
        for door in [Door::AuthMaster, Door::AuthUserdb] {
            let (_ours, theirs) = pair();
            assert!(matches!(
                master::serve(Rc::clone(&site.shared), theirs, door).await,
                Err(Refused::Uid)
            ));
        }
    })
    .await;
}

#[tokio::test]
async fn a_user_without_userdb_is_not_handed_over() {
    local(async {
        let site = Site::new();
        let (mut login, manager) = (site.login().await, site.caller(Door::AuthMaster).await);
        let token = login.token("ghost", "ghostpw").await;
        assert_eq!(manager.redeem(&token).await, Err(Refusal::UnknownUser));
    })
    .await;
}

#[tokio::test]
async fn another_version_is_refused() {
    local(async {
        let site = Site::new();
        let (ours, theirs) = seqpacket::pair().unwrap();
        let channel = AsyncChannel::new(ours).unwrap();
        channel
            .send(
                &Request::Hello {
                    version: VERSION + 1,
                },
                &[],
            )
            .await
            .unwrap();
        let served =
            login::serve(Rc::clone(&site.shared), AsyncChannel::new(theirs).unwrap()).await;
        assert!(matches!(
            served,
            Err(Refused::Ipc(ipc::Error::Version { .. }))
        ));
    })
    .await;
}

#[tokio::test]
async fn users_are_listed_and_passwords_tried_for_administrators() {
    local(async {
        let site = Site::new();
        let doveadm = site.caller(Door::AuthUserdb).await;
        doveadm.tell(&auth_master::Request::List { id: 1 }).await;
        let auth_master::Reply::Users { users, .. } = doveadm.hear().await else {
            panic!()
        };
        assert_eq!(
            users.iter().map(|user| user.as_str()).collect::<Vec<_>>(),
            ["alice", "bob", "ghost", "nick", "quick"]
        );
        let auth_master::Reply::Users { users, .. } = doveadm.hear().await else {
            panic!()
        };
        assert!(users.is_empty());
        for (password, right) in [("alicepw", true), ("bobpw", false), ("", false)] {
            let (id, user) = (7, "Alice".to_owned());
            let client = ClientInfo::of(Protocol::Imap);
            let password = Secret::new(password.as_bytes().to_vec());
            doveadm
                .tell(&auth_master::Request::Authenticate {
                    id,
                    client,
                    user,
                    password,
                })
                .await;
            match doveadm.hear().await {
                auth_master::Reply::Authenticated { user, .. } => {
                    assert!(right && user.as_str() == "alice")
                }
                auth_master::Reply::Refused {
                    why: Refusal::Credentials,
                    ..
                } => assert!(!right),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(doveadm.lookup("nobody").await, Err(Refusal::UnknownUser));
        std::fs::remove_file(site.dir.path().join("users")).unwrap();
        assert_eq!(doveadm.lookup("alice").await, Err(Refusal::Unavailable));
    })
    .await;
}
