//! Userdbs, one and several.

use super::*;

const USERS: &str = "\
alice:x:1001:1001::/home/alice::userdb_mail=maildir:~/%n userdb_quota_rule=*:storage=1G foo=bar
hans:x:::gecos:/home/hans:
mia:x
ned:x:1001:1001::/home/ned::userdb_uid=no-such-user
old:x:1001:1001::/home/old:/bin/sh::mbox:/var/mail/old
sys:x:1001:daemon::/home/sys::userdb_tempfail
eddy:x:1001:1001::/home/eddy/./mail::userdb_chroot=/srv
";

fn site(more: &str) -> Site {
    let config = format!(
        "auth_verbose = yes\npassdb {{\n  driver = passwd-file\n  args = DIR/users\n}}\n\
         userdb {{\n  driver = passwd-file\n  args = username_format=%n DIR/users\n}}\n{more}"
    );
    Site::new(&config, &[("users", USERS)])
}

#[test]
fn passwd_file_knows_users() {
    let site = site("");
    let alice = site.user("Alice@example.org").unwrap();
    assert_eq!(
        alice,
        UserRecord {
            name: "alice@example.org".to_owned(),
            uid: Some(1001),
            gid: Some(1001),
            home: Some("/home/alice".to_owned()),
            mail: Some("maildir:~/alice".to_owned()),
            fields: vec![("quota_rule".to_owned(), "*:storage=1G".to_owned())],
            ..UserRecord::default()
        }
    );
    let hans = site.user("hans").unwrap();
    assert_eq!(
        (hans.uid, hans.gid, hans.home.as_deref()),
        (None, None, Some("/home/hans"))
    );
    assert_eq!(
        site.user("old").unwrap().mail.as_deref(),
        Some("mbox:/var/mail/old")
    );
    assert_eq!(site.user("eddy").unwrap().chroot.as_deref(), Some("/srv"));
    site.here.notes();

    assert_eq!(site.user("mia"), Err(NoUser::Unknown));
    assert_eq!(site.user("nobody"), Err(NoUser::Unknown));
    assert_eq!(
        site.here.notes(),
        [
            "passwd-file(mia): unknown user",
            "passwd-file(nobody): unknown user"
        ]
    );
    assert_eq!(site.user("ned"), Err(NoUser::Unavailable));
    assert_eq!(
        site.here.notes(),
        ["Error: userdb(ned): Invalid UID value 'no-such-user'"]
    );
    assert_eq!(site.user("sys"), Err(NoUser::Unavailable));
    assert_eq!(site.user("a%b"), Err(NoUser::Unknown));
    assert_eq!(site.user("alice*admin"), Err(NoUser::Unknown));
}

#[test]
fn users_are_listed() {
    let site = site("");
    assert_eq!(
        now(site.db.users(&site.here)).unwrap(),
        ["alice", "eddy", "hans", "mia", "ned", "old", "sys"]
    );
}

#[test]
fn a_missing_file_is_not_a_missing_user() {
    let site = site("");
    std::fs::remove_file(site.dir.path().join("users")).unwrap();
    assert_eq!(site.user("alice"), Err(NoUser::Unavailable));
}

#[test]
fn static_users_exist_if_a_passdb_says_so() {
    let fixed = "userdb {\n  driver = static\n  args = uid=500 gid=501 home=/h/%d/%n mail=maildir:%h/M x=%{passdb:foo}\n";
    let config = |more: &str| {
        format!("passdb {{\n  driver = passwd-file\n  args = DIR/users\n}}\n{fixed}  {more}\n}}\n")
            .replace("args = uid", &format!("args = {more} uid"))
            .replace(&format!("  {more}\n}}"), "}")
    };
    let site = Site::new(&config("y=1"), &[("users", USERS)]);
    let alice = site.user("alice").unwrap();
    assert_eq!(
        (alice.uid, alice.gid, alice.home.as_deref()),
        (Some(500), Some(501), Some("/h//alice"))
    );
    assert_eq!(site.user("nobody@x"), Err(NoUser::Unknown));

    let site = Site::new(&config("allow_all_users=yes"), &[("users", USERS)]);
    assert_eq!(
        site.user("nobody@x").unwrap().home.as_deref(),
        Some("/h/x/nobody")
    );

    let mut site = Site::new(&format!("passdb {{\n  driver = pam\n}}\n{fixed}}}\n"), &[]);
    assert_eq!(site.user("alice"), Err(NoUser::Unavailable));
    site.here.pam = Some(PamVerdict::Accepted {
        user: "alice".to_owned(),
    });
    let accepted = site.login("alice", "x").unwrap();
    let record = now(site.db.user_of(&client(), &accepted, &site.here)).unwrap();
    assert_eq!(record.uid, Some(500));
}

