//! Master users.

use super::*;

const USERS: &str =
    "alice:alicepw:1001:1001::/home/alice\nbob:bobpw\ndave:davepw::::::allow_nets=10.0.0.0/8\n";
const MASTERS: &str = "admin:{PLAIN}adminpw\neve:{PLAIN}masterpw\n";

fn site(pass: &str) -> Site {
    let config = format!(
        "auth_verbose = yes\nauth_master_user_separator = *\n\
         passdb {{\n  driver = passwd-file\n  args = DIR/denied\n  deny = yes\n}}\n\
         passdb {{\n  driver = passwd-file\n  args = DIR/masters\n  master = yes\n  {pass}\n}}\n\
         passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN DIR/users\n}}\n\
         userdb {{\n  driver = passwd-file\n  args = DIR/users\n}}\n"
    );
    let users = format!("{USERS}admin:own\neve:evepw\n");
    Site::new(
        &config,
        &[
            ("users", &users),
            ("masters", MASTERS),
            ("denied", "mallory\n"),
        ],
    )
}

#[test]
fn a_master_user_logs_in_as_others() {
    let site = site("");
    let accepted = site.login("alice*admin", "adminpw").unwrap();
    assert_eq!(accepted.names.user, "alice");
    assert_eq!(accepted.names.master.as_deref(), Some("admin"));
    assert_eq!(
        site.here.notes(),
        ["passdb(admin,master): Master user logging in as alice"]
    );
    let record = now(site.db.user_of(&client(), &accepted, &site.here)).unwrap();
    assert_eq!((record.name.as_str(), record.uid), ("alice", Some(1001)));
    assert_eq!(
        record.fields,
        [("master_user".to_owned(), "admin".to_owned())]
    );
    // Without `pass` nobody asks whether the user is known to a passdb.
    assert_eq!(
        site.outcome("nobody*admin", "adminpw"),
        Ok("nobody".to_owned())
    );
}

#[test]
fn authzid_says_the_same() {
    let site = site("");
    let claim = |authzid, authcid| {
        let claim = Claim {
            authcid,
            authzid: Some(authzid),
            password: b"adminpw",
        };
        now(site.db.authenticate(&client(), claim, &site.here)).map(|accepted| accepted.names.user)
    };
    assert_eq!(claim("alice", "admin").unwrap(), "alice");
    assert!(claim("alice", "bob").is_err());
    assert!(claim("alice", "bob*admin").is_err());
    let own = Claim {
        authcid: "ALICE",
        authzid: Some("alice"),
        password: b"alicepw",
    };
    assert!(now(site.db.authenticate(&client(), own, &site.here)).is_ok());
}

#[test]
fn passwords_of_the_two_kinds_do_not_mix() {
    // CVE-2022-30550: two passdbs of one driver, one for masters.
    let site = site("");
    for (user, password) in [
        ("alice*eve", "evepw"),
        ("alice*bob", "bobpw"),
        ("*eve", "masterpw"),
        ("alice*", "alicepw"),
        ("eve", "masterpw"),
        ("admin", "adminpw"),
        ("alice*admin", "own"),
        ("alice*admin", "alicepw"),
        ("alice*admin*admin", "adminpw"),
        ("*", "x"),
    ] {
        assert!(site.login(user, password).is_err(), "{user} {password}");
    }
    assert!(site.login("alice*alice", "alicepw").is_ok());
    assert!(site.login("eve", "evepw").is_ok());
}

#[test]
fn with_pass_the_user_must_be_known() {
    let site = site("pass = yes");
    assert_eq!(
        site.outcome("alice*admin", "adminpw"),
        Ok("alice".to_owned())
    );
    assert_eq!(
        site.outcome("nobody*admin", "adminpw"),
        Err(Reason::LoginUser)
    );
    assert_eq!(
        site.outcome("dave*admin", "adminpw"),
        Err(Reason::LoginUser)
    );
    assert_eq!(
        site.outcome("mallory*admin", "adminpw"),
        Err(Reason::Disabled)
    );
    assert_eq!(site.outcome("alice*admin", "no"), Err(Reason::Credentials));
}

#[test]
fn without_separator_or_masters_a_star_is_a_letter() {
    let config = "auth_verbose = yes\npassdb {\n  driver = passwd-file\n  args = scheme=PLAIN DIR/users\n}\n";
    let site = Site::new(config, &[("users", USERS)]);
    assert!(site.login("alice*bob", "bobpw").is_err());
    let claim = Claim {
        authcid: "bob",
        authzid: Some("alice"),
        password: b"bobpw",
    };
    assert!(now(site.db.authenticate(&client(), claim, &site.here)).is_err());
    assert_eq!(
        site.here.notes().last().unwrap(),
        "plain(?): Master user login attempted without master passdbs"
    );
}
