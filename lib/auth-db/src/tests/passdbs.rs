//! Several passdbs, their rules, and what passwd-file, static, passwd and PAM answer.

use super::*;

const USERS: &str = "\
# a comment
alice:{PLAIN}alicepw:1001:1001::/home/alice::userdb_mail=maildir:~/M allow_nets=127.0.0.0/8 foo=bar
bob:{SSHA}tls2KglJzjbESsequT8gFn/+GTbA61xr:1002:1002::/home/bob::nologin=y reason=go-away
carol:{NOPE}x:1003:1003::/home/carol
dave:{PLAIN}davepw:1004:1004::/home/dave::allow_nets=10.0.0.0/8
erin::1005:1005::/home/erin::nopassword=y
frank:{PLAIN}x:1005:1005::/home/erin::nopassword=y
gina:{SHA}zzz:1005:1005::/home/erin
hans::1006:1006::/home/hans
ivan:{PLAIN}ivanpw:1006:1006::/home/ivan::user=ivan@example.org
judy:{PLAIN}judypw:root:nosuchgroup::/home/judy
kate:{PLAIN}katepw:1006:1006::/home/kate::nodelay proxy=y
leo:{PLAIN}leopw:0:0::/home/leo
mia:secret[34]
alice:{PLAIN}other:1:1::/
lee:{SHA512-CRYPT}$6$rounds=1000$7ax9MkHQpOcBfgR2$wUsnu4uwlDXONLdPSRVTr5yQdqeny6ypJpAu0tGBy945/1jT85s5y719H0IF36vokJJLVpaHUbvelvBoFDv2q/:1:1::/
nora:{PLAIN}norapw:1007:1007::/home/nora::nodelay
";

const ONE: &str = "auth_verbose = yes\npassdb {\n  driver = passwd-file\n  args = scheme=PLAIN username_format=%n DIR/users\n}\n";

fn one() -> Site {
    Site::new(ONE, &[("users", USERS)])
}

#[test]
fn passwd_file_answers_as_dovecot() {
    let site = one();
    type Case = (
        &'static str,
        &'static str,
        Result<&'static str, Reason>,
        &'static [&'static str],
    );
    let cases: &[Case] = &[
        ("alice", "alicepw", Ok("alice"), &[]),
        ("ALICE@example.org", "alicepw", Ok("alice@example.org"), &[]),
        (
            "alice",
            "no",
            Err(Reason::Credentials),
            &["passwd-file(alice): Password mismatch"],
        ),
        (
            "bob",
            "x",
            Err(Reason::Credentials),
            &["passwd-file(bob): Password mismatch"],
        ),
        ("bob", "secret", Err(Reason::Disabled), &[]),
        (
            "carol",
            "x",
            Err(Reason::Credentials),
            &["Error: passwd-file(carol): Unknown scheme NOPE"],
        ),
        (
            "dave",
            "davepw",
            Err(Reason::Credentials),
            &["passwd-file(dave): allow_nets check failed: IP 127.0.0.1 not in allowed networks"],
        ),
        ("erin", "any", Ok("erin"), &[]),
        (
            "frank",
            "x",
            Err(Reason::Credentials),
            &[
                "Error: passwd-file(frank): nopassword set but password is non-empty",
                "passwd-file(frank): Password mismatch",
            ],
        ),
        (
            "gina",
            "x",
            Err(Reason::Credentials),
            &[
                "Error: passwd-file(gina): Password data is not valid for scheme SHA: Input isn't valid base64 encoded data",
            ],
        ),
        (
            "hans",
            "x",
            Err(Reason::Credentials),
            &["passwd-file(hans): Password mismatch"],
        ),
        ("ivan", "ivanpw", Ok("ivan@example.org"), &[]),
        (
            "nobody",
            "x",
            Err(Reason::Credentials),
            &["passwd-file(nobody): unknown user"],
        ),
        ("lee", "x", Ok("lee"), &[]),
        (
            "kate",
            "katepw",
            Err(Reason::Unavailable),
            &["Error: passdb(kate): passdb says proxy, but this service does not proxy"],
        ),
        (
            "a%b",
            "x",
            Err(Reason::Credentials),
            &[
                "plain(?): Username character disallowed by auth_username_chars: 0x25 (username: a%b)",
            ],
        ),
        (
            "",
            "x",
            Err(Reason::Credentials),
            &["plain(?): Empty username"],
        ),
        (
            "..@example.org",
            "x",
            Err(Reason::Credentials),
            &["plain(?): Username would climb in a path (username: ..@example.org)"],
        ),
    ];
    now(site.db.preload(&site.here));
    site.here.notes();
    for (user, password, outcome, notes) in cases {
        assert_eq!(
            site.outcome(user, password),
            outcome.map(str::to_owned),
            "{user} {password}"
        );
        assert_eq!(site.here.notes(), *notes, "{user} {password}");
    }
}

