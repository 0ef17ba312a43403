//! Known answers: made by `doveadm pw` of Debian's Dovecot 2.3.19.1, with the password `secret` of user@example.org.

use super::*;

const KNOWN: &[&str] = &[
    "{PLAIN}secret",
    "{CLEAR}secret",
    "{CLEARTEXT}secret",
    "{CRYPT}$2y$05$Gbi9dwN6M/jTLsmar4Q6cuhJ/2pi3bhCN7dDWWgjPDSbfXzgEj0AG",
    "{DES-CRYPT}KQchYlCSGm02o",
    "{MD5-CRYPT}$1$O20Wvo.u$4dWcXNKl4NNMAWRsdkLKn/",
    "{SHA256-CRYPT}$5$gtPftccG4hFiQOPu$6opLd2fMuOPe4f.CAy65JdgVeeOfAbEfEv/faXnUy69",
    "{SHA512-CRYPT}$6$QO2CTToU38FQipci$qym6OYKHSxoDJmgZaykGLhsiOdhkmcdzJKoSCTql4ZtV/SmzoCWcxDW/UBoa4L8L2yedo2SjSEfsvZdbh8zOA/",
    "{BLF-CRYPT}$2y$05$62FgNkJWknoDAdvSFykamucYIA1rDyjzd6Zk1xpy3RkzeA193CKle",
    "{MD5}$1$ncyYAEo0$8hXnZshN28mDz3qZaKkL//",
    "$1$ncyYAEo0$8hXnZshN28mDz3qZaKkL//$ignored",
    "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{SMD5}YY9hgMoDJBFhSEKbtdEOo2zjLsE=",
    "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{LDAP-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{PLAIN-MD5.B64}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{PLAIN-MD4}67d3dafef63ff00603aeef3769cfbf0d",
    "{PLAIN-TRUNC}3-sec",
    "{PLAIN-TRUNC}8-secret",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA1.HEX}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    "{SHA1.B64}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
    "{SSHA}tls2KglJzjbESsequT8gFn/+GTbA61xr",
    "{ssha.BASE64}tls2KglJzjbESsequT8gFn/+GTbA61xr",
    "{SSHA.HEX}93d5961e7f8492daab59349542597cca96b692ee2e010403",
    "{SSHA256}LU87hnzOedKl/XbuTycl+XDtrJ3rixxwf62ep+aiuYpajvN6",
    "{SSHA512}gV8ZYc7DLVMcgVpSCSWBBzcs4kCZnrEKA9Zxr0WgYWSXSbHaeX/OGAh2WQhaOH7gC0R6h3zrczy/aG1pD7vuF2fJMu8=",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$kwAnDQm55MID21DEGW46Eg$/CzGhKuxlAfsgiIbRu3Coz/dbw0v8WA1KuGUv0PwNnM",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$1hh0An6OQHMnWVJVSqYTQg$qe/ajPjo1LT6smdvk4OuBMqRVnxQ1ibnK4IQeC36Am0",
    "{ARGON2ID}$argon2i$v=19$m=32768,t=4,p=1$kwAnDQm55MID21DEGW46Eg$/CzGhKuxlAfsgiIbRu3Coz/dbw0v8WA1KuGUv0PwNnM",
    "{PBKDF2}$1$.4.RnhuhVRGe2B9i$5000$3e76cd9019b31897e80d9f82a235fab7eb8010e0",
    "{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
    "{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
    "{DIGEST-MD5}a9832fed4a7567b40e43443f9f30c272",
    "{SCRAM-SHA-1}4096,l8N6A/CmdCf/8zrhcnCOwA==,qdrg2jpK03xnNlQhpcyb/jRna7E=,85eLmI8Zj0pXXCBmmD11//dbAxY=",
    "{SCRAM-SHA-256}4096,u2F+yDHOm24lQsb8S2aE8w==,EdZZ1VxVImwA/kVdQ+HPfCTh2lRi3vUEKoV7GVeY6No=,sQKiTdetxZVCCyo2nxBgoAZSA10aDWeqZTiMVgdqJL0=",
    "{PLAIN.B64}c2VjcmV0",
    "{PLAIN.HEX}736563726574",
    "{CRYPT.HEX}243279243035244d786e5336475a4e71514755534159525555587961656537736a50674a594355664d456d3537727a55536b6468782f5a5572457069",
    "{DES-CRYPT}$2y$05$62FgNkJWknoDAdvSFykamucYIA1rDyjzd6Zk1xpy3RkzeA193CKle",
];

fn verify(stored: &str, password: &str) -> Result<bool, Error> {
    Stored::parse(stored, "PLAIN")?.verify(password.as_bytes(), "user@example.org")
}

#[test]
fn what_dovecot_made_is_verified() {
    for stored in KNOWN {
        assert_eq!(verify(stored, "secret"), Ok(true), "{stored}");
        assert_eq!(verify(stored, "Secret"), Ok(false), "{stored}");
        assert_ne!(
            verify(stored, "sec"),
            Ok(!stored.contains("-TRUNC}3")),
            "{stored}"
        );
    }
}

#[test]
fn yescrypt_of_debian_is_verified() {
    // From `mkpasswd -m yescrypt` of Debian 12.
    let fresh = sys::crypt::crypt(
        b"secret",
        sys::crypt::gensalt("$y$", 5, &[9; 16]).unwrap().as_bytes(),
    )
    .unwrap();
    assert!(fresh.starts_with("$y$j9T$"));
    assert_eq!(verify(&format!("{{CRYPT}}{fresh}"), "secret"), Ok(true));
    assert_eq!(verify(&format!("{{CRYPT}}{fresh}"), "wrong"), Ok(false));
}

