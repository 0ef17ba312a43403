//! What a service gets out of its snapshot, and what it does not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use config::table::Status;
use config::{
    Config, Error, Facts, GroupId, Names, Networks, NoNames, Seconds, Secret, Size, Snapshot,
    UserId, table,
};
use serde::Deserialize;

fn parse(text: &str) -> Config {
    config::parse_text(Path::new("/etc/culver/culver.conf"), text)
}

fn snapshot(service: &str, text: &str) -> Snapshot {
    // Through its encoding, as a service gets it.
    let compiled = parse(text).snapshot(service, &Town).unwrap();
    Snapshot::from_bytes(&compiled.to_bytes().unwrap()).unwrap()
}

/// A host with some names.
struct Town;

impl Names for Town {
    fn user(&self, name: &str) -> Option<u32> {
        match name {
            "vmail" => Some(5000),
            "culver-auth" => Some(990),
            _ => None,
        }
    }

    fn group(&self, name: &str) -> Option<u32> {
        match name {
            "mail" => Some(8),
            "staff" => Some(50),
            _ => None,
        }
    }

    fn host(&self, name: &str) -> Vec<IpAddr> {
        if name == "mx" {
            vec!["192.0.2.7".parse().unwrap()]
        } else {
            Vec::new()
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Fsync {
    Optimized,
    Never,
    Always,
}

#[derive(Debug, Deserialize)]
struct Mail {
    mail_uid: Option<UserId>,
    mail_gid: Option<GroupId>,
    mail_access_groups: Vec<GroupId>,
    mail_privileged_group: Option<GroupId>,
    mail_fsync: Fsync,
    mail_location: String,
    mail_plugins: Vec<String>,
    first_valid_uid: u32,
    imap_max_line_length: Size,
    imap_idle_notify_interval: Seconds,
    mail_debug: bool,
    namespace: Vec<Namespace>,
    plugin: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Namespace {
    name: String,
    prefix: String,
    #[serde(rename = "type")]
    kind: String,
    mailbox: Vec<Mailbox>,
}

#[derive(Debug, Deserialize)]
struct Mailbox {
    name: String,
    special_use: Vec<String>,
    autoexpunge: Seconds,
}

const MAIL: &str = r#"
mail_uid = vmail
mail_gid = 8
mail_access_groups = mail,staff 77
mail_location = maildir:~/Maildir
mail_plugins = quota
imap_idle_notify_interval = 5 mins
namespace inbox {
  inbox = yes
  mailbox "Sent Messages" {
    special_use = \Sent
    autoexpunge = 1 w
  }
}
namespace inbox {
  mailbox Trash {
    special_use = \Trash
  }
}
protocol imap {
  mail_plugins = $mail_plugins imap_quota
  namespace inbox {
    mailbox Trash {
      special_use = \Trash \Junk
    }
  }
}
plugin {
  quota = maildir:User quota
}
protocol lmtp {
  mail_fsync = never
  plugin {
    sieve = ~/.dovecot.sieve
  }
}
"#;

#[test]
fn settings_become_a_struct() {
    let imap = snapshot("imap", MAIL);
    let mail: Mail = imap.settings(&Facts::of_protocol("imap")).unwrap();
    assert_eq!(
        (mail.mail_uid, mail.mail_gid),
        (Some(UserId(5000)), Some(GroupId(8)))
    );
    assert_eq!(mail.mail_access_groups, [8, 50, 77].map(GroupId));
    assert_eq!(mail.mail_privileged_group, None);
    assert_eq!(mail.mail_fsync, Fsync::Optimized);
    assert_eq!(mail.mail_location, "maildir:~/Maildir");
    assert_eq!(mail.mail_plugins, ["quota", "imap_quota"]);
    assert_eq!(mail.first_valid_uid, 500);
    assert_eq!(
        (mail.imap_max_line_length, mail.imap_idle_notify_interval),
        (Size(65536), Seconds(300))
    );
    assert!(!mail.mail_debug);
    assert_eq!(
        mail.plugin.into_iter().collect::<Vec<_>>(),
        [("quota".to_owned(), "maildir:User quota".to_owned())]
    );
    let [inbox] = mail.namespace.as_slice() else {
        panic!("{:?}", mail.namespace)
    };
    assert_eq!(
        (
            inbox.name.as_str(),
            inbox.prefix.as_str(),
            inbox.kind.as_str()
        ),
        ("inbox", "", "private")
    );
    let boxes: Vec<_> = inbox
        .mailbox
        .iter()
        .map(|one| {
            (
                one.name.as_str(),
                one.special_use.join(" "),
                one.autoexpunge.0,
            )
        })
        .collect();
    assert_eq!(
        boxes,
        [
            ("Sent Messages", "\\Sent".to_owned(), 604_800),
            ("Trash", "\\Trash \\Junk".to_owned(), 0)
        ]
    );
}

#[test]
fn each_protocol_has_its_own() {
    #[derive(Deserialize)]
    struct Delivery {
        mail_fsync: Fsync,
        mail_plugins: String,
        plugin: BTreeMap<String, String>,
    }
    let deliver: Delivery = snapshot("deliver", MAIL)
        .settings(&Facts::of_protocol("lmtp"))
        .unwrap();
    assert_eq!(
        (deliver.mail_fsync, deliver.mail_plugins.as_str()),
        (Fsync::Never, "quota")
    );
    assert_eq!(deliver.plugin.len(), 2);
}

#[test]
fn the_most_specific_filter_wins() {
    #[derive(Deserialize)]
    struct Login {
        login_greeting: String,
    }
    let text = "login_greeting = 0
        local mx {\n login_greeting = mx\n}
        remote 198.51.100.0/24 {\n login_greeting = net\n}
        remote 198.51.100.64/26 {\n login_greeting = smaller\n}
        remote 198.51.100.0/24 {\n login_trusted_networks = 198.51.100.1\n}
        local_name *.example.org {\n login_greeting = wild\n}
        local_name \"mail.example.org imap.example.org\" {\n login_greeting = name\n}
        protocol !pop3 {\n login_greeting = notpop\n}\n";
    let login = snapshot("imap-login", text);
    let greeting = |local: &str, remote: &str, name: Option<&str>| {
        let facts = Facts {
            protocol: "pop3",
            local_ip: Some(local.parse().unwrap()),
            remote_ip: Some(remote.parse().unwrap()),
            local_name: name,
        };
        login.settings::<Login>(&facts).unwrap().login_greeting
    };
    assert_eq!(greeting("127.0.0.1", "127.0.0.1", None), "0");
    assert_eq!(greeting("192.0.2.7", "198.51.100.1", None), "mx");
    assert_eq!(greeting("127.0.0.1", "198.51.100.1", None), "net");
    assert_eq!(
        greeting("127.0.0.1", "::ffff:198.51.100.77", None),
        "smaller"
    );
    assert_eq!(
        greeting("192.0.2.7", "198.51.100.77", Some("x.example.org")),
        "wild"
    );
    assert_eq!(
        greeting("192.0.2.7", "198.51.100.77", Some("IMAP.example.org")),
        "name"
    );
    assert_eq!(
        greeting("127.0.0.1", "127.0.0.1", Some("a.b.example.org")),
        "0"
    );
    let unknown: Login = login.settings(&Facts::of_protocol("imap")).unwrap();
    assert_eq!(unknown.login_greeting, "notpop");
    assert_ne!(
        login.matching(&Facts::of_protocol("imap")),
        login.matching(&Facts::of_protocol("pop3"))
    );
}

#[test]
fn among_equal_filters_the_first_wins() {
    #[derive(Deserialize)]
    struct Mail {
        mail_max_userip_connections: u32,
    }
    let block = |protocol: &str, number: u32| {
        format!("protocol {protocol} {{\n mail_max_userip_connections = {number}\n}}\n")
    };
    for (first, second) in [("imap", "!pop3"), ("!pop3", "imap"), ("!pop3", "!lmtp")] {
        let mail = snapshot("imap", &[block(first, 1), block(second, 2)].concat());
        let mail: Mail = mail.settings(&Facts::of_protocol("imap")).unwrap();
        assert_eq!(mail.mail_max_userip_connections, 1, "{first}, {second}");
    }
}

#[test]
fn a_struct_that_does_not_fit_is_our_bug() {
    fn reason<T: serde::de::DeserializeOwned>(service: &str) -> String {
        match snapshot(service, "").settings::<T>(&Facts::default()) {
            Err(Error::Settings { reason, .. }) => reason,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it fits"),
        }
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only filled")]
    struct Unknown {
        nonsense: String,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only filled")]
    struct Unit {
        auth_cache_ttl: u64,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only filled")]
    struct WrongUnit {
        auth_cache_ttl: Size,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only filled")]
    struct Key {
        ssl_key: Secret,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only filled")]
    struct PlainKey {
        ssl_key: String,
    }
    assert!(reason::<Unknown>("auth").contains("there is no setting nonsense"));
    assert!(reason::<Unit>("auth").contains("config::Seconds"));
    assert!(reason::<WrongUnit>("auth").contains("no Size"));
    assert!(reason::<Key>("imap").contains("doesn't let this service read ssl_key"));
    assert!(reason::<PlainKey>("imap-login").contains("config::Secret"));
}

#[test]
fn nobody_gets_a_secret_that_is_not_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, "KEY-OF-TLS").unwrap();
    let text = format!(
        "ssl_key = <{}\npassdb {{\n driver = pam\n args = ARGS-OF-PASSDB\n}}\n",
        key.display()
    );
    let config = parse(&text);
    assert!(config.problems().iter().next().is_none());
    for one in config.compile(&Town).unwrap() {
        let bytes = one.to_bytes().unwrap();
        let has = |needle: &str| {
            bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        };
        assert_eq!(
            has("KEY-OF-TLS"),
            one.service() == "imap-login",
            "{}",
            one.service()
        );
        assert_eq!(
            has("ARGS-OF-PASSDB"),
            one.service() == "auth",
            "{}",
            one.service()
        );
        assert!(
            !format!("{one:?}").contains("KEY-OF-TLS"),
            "{}",
            one.service()
        );
    }
}

#[test]
fn limits_fall_back_on_the_general_ones() {
    let text = "default_client_limit = 7\ndefault_idle_kill = 9 s\nservice auth {\n vsz_limit = 1G\n}\nservice imap {\n client_limit = 3\n}\n";
    let auth = snapshot("auth", text);
    assert_eq!(
        (auth.limits().client_limit, auth.limits().process_limit),
        (7, 1)
    );
    assert_eq!(
        (auth.limits().idle_kill, auth.limits().vsz_limit),
        (Some(9), Some(1 << 30))
    );
    let imap = snapshot("imap", text);
    assert_eq!(
        (
            imap.limits().client_limit,
            imap.limits().process_limit,
            imap.limits().service_count
        ),
        (3, 1024, 1)
    );
    assert_eq!(imap.limits().vsz_limit, Some(256 << 20));
    assert_eq!(snapshot("anvil", text).limits().idle_kill, None);
    assert_eq!(
        (imap.peer_uid("culver-auth"), imap.peer_uid("culver")),
        (Some(990), None)
    );
}

#[test]
fn what_has_no_effect_is_told() {
    let told = |text: &str| {
        let silent = |effect: &config::Effect| effect.differs && effect.status != Status::Works;
        let effects = parse(text).effects().into_iter().filter(silent);
        let told = effects.map(|effect| format!("{}: {effect}", effect.at));
        told.collect::<Vec<_>>()
    };
    let prefix = "/etc/culver/culver.conf:1: ";
    assert!(told("listen = *, ::\nssl_dh =\nservice pop3 {\n}\n").is_empty());
    for text in [
        "listen = 127.0.0.1",
        "ssl_dh = x",
        "mail_plugins = quota",
        "service pop3 {\nclient_limit = 1\n}",
        "protocols = imap",
    ] {
        let told = told(text);
        assert!(told.len() == 1 && told[0].starts_with(prefix), "{told:?}");
    }
    // What must not be passed over is an error.
    let unsafe_to_ignore = parse("auth_ssl_require_client_cert = yes");
    assert!(unsafe_to_ignore.check().have_errors());
    assert!(unsafe_to_ignore.effects()[0].is_missed());
}

#[test]
fn names_that_the_host_does_not_know_are_errors() {
    let text = "mail_uid = nobody-here\nmail_access_groups = mail nogroup-here\nlocal nohost.example {\n mail_debug = yes\n}\n";
    let Err(Error::Configuration(problems)) = parse(text).compile(&Town) else {
        panic!("accepted")
    };
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for expected in [
        "culver.conf:1: mail_uid: there is no user nobody-here",
        "culver.conf:2: mail_access_groups: there is no group nogroup-here",
        "host name nohost.example",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(expected)),
            "{expected} {lines:?}"
        );
    }
}

#[test]
fn only_a_private_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("imap");
    let bytes = snapshot("imap", MAIL).to_bytes().unwrap();
    let write = |bytes: &[u8], mode: u32| {
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Snapshot::load_from(folder.path(), "imap")
    };
    write(&bytes, 0o400).unwrap();
    write(&bytes, 0o600).unwrap();
    for mode in [0o440, 0o404, 0o602, 0o620] {
        assert!(
            matches!(write(&bytes, mode), Err(Error::Snapshot { .. })),
            "{mode:o}"
        );
    }
    assert!(matches!(
        write(b"culver-config 0\n", 0o400),
        Err(Error::Snapshot { .. })
    ));
    assert!(matches!(
        write(&snapshot("auth", "").to_bytes().unwrap(), 0o400),
        Err(Error::Snapshot { .. })
    ));
    std::fs::rename(&path, folder.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", &path).unwrap();
    assert!(matches!(
        Snapshot::load_from(folder.path(), "imap"),
        Err(Error::Syscall { .. })
    ));
    assert!(matches!(
        Snapshot::load_from(folder.path(), "none"),
        Err(Error::Syscall { .. })
    ));
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = snapshot("auth", "passdb {\n driver = pam\n}\nauth_realms = a b\n")
        .to_bytes()
        .unwrap();
    for length in 0..bytes.len() {
        assert!(Snapshot::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn what_was_written_is_read_back() {
    for (service, ..) in table::SERVICES {
        let first = snapshot(service, MAIL);
        let bytes = first.to_bytes().unwrap();
        assert_eq!(
            Snapshot::from_bytes(&bytes).unwrap().to_bytes().unwrap(),
            bytes
        );
    }
}

#[test]
fn a_configuration_cut_off_anywhere_is_read_without_panic() {
    for length in (0..MAIL.len()).filter(|length| MAIL.is_char_boundary(*length)) {
        let config = parse(&MAIL[..length]);
        let _ = config.compile(&Town);
    }
}

#[test]
fn networks_hold_addresses() {
    let networks = Networks::parse("10.0.0.0/8, 192.0.2.1 fe80::/10").unwrap();
    let holds = |address: &str| networks.contain(address.parse().unwrap());
    assert!(
        holds("10.9.9.9") && holds("192.0.2.1") && holds("fe80::1") && holds("::ffff:10.0.0.1")
    );
    assert!(!holds("11.0.0.1") && !holds("192.0.2.2") && !holds("::1"));
    assert_eq!(
        Networks::parse("10.0.0.0/99"),
        Err("10.0.0.0/99".to_owned())
    );
}

/// Ten thousand names with certificates: what makes Dovecot's config process run out of memory.
#[test]
fn ten_thousand_names_fit() {
    #[derive(Deserialize)]
    struct Login {
        ssl_cert: String,
    }
    let mut text = String::new();
    for number in 0..10_000 {
        let certificate = format!("{number:05}").repeat(400);
        writeln!(text, "local_name host{number}.example.org {{\n ssl_cert = {certificate}\n ssl_key = {certificate}\n}}").unwrap();
    }
    let login = parse(&text).snapshot("imap-login", &NoNames).unwrap();
    assert!(login.to_bytes().unwrap().len() < 60 << 20);
    let facts = Facts {
        protocol: "imap",
        local_name: Some("host7777.example.org"),
        ..Facts::default()
    };
    let found: Login = login.settings(&facts).unwrap();
    assert!(found.ssl_cert.starts_with("07777"));
    assert_eq!(login.matching(&facts).len(), 2);
}
