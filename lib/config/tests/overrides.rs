//! Userdb fields over settings, as Dovecot 2.3 lays them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use config::{Error, Facts, NoNames, Overrides, Seconds, Snapshot};
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
struct Read {
    mail_max_userip_connections: u32,
    imap_idle_notify_interval: Seconds,
    mail_location: String,
    imap_logout_format: String,
    mail_plugins: Vec<String>,
    plugin: BTreeMap<String, String>,
    namespace: Vec<Namespace>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Namespace {
    name: String,
    prefix: String,
    mailbox: Vec<Mailbox>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Mailbox {
    name: String,
    auto: String,
}

const CONFIG: &str = "mail_location = maildir:~/Maildir\nmail_plugins = quota\n\
    plugin {\n  quota = maildir:User\n  quota_rule = *:storage=1G\n}\n\
    namespace inbox {\n  inbox = yes\n  prefix = INBOX/\n  mailbox Trash {\n    auto = no\n  }\n}\n";

fn snapshot() -> Snapshot {
    let config = config::parse_text(Path::new("culver.conf"), CONFIG);
    config.snapshot("imap", &NoNames).unwrap()
}

fn read(fields: &[(&str, &str)]) -> Result<Read, Error> {
    let snapshot = snapshot();
    let overrides = Overrides::new(&snapshot, fields.iter().copied())?;
    snapshot.settings_of_user(&Facts::of_protocol("imap"), &overrides)
}

#[test]
fn without_fields_nothing_changes() {
    let plain: Read = snapshot().settings(&Facts::of_protocol("imap")).unwrap();
    assert_eq!(read(&[]).unwrap(), plain);
}

#[test]
fn a_setting_of_the_user_counts_first() {
    let read = read(&[
        ("mail_max_userip_connections", "3"),
        ("imap_idle_notify_interval", "5 mins"),
        ("mail_location", "mbox:~/100%u"),
        ("imap_logout_format", "in=%i"),
        ("namespace/inbox/prefix", "Mail/"),
        ("namespace/inbox/mailbox/Trash/auto", "subscribe"),
    ])
    .unwrap();
    assert_eq!(read.mail_max_userip_connections, 3);
    assert_eq!(read.imap_idle_notify_interval, Seconds(300));
    // Its variables were put in by auth: what is left stands for itself.
    assert_eq!(read.mail_location, "mbox:~/100%%u");
    assert_eq!(read.imap_logout_format, "in=%i");
    let [inbox] = read.namespace.as_slice() else {
        panic!("{:?}", read.namespace)
    };
    assert_eq!(inbox.prefix, "Mail/");
    assert_eq!(inbox.mailbox[0].auto, "subscribe");
}

#[test]
fn what_is_no_setting_is_a_plugins() {
    let read = read(&[
        ("quota_rule", "*:storage=5M"),
        ("plugin/quota_rule2", "Trash:ignore"),
        // Not of this service, of no section, of a section that is not there.
        ("ssl", "no"),
        ("namespace/inbox/nonsense", "x"),
        ("nonsense", ""),
    ])
    .unwrap();
    let plugin = |name: &str| read.plugin.get(name).map(String::as_str);
    assert_eq!(plugin("quota"), Some("maildir:User"));
    assert_eq!(plugin("quota_rule"), Some("*:storage=5M"));
    assert_eq!(plugin("quota_rule2"), Some("Trash:ignore"));
    assert_eq!(plugin("namespace/inbox/nonsense"), Some("x"));
    assert_eq!(plugin("nonsense"), Some("yes"));
    assert_eq!(read.namespace.len(), 1);
}

#[test]
fn a_section_that_the_configuration_has_not_stays_away() {
    let read = read(&[
        ("namespace/other/prefix", "x/"),
        ("namespace/inbox/mailbox/Drafts/auto", "create"),
    ])
    .unwrap();
    assert_eq!(read.namespace.len(), 1);
    assert_eq!(read.namespace[0].mailbox.len(), 1);
}

#[test]
fn a_plus_puts_more_behind() {
    let read = read(&[
        ("mail_plugins+", " zlib"),
        ("mail_location+", ":INDEX=/i"),
        ("quota_rule+", ":messages=9"),
        ("mail_max_userip_connections+", "1"),
    ])
    .unwrap();
    assert_eq!(read.mail_max_userip_connections, 10);
    assert_eq!(read.mail_plugins, ["quota", "zlib"]);
    assert_eq!(read.mail_location, "maildir:~/Maildir:INDEX=/i");
    assert_eq!(
        read.plugin.get("quota_rule").unwrap(),
        "*:storage=1G:messages=9"
    );
}

#[test]
fn a_value_that_the_setting_does_not_take_is_an_error() {
    for (field, value, reason) in [
        (
            "mail_max_userip_connections",
            "many",
            "Invalid userdb input 'mail_max_userip_connections=many'",
        ),
        (
            "namespace/inbox/mailbox/Trash/auto",
            "perhaps",
            "Invalid value: perhaps",
        ),
        ("mail_access_groups", "staff", "staff is no number"),
    ] {
        let error = read(&[(field, value)]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn only_plugins_leave_the_rest_alone() {
    let snapshot = snapshot();
    let plugin = |name| {
        Overrides::new(&snapshot, [(name, "1")])
            .unwrap()
            .is_plugin_only()
    };
    assert!(plugin("quota_rule"));
    assert!(!plugin("mail_max_userip_connections"));
}