#[test]
fn mistakes_in_a_file_are_told_and_harm_no_other_line() {
    let site = one();
    now(site.db.preload(&site.here));
    let path = site.dir.path().join("users");
    let told: Vec<String> = [
        "User judy has invalid UID 'root'",
        "User leo has invalid UID '0'",
        "User alice exists more than once",
    ]
    .map(|text| format!("Error: passwd-file(): {}: {text}", path.display()))
    .into();
    assert_eq!(site.here.notes(), told);
    assert_eq!(site.outcome("alice", "alicepw"), Ok("alice".to_owned()));
    assert_eq!(site.outcome("alice", "other"), Err(Reason::Credentials));
}

#[test]
fn slow_hashes_leave_the_loop_and_cheap_ones_do_not() {
    let site = one();
    now(site.db.preload(&site.here));
    site.here.work.take();
    assert!(site.login("alice", "alicepw").is_ok());
    assert_eq!(site.here.work.take(), []);
    assert!(site.login("lee", "x").is_ok());
    assert_eq!(site.here.work.take(), [Weight::Hash]);
}

#[test]
fn fields_come_along_and_passwords_do_not() {
    let site = one();
    let accepted = site.login("alice", "alicepw").unwrap();
    assert_eq!(accepted.fields.iter().collect::<Vec<_>>(), [("foo", "bar")]);
    assert_eq!(
        accepted.userdb.iter().collect::<Vec<_>>(),
        [("mail", "maildir:~/M")]
    );
}

#[test]
fn nodelay_counts_for_failures_too() {
    let site = one();
    assert!(site.login("nora", "wrong").unwrap_err().nodelay);
    assert!(!site.login("alice", "wrong").unwrap_err().nodelay);
}

#[test]
fn a_changed_file_is_read_again() {
    let site = one();
    assert_eq!(site.outcome("zoe", "zoepw"), Err(Reason::Credentials));
    std::fs::write(site.dir.path().join("users"), "zoe:zoepw\n").unwrap();
    assert_eq!(site.outcome("zoe", "zoepw"), Ok("zoe".to_owned()));
    assert_eq!(site.outcome("alice", "alicepw"), Err(Reason::Credentials));
    std::fs::remove_file(site.dir.path().join("users")).unwrap();
    assert_eq!(site.outcome("zoe", "zoepw"), Err(Reason::Unavailable));
}

const DENY: &str = "auth_verbose = yes\nauth_verbose_passwords = plain:2\n\
passdb {\n  driver = passwd-file\n  args = DIR/denied\n  deny = yes\n}\n\
passdb {\n  driver = passwd-file\n  args = username_format=%n DIR/users\n}\n\
passdb {\n  driver = static\n  args = user=%n@fallback password=static foo=%d\n  default_fields = a=1 foo=2\n  override_fields = b=%u\n}\n";

#[test]
fn several_passdbs_are_asked_in_order() {
    let site = Site::new(DENY, &[("users", USERS), ("denied", "eve\n")]);
    now(site.db.preload(&site.here));
    site.here.notes();
    let fields = |user| {
        let accepted = site.login(user, "static").unwrap();
        let fields: Vec<String> = accepted
            .fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} {}", accepted.names.user, fields.join(" "))
    };
    assert_eq!(fields("alice"), "alice@fallback a=1 foo= b=alice@fallback");
    assert_eq!(
        site.here.notes(),
        [
            "passwd-file(alice): unknown user (given password: st) - trying the next passdb",
            "passwd-file(alice): Password mismatch (given password: st) - trying the next passdb",
        ]
    );
    assert_eq!(
        fields("nobody@x"),
        "nobody@fallback a=1 foo=x b=nobody@fallback"
    );
    assert_eq!(fields("dave"), "dave@fallback a=1 foo= b=dave@fallback");
    site.here.notes();
    assert_eq!(site.outcome("eve", "static"), Err(Reason::Disabled));
    assert_eq!(
        site.here.notes(),
        ["passwd-file(eve): User found from deny passdb"]
    );
    assert_eq!(site.outcome("alice", "no"), Err(Reason::Credentials));
    let notes = site.here.notes();
    assert_eq!(
        notes.last().unwrap(),
        "static(alice@fallback): Password mismatch (given password: no)"
    );
}

