//! Slow hashes delay nobody else.

use super::*;

/// About a tenth of a second of SHA-512 each.
const ROUNDS: u32 = 100_000;
/// How many are in flight.
const SLOW: usize = 50;

#[tokio::test]
async fn fifty_slow_hashes_delay_no_other_request() {
    local(async {
        let slow = auth_db::password::generate("SHA512-CRYPT", b"slowpw", "slow", ROUNDS).unwrap();
        let site = Site::with("", &format!("slow:{slow}:1009:1009::/home/slow\n"));
        let (mut login, manager) = (site.login().await, site.caller(Door::AuthMaster).await);
        let lmtp = site.caller(Door::AuthUserdb).await;
        let token = login.token("alice", "alicepw").await;

        let mut ids = Vec::new();
        for _ in 0..SLOW {
            ids.push(login.start("PLAIN", &facts(), Some(b"\0slow\0slowpw")).await);
        }
        // A token, a lookup and two logins go ahead of nearly all of them.
        assert!(manager.redeem(&token).await.is_ok());
        assert!(lmtp.lookup("bob").await.is_ok());
        login.token("bob", "bobpw").await;
        let mut other = site.login().await;
        other.token("alice", "alicepw").await;
        assert!(login.others() <= SLOW / 5, "{} slow logins were answered first", login.others());

        // And every one of them is answered.
        for id in ids {
            assert!(matches!(login.hear(id).await, Reply::Success { user, .. } if user.as_str() == "slow"));
        }
    })
    .await;
}
