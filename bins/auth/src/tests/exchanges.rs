//! Exchanges of login processes, honest and otherwise.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use ipc::login_auth::MAX_EXCHANGES;

#[tokio::test(start_paused = true)]
async fn failures_come_late_and_say_little() {
    local(async {
        let site = Site::new();
        let mut login = site.login().await;
        for (user, password, reason) in [
            ("alice", "wrong", Failure::Credentials),
            ("nobody", "x", Failure::Credentials),
            ("a%b", "x", Failure::Credentials),
            ("nick", "nickpw", Failure::Disabled),
            ("alice", "", Failure::Credentials),
            ("", "x", Failure::Credentials),
            ("al\0ice", "x", Failure::Malformed),
        ] {
            let asked = Instant::now();
            assert_eq!(
                failure(&login.plain(user, password).await),
                reason,
                "{user}"
            );
            let waited = asked.elapsed();
            assert!(
                waited >= Duration::from_secs(2) && waited <= Duration::from_millis(2250),
                "{user} {waited:?}"
            );
        }
        let asked = Instant::now();
        assert_eq!(
            failure(&login.plain("quick", "wrong").await),
            Failure::Credentials
        );
        assert!(matches!(
            login.plain("alice", "alicepw").await,
            Reply::Success { .. }
        ));
        assert_eq!(asked.elapsed(), Duration::ZERO);
        std::fs::remove_file(site.dir.path().join("users")).unwrap();
        assert_eq!(
            failure(&login.plain("alice", "alicepw").await),
            Failure::Unavailable
        );
        assert_eq!(asked.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test]
async fn challenges_are_answered() {
    local(async {
        let site = Site::new();
        let mut login = site.login().await;
        let id = login.start("login", &facts(), None).await;
        for (prompt, answer) in [("Username:", "alice"), ("Password:", "alicepw")] {
            let Reply::Challenge { data, .. } = login.hear(id).await else {
                panic!()
            };
            assert_eq!(data, prompt.as_bytes());
            login
                .tell(&Request::Continue {
                    id,
                    response: Secret::new(answer.as_bytes().to_vec()),
                })
                .await;
        }
        assert!(
            matches!(login.hear(id).await, Reply::Success { user, .. } if user.as_str() == "alice")
        );

        let id = login.start("PLAIN", &facts(), None).await;
        assert!(matches!(login.hear(id).await, Reply::Challenge { data, .. } if data.is_empty()));
        login
            .tell(&Request::Continue {
                id,
                response: Secret::new(b"\0bob\0bobpw".to_vec()),
            })
            .await;
        assert!(
            matches!(login.hear(id).await, Reply::Success { user, .. } if user.as_str() == "bob")
        );
    })
    .await;
}

#[tokio::test]
async fn mechanisms_that_are_not_offered_do_not_exist() {
    local(async {
        let site = Site::of(&CONFIG.replace("plain login", "plain cram-md5"), "");
        let mut login = site.login().await;
        for mech in [
            "LOGIN", "EXTERNAL", "NTLM", "CRAM-MD5", "XYZ", "", "PLAIN\0",
        ] {
            let id = login.start(mech, &facts(), Some(b"")).await;
            assert_eq!(
                failure(&login.hear(id).await),
                Failure::UnknownMech,
                "{mech}"
            );
        }
        assert!(matches!(
            login.plain("alice", "alicepw").await,
            Reply::Success { .. }
        ));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hostile_messages_fail_alone() {
    local(async {
        let site = Site::new();
        let mut login = site.login().await;
        let long = [b"\0alice\0".to_vec(), vec![b'p'; 1025]].concat();
        let messages: &[(&[u8], Failure)] = &[
            (b"", Failure::Malformed),
            (b"\0", Failure::Malformed),
            (b"\0\0", Failure::Credentials),
            (b"\0\0\0", Failure::Malformed),
            (b"\0\xf3(\xf0\x9f\0x", Failure::Credentials),
            (&long, Failure::Credentials),
            (&[b'x'; 60_000], Failure::Malformed),
        ];
        for (message, reason) in messages {
            let id = login.start("PLAIN", &facts(), Some(message)).await;
            assert_eq!(failure(&login.hear(id).await), *reason);
        }
        let id = login
            .start("PLAIN", &facts(), Some(b"\0eve\tsuccess\nmaster=admin\0pw"))
            .await;
        assert_eq!(failure(&login.hear(id).await), Failure::Credentials);
        // An answer to nothing is the client's mistake at worst.
        login
            .tell(&Request::Continue {
                id: 999,
                response: Secret::new(Vec::new()),
            })
            .await;
        assert_eq!(failure(&login.hear(999).await), Failure::Malformed);
        assert!(matches!(
            login.plain("alice", "alicepw").await,
            Reply::Success { .. }
        ));
    })
    .await;
}

#[tokio::test]
async fn a_login_process_that_breaks_the_rules_is_cut_off() {
    local(async {
        let site = Site::new();
        let again = site.login().await;
        again.tell(&Request::Hello { version: VERSION }).await;
        assert!(matches!(
            again.served.await.unwrap(),
            Err(Refused::Unexpected(_))
        ));

        let mut twice = site.login().await;
        let id = twice.start("PLAIN", &facts(), None).await;
        let (mech, initial) = ("PLAIN".to_owned(), None);
        twice
            .tell(&Request::Start {
                id,
                mech,
                facts: facts(),
                cookie: COOKIE,
                initial,
            })
            .await;
        assert!(matches!(
            twice.served.await.unwrap(),
            Err(Refused::Unexpected(_))
        ));

        let garbage = site.login().await;
        garbage
            .channel
            .send(&vec![0xff_u8; 500], &[])
            .await
            .unwrap();
        assert!(matches!(
            garbage.served.await.unwrap(),
            Err(Refused::Ipc(ipc::Error::Malformed { .. }))
        ));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_exchange_is_forgotten() {
    local(async {
        let site = Site::new();
        let mut login = site.login().await;
        let id = login.start("LOGIN", &facts(), None).await;
        login.hear(id).await;
        login.tell(&Request::Cancel { id }).await;
        login
            .tell(&Request::Continue {
                id,
                response: Secret::new(b"alice".to_vec()),
            })
            .await;
        assert_eq!(failure(&login.hear(id).await), Failure::Malformed);
    })
    .await;
}

#[tokio::test]
async fn a_flood_is_bounded_and_freed_at_disconnect() {
    local(async {
        let site = Site::new();
        let mut flood = site.login().await;
        let mut honest = site.login().await;
        for _ in 0..MAX_EXCHANGES {
            let id = flood.start("PLAIN", &facts(), None).await;
            assert!(matches!(flood.hear(id).await, Reply::Challenge { .. }));
        }
        let id = flood.start("PLAIN", &facts(), None).await;
        assert_eq!(failure(&flood.hear(id).await), Failure::Busy);
        assert!(matches!(
            honest.plain("alice", "alicepw").await,
            Reply::Success { .. }
        ));
        drop(flood.channel);
        assert!(flood.served.await.unwrap().is_err());
        assert_eq!(Rc::strong_count(&site.shared), 2, "site and honest");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_ends_with_its_connection() {
    local(async {
        let site = Site::new();
        let mut login = site.login().await;
        for _ in 0..100 {
            login
                .start("PLAIN", &facts(), Some(b"\0alice\0wrong"))
                .await;
        }
        let id = login
            .start("PLAIN", &facts(), Some(b"\0alice\0alicepw"))
            .await;
        login.hear(id).await;
        assert_eq!(site.shared.running.get(), 100);
        drop(login.channel);
        assert!(login.served.await.unwrap().is_err());
        tokio::task::yield_now().await;
        assert_eq!(site.shared.running.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_challenge_is_not_remembered_for_ever() {
    local(async {
        let site = Site::new();
        let mut login = site.login().await;
        let id = login.start("LOGIN", &facts(), None).await;
        login.hear(id).await;
        tokio::time::advance(Duration::from_secs(301)).await;
        // A message of its own, so that the sweep has run when the answer comes.
        login.plain("alice", "alicepw").await;
        login
            .tell(&Request::Continue {
                id,
                response: Secret::new(b"alice".to_vec()),
            })
            .await;
        assert_eq!(failure(&login.hear(id).await), Failure::Malformed);
    })
    .await;
}

#[tokio::test]
async fn settings_that_admit_nobody_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let live = |config: &str| Live::new(&settings(config, dir.path()), Callers::new(|_| None));
    assert!(live("").is_err());
    assert!(
        live("auth_mechanisms = gssapi\npassdb {\n  driver = static\n  args = password=x\n}\n")
            .is_err()
    );
    assert!(live("passdb {\n  driver = nope\n}\n").is_err());
    assert!(live("passdb {\n  driver = static\n  args = password=x\n}\n").is_ok());
}