#[test]
fn a_deny_passdb_out_of_order_admits_nobody() {
    let site = Site::new(DENY, &[("users", USERS)]);
    assert_eq!(site.outcome("alice", "alicepw"), Err(Reason::Unavailable));
}

#[test]
fn results_follow_their_rules() {
    let two = |rules: &str| {
        let config = format!(
            "passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN DIR/first\n{rules}\n}}\n\
             passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN DIR/second\n}}\n"
        );
        Site::new(
            &config,
            &[("first", "alice:one\nbob:one\n"), ("second", "alice:two\n")],
        )
    };
    let outcome = |rules: &str, user, password| two(rules).outcome(user, password).is_ok();
    for (rules, user, password, ok) in [
        ("", "alice", "one", true),
        ("", "alice", "two", true),
        ("result_failure = return-fail", "alice", "two", false),
        ("result_success = continue", "alice", "one", false),
        ("result_success = continue-ok", "alice", "one", true),
        ("result_success = continue-ok", "bob", "one", true),
        ("result_success = return-fail", "alice", "one", false),
        ("result_failure = continue-ok", "nobody", "x", true),
        ("pass = yes", "bob", "one", false),
        ("mechanisms = login", "bob", "one", false),
        ("mechanisms = plain", "bob", "one", true),
        ("username_filter = *@example.org", "bob", "one", false),
        ("username_filter = b?b", "bob", "one", true),
        ("username_filter = !bob", "bob", "one", false),
        ("username_filter = * !bo*", "bob", "one", false),
    ] {
        assert_eq!(
            outcome(rules, user, password),
            ok,
            "{rules} {user} {password}"
        );
    }
}

#[test]
fn what_a_failing_passdb_said_does_not_count() {
    let site = Site::new(
        "passdb {\n  driver = static\n  args = user=root nologin=y password=never\n}\npassdb {\n  driver = static\n  args = password=right\n}\n",
        &[],
    );
    let accepted = site.login("alice", "right").unwrap();
    assert_eq!(accepted.names.user, "alice");
    assert!(accepted.fields.is_empty());
}

#[test]
fn a_database_cannot_make_a_hostile_name() {
    for user in ["../x", "a/../b", "..@x", ""] {
        let site = Site::new(
            &format!("passdb {{\n  driver = static\n  args = user={user} password=x\n}}\n"),
            &[],
        );
        assert_eq!(
            site.outcome("alice", "x"),
            Err(Reason::Credentials),
            "{user}"
        );
    }
}

#[test]
fn networks_of_default_fields_count() {
    let with = |fields: &str| {
        let config = format!("passdb {{\n  driver = static\n  args = password=x\n  {fields}\n}}\n");
        Site::new(&config, &[]).outcome("alice", "x").is_ok()
    };
    assert!(!with("default_fields = allow_nets=10.0.0.0/8"));
    assert!(!with("override_fields = allow_nets=10.0.0.0/8"));
    assert!(!with("override_fields = allow_nets=nonsense"));
    assert!(with("override_fields = allow_nets=10.0.0.0/8,127.0.0.1"));
    assert!(!with("override_fields = allow_nets=local"));
}

const PAM: &str = "auth_verbose = yes\npassdb {\n  driver = pam\n  args = session=yes cache_key=%u%s mail-%s\n}\n";

fn refused(reason: PamRefusal) -> Option<PamVerdict> {
    let text = "pam_authenticate() failed: Authentication failure".to_owned();
    Some(PamVerdict::Refused { reason, text })
}