#[test]
fn what_we_make_is_verified_and_looks_like_dovecots() {
    for name in names() {
        for suffix in ["", ".hex", ".b64"] {
            let scheme = format!("{name}{suffix}");
            let stored = generate(&scheme, b"secret", "user@example.org", 0).unwrap();
            assert!(
                stored.starts_with(&format!("{{{}}}", scheme.to_uppercase())),
                "{stored}"
            );
            if name != "PLAIN-TRUNC" {
                assert_eq!(verify(&stored, "secret"), Ok(true), "{stored}");
                assert_eq!(verify(&stored, "secreT"), Ok(false), "{stored}");
            }
        }
        // As long as Dovecot's own, so of the same form.
        let theirs = KNOWN
            .iter()
            .find(|known| known.starts_with(&format!("{{{name}}}")));
        let ours = generate(name, b"secret", "user@example.org", 0).unwrap();
        if name != "PLAIN-TRUNC" {
            assert_eq!(ours.len(), theirs.unwrap().len(), "{ours} {theirs:?}");
        }
    }
}

#[test]
fn rounds_are_kept_within_limits() {
    let generate = |scheme, rounds| generate(scheme, b"x", "x", rounds).unwrap();
    assert!(generate("SHA512-CRYPT", 2000).starts_with("{SHA512-CRYPT}$6$rounds=2000$"));
    assert!(generate("SHA512-CRYPT", 5).starts_with("{SHA512-CRYPT}$6$rounds=1000$"));
    assert!(generate("BLF-CRYPT", 3).starts_with("{BLF-CRYPT}$2y$04$"));
    assert!(generate("CRYPT", 7).starts_with("{CRYPT}$2y$07$"));
    assert!(generate("PBKDF2", 7000).contains("$7000$"));
    assert!(generate("ARGON2ID", 2).starts_with("{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$"));
    assert!(generate("ARGON2I", 5).starts_with("{ARGON2I}$argon2i$v=19$m=32768,t=5,p=1$"));
    assert!(generate("SCRAM-SHA-1", 1000).starts_with("{SCRAM-SHA-1}4096,"));
}

#[test]
fn locked_and_broken_entries_match_nothing() {
    for stored in [
        "{CRYPT}",
        "{CRYPT}!",
        "{CRYPT}*",
        "{CRYPT}x",
        "{ARGON2ID}garbage",
        "{PBKDF2}$1$$5000$3e76cd9019b31897e80d9f82a235fab7eb8010e0",
    ] {
        assert_eq!(verify(stored, "secret"), Ok(false), "{stored}");
        assert_eq!(verify(stored, ""), Ok(false), "{stored}");
    }
    for stored in [
        "{NOPE}x",
        "{SHA.foo}e5e9",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ",
        "{SSHA}AAAA",
        "{PBKDF2}garbage",
        "{PBKDF2}$1$x$0$3e76cd9019b31897e80d9f82a235fab7eb8010e0",
        "{SCRAM-SHA-1}garbage",
        "{CRAM-MD5}abcd",
        "{PLAIN-TRUNC}secret",
        "{PLAIN-TRUNC}-secret",
        "{MD5}zz",
        "{SCRAM-SHA-1}0,AAAA,AAAA,AAAA",
    ] {
        assert!(verify(stored, "secret").is_err(), "{stored}");
    }
}

#[test]
fn every_truncation_is_an_answer_not_a_panic() {
    for stored in KNOWN {
        // Hashes cut short are still hashes, and cost as much: a few of them do.
        let slow = Stored::parse(stored, "PLAIN").unwrap().cost() == Cost::Slow;
        let whole = if slow {
            stored.rfind(['$', ',']).map_or(stored.len(), |at| at + 3)
        } else {
            stored.len()
        };
        for len in 0..whole {
            let _ = verify(&stored[..len], "secret");
        }
    }
}

#[test]
fn the_default_scheme_counts_without_a_prefix() {
    let verify = |stored, default| {
        Stored::parse(stored, default)
            .unwrap()
            .verify(b"secret", "u")
    };
    assert_eq!(verify("secret", "PLAIN"), Ok(true));
    assert_eq!(verify("KQchYlCSGm02o", "CRYPT"), Ok(true));
    assert_eq!(verify("{PLAIN}secret", "CRYPT"), Ok(true));
    assert_eq!(
        verify("5ebe2294ecd0e0f08eab7690d2a6ee69", "plain-md5"),
        Ok(true)
    );
    assert!(Stored::parse("x", "NOPE").is_err());
}

#[test]
fn only_slow_hashes_are_called_slow() {
    let cost = |stored| Stored::parse(stored, "PLAIN").unwrap().cost();
    assert_eq!(cost("{SSHA}tls2KglJzjbESsequT8gFn/+GTbA61xr"), Cost::Cheap);
    assert_eq!(cost("{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69"), Cost::Cheap);
    assert_eq!(cost("{MD5}$1$ncyYAEo0$8hXnZshN28mDz3qZaKkL//"), Cost::Slow);
    assert_eq!(cost("{CRYPT}KQchYlCSGm02o"), Cost::Slow);
}

#[test]
fn nothing_secret_is_printed() {
    assert_eq!(
        format!("{:?}", Stored::parse("{PLAIN}secret", "PLAIN").unwrap()),
        "{PLAIN}…"
    );
}

#[test]
fn any_text_is_a_password_or_an_error() {
    bolero::check!().for_each(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        for name in names() {
            // Slow hashes may ask for hours: those are the database's choice, not a client's.
            if let Ok(stored) = Stored::parse(&format!("{{{name}}}{text}"), "PLAIN")
                && stored.cost() == Cost::Cheap
            {
                let _ = stored.verify(b"secret", "user");
            }
        }
    });
}