#[test]
fn prefetched_fields_are_enough() {
    let config = "passdb {\n  driver = static\n  args = password=x userdb_uid=7 userdb_gid=8 userdb_home=/pre/%u userdb_quota_rule=*:bytes=1\n}\n\
                  userdb {\n  driver = prefetch\n}\nuserdb {\n  driver = static\n  args = uid=9 gid=9 home=/static allow_all_users=yes\n}\n";
    let site = Site::new(config, &[]);
    let accepted = site.login("alice", "x").unwrap();
    let record = now(site.db.user_of(&client(), &accepted, &site.here)).unwrap();
    assert_eq!(
        (record.uid, record.home.as_deref()),
        (Some(7), Some("/pre/alice"))
    );
    assert_eq!(
        record.fields,
        [("quota_rule".to_owned(), "*:bytes=1".to_owned())]
    );
    // Nobody has logged in: the next userdb answers.
    assert_eq!(site.user("alice").unwrap().uid, Some(9));
}

#[test]
fn defaults_and_overrides_frame_what_is_found() {
    let config = "userdb {\n  driver = static\n  args = allow_all_users=yes home=/found uid=1 gid=1\n\
                  default_fields = home=/default quota_rule=d\n  override_fields = mail=maildir:%h/M gid=2\n}\n";
    let record = Site::new(config, &[]).user("alice").unwrap();
    assert_eq!(record.home.as_deref(), Some("/found"));
    assert_eq!(record.mail.as_deref(), Some("maildir:/found/M"));
    assert_eq!(record.gid, Some(2));
    assert_eq!(record.fields, [("quota_rule".to_owned(), "d".to_owned())]);
}

#[test]
fn system_users_bring_their_groups() {
    let site = Site::new(
        "userdb {\n  driver = passwd\n  override_fields = home=/o/%u\n}\n",
        &[],
    );
    let daemon = site.user("daemon").unwrap();
    assert_eq!(
        (daemon.uid, daemon.home.as_deref()),
        (Some(1), Some("/o/daemon"))
    );
    assert!(daemon.groups.contains(&1));
    assert_eq!(daemon.fields, []);
    assert_eq!(site.user("no-such-user"), Err(NoUser::Unknown));
    assert!(
        now(site.db.users(&site.here))
            .unwrap()
            .contains(&"daemon".to_owned())
    );
}

#[test]
fn several_userdbs_follow_their_rules() {
    let site = site(
        "userdb {\n  driver = static\n  args = allow_all_users=yes uid=5 gid=5 home=/five\n  skip = found\n}\n",
    );
    assert_eq!(site.user("alice").unwrap().uid, Some(1001));
    assert_eq!(site.user("nobody").unwrap().uid, Some(5));
    let merged = "userdb {\n  driver = static\n  args = allow_all_users=yes uid=1 gid=1 home=/one x=1\n  result_success = continue-ok\n}\n\
                  userdb {\n  driver = static\n  args = allow_all_users=yes uid=2\n}\n";
    let record = Site::new(merged, &[]).user("alice").unwrap();
    assert_eq!(
        (record.uid, record.gid, record.home.as_deref()),
        (Some(2), Some(1), Some("/one"))
    );
}