#[test]
fn pam_decides() {
    let mut site = Site::new(PAM, &[]);
    site.here.pam = refused(PamRefusal::Mismatch);
    assert_eq!(site.outcome("demo", "no"), Err(Reason::Credentials));
    assert_eq!(
        site.here.notes(),
        ["pam(demo): pam_authenticate() failed: Authentication failure (Password mismatch?)"]
    );
    site.here.pam = refused(PamRefusal::UnknownUser);
    assert_eq!(site.outcome("xxx", "no"), Err(Reason::Credentials));
    assert_eq!(site.here.notes(), ["pam(xxx): unknown user"]);
    site.here.pam = refused(PamRefusal::Disabled);
    assert_eq!(site.outcome("demo", "demo"), Err(Reason::Disabled));
    site.here.pam = refused(PamRefusal::PasswordExpired);
    assert_eq!(site.outcome("demo", "demo"), Err(Reason::Expired));
    site.here.pam = Some(PamVerdict::Failed("auth-worker is gone".to_owned()));
    assert_eq!(site.outcome("demo", "demo"), Err(Reason::Unavailable));
    site.here.pam = Some(PamVerdict::Accepted {
        user: "demo".to_owned(),
    });
    assert_eq!(site.outcome("demo", "demo"), Ok("demo".to_owned()));

    let questions = site.here.pam_questions.take();
    let question = questions.last().unwrap();
    assert_eq!(
        (
            question.service.as_str(),
            question.session,
            question.setcred
        ),
        ("mail-imap", true, false)
    );
    assert_eq!(question.remote, Some("127.0.0.1".parse().unwrap()));
}

#[test]
fn a_cached_success_is_for_the_same_password_user_and_service() {
    let mut site = Site::new(&format!("auth_cache_size = 1M\n{PAM}"), &[]);
    site.here.pam = Some(PamVerdict::Accepted {
        user: "alice".to_owned(),
    });
    assert!(site.login("alice", "alicepw").is_ok());
    // From here on PAM refuses everybody: who gets in comes from the cache.
    site.here.pam = refused(PamRefusal::Mismatch);
    assert!(site.login("alice", "alicepw").is_ok());
    assert!(site.login("bob", "alicepw").is_err());
    assert!(site.login("alice", "other").is_err());
    let pop3 = Client {
        service: "pop3".to_owned(),
        ..client()
    };
    assert!(site.login_from(&pop3, "alice", "alicepw").is_err());
    let elsewhere = Client {
        local: Some("127.0.0.9:143".parse().unwrap()),
        ..client()
    };
    assert!(site.login_from(&elsewhere, "alice", "alicepw").is_err());
}

#[test]
fn without_a_cache_key_pam_is_asked_every_time() {
    let mut site = Site::new("auth_cache_size = 1M\npassdb {\n  driver = pam\n}\n", &[]);
    site.here.pam = Some(PamVerdict::Accepted {
        user: "alice".to_owned(),
    });
    assert!(site.login("alice", "alicepw").is_ok());
    assert!(site.login("alice", "alicepw").is_ok());
    assert_eq!(site.here.pam_questions.borrow().len(), 2);
    assert_eq!(site.here.pam_questions.borrow()[0].service, "culver");
}

#[test]
fn a_user_name_never_chooses_a_pam_file() {
    let mut site = Site::new(
        "auth_username_chars =\npassdb {\n  driver = pam\n  args = %n\n}\n",
        &[],
    );
    site.here.pam = Some(PamVerdict::Accepted {
        user: "x".to_owned(),
    });
    assert_eq!(site.outcome("sub/login", "x"), Err(Reason::Unavailable));
}

#[test]
fn system_users_have_no_password_in_passwd() {
    let site = Site::new("passdb {\n  driver = passwd\n}\n", &[]);
    assert_eq!(site.outcome("root", "x"), Err(Reason::Credentials));
    assert_eq!(site.outcome("no-such-user", "x"), Err(Reason::Credentials));
}

#[test]
fn hostile_names_are_data() {
    let site = Site::new(
        "auth_username_chars =\npassdb {\n  driver = passwd-file\n  args = scheme=PLAIN DIR/%d/users\n}\n",
        &[],
    );
    for user in [
        "%99999999u%{env:PATH}%{sha1:%u}",
        "%1000000Lu@%d",
        "x' OR '1'='1",
        "*)(uid=*))(|(uid=*",
        "eve\tsuccess\nmaster=admin",
        "a@../../../etc",
        "\u{1b}]0;x\u{7}",
        "é@ü",
        &"x".repeat(300),
    ] {
        assert_eq!(site.outcome(user, "x"), Err(Reason::Credentials), "{user}");
    }
}

#[test]
fn mistakes_in_settings_are_told_all_at_once() {
    let config = "auth_username_format = %q\npassdb {\n  driver = nope\n}\npassdb {\n  driver = passwd-file\n  args = relative\n}\n\
                  passdb {\n  driver = static\n  args = x=%{path}\n  pass = yes\n}\n";
    let problems = AuthDb::new(&settings(config)).unwrap_err();
    assert_eq!(problems.len(), 5, "{problems:?}");
}
