//! `service NAME { … }`: limits, listeners, and what Dovecot's own services have as defaults.

use super::section::{Naming, Section};
use super::{Kind, Readers, Setting, setting};

const ALL: Readers = Readers::ALL;

/// Our services: name, the user that runs it (and owns its snapshot), its bit.
pub const SERVICES: &[(&str, &str, Readers)] = &[
    ("imap-login", "culver-imap-login", Readers::LOGIN),
    ("auth", "culver-auth", Readers::AUTH),
    ("auth-worker", "culver-auth-worker", Readers::AUTH_WORKER),
    ("anvil", "culver-anvil", Readers::ANVIL),
    ("imap", "culver", Readers::IMAP),
    (
        "imap-hibernate",
        "culver-imap-hibernate",
        Readers::IMAP_HIBERNATE,
    ),
    ("lmtp", "culver-lmtp", Readers::LMTP),
    ("deliver", "culver-deliver", Readers::DELIVER),
    ("doveadm", "root", Readers::ADMIN),
];

pub const SETTINGS: &[Setting] = &[
    setting("chroot", Kind::Text, "", ALL),
    setting("client_limit", Kind::Number, "0", ALL),
    setting("drop_priv_before_exec", Kind::Bool, "no", ALL),
    setting("executable", Kind::Text, "", ALL),
    setting("extra_groups", Kind::Text, "", ALL),
    setting("group", Kind::Text, "", ALL),
    setting("idle_kill", Kind::Seconds, "0", ALL),
    setting("privileged_group", Kind::Text, "", ALL),
    setting("process_limit", Kind::Number, "0", ALL),
    setting("process_min_avail", Kind::Number, "0", ALL),
    setting("protocol", Kind::Text, "", ALL),
    setting("service_count", Kind::Number, "0", ALL),
    setting("type", Kind::Text, "", ALL),
    setting("user", Kind::Text, "", ALL),
    setting("vsz_limit", Kind::Size, "18446744073709551615 B", ALL),
];

const FILE_LISTENER: &[Setting] = &[
    setting("group", Kind::Text, "", ALL),
    setting("mode", Kind::Mode, "0600", ALL),
    setting("user", Kind::Text, "", ALL),
];

const INET_LISTENER: &[Setting] = &[
    setting("address", Kind::Text, "", ALL),
    setting("haproxy", Kind::Bool, "no", ALL),
    setting("port", Kind::Port, "0", ALL),
    setting("reuse_port", Kind::Bool, "no", ALL),
    setting("ssl", Kind::Bool, "no", ALL),
];

/// What stands in a service.
pub const LISTENERS: &[Section] = &[
    listener("fifo_listener", FILE_LISTENER),
    listener("inet_listener", INET_LISTENER),
    listener("unix_listener", FILE_LISTENER),
];

const fn listener(name: &'static str, settings: &'static [Setting]) -> Section {
    Section {
        name,
        settings,
        sections: &[],
        readers: ALL,
        naming: Naming::Merged,
    }
}

/// A listener that a service has without being told.
pub type Listener = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// What one of Dovecot's services has that differs from the table's defaults.
#[derive(Clone, Copy, Debug)]
pub struct ServiceDefaults {
    /// Its name.
    pub name: &'static str,
    /// Settings and their texts.
    pub settings: &'static [(&'static str, &'static str)],
    /// Its listeners: kind, name, settings.
    pub listeners: &'static [Listener],
}

const INTERNAL: &str = "$default_internal_user";
const GROUP: &str = "$default_internal_group";

const OPEN: &[(&str, &str)] = &[("mode", "0666")];
const PRIVATE: &[(&str, &str)] = &[];
const INTERNALS: &[(&str, &str)] = &[("user", INTERNAL)];

static DEFAULTS: &[ServiceDefaults] = &[
    ServiceDefaults {
        name: "anvil",
        settings: &[
            ("chroot", "empty"),
            ("executable", "anvil"),
            ("idle_kill", "4294967295 secs"),
            ("process_limit", "1"),
            ("process_min_avail", "1"),
            ("type", "anvil"),
            ("user", INTERNAL),
        ],
        listeners: &[
            ("unix_listener", "anvil-auth-penalty", PRIVATE),
            ("unix_listener", "anvil", PRIVATE),
        ],
    },
    ServiceDefaults {
        name: "auth-worker",
        settings: &[
            ("client_limit", "1"),
            ("executable", "auth -w"),
            ("type", "worker"),
        ],
        listeners: &[("unix_listener", "auth-worker", INTERNALS)],
    },
    ServiceDefaults {
        name: "auth",
        settings: &[
            ("executable", "auth"),
            ("process_limit", "1"),
            ("user", INTERNAL),
        ],
        listeners: &[
            ("unix_listener", "auth-client", INTERNALS),
            ("unix_listener", "auth-login", INTERNALS),
            ("unix_listener", "auth-master", PRIVATE),
            (
                "unix_listener",
                "auth-userdb",
                &[("mode", "0666"), ("user", INTERNAL)],
            ),
            ("unix_listener", "login/login", OPEN),
            ("unix_listener", "token-login/tokenlogin", OPEN),
        ],
    },
    ServiceDefaults {
        name: "deliver",
        settings: &[("executable", "deliver"), ("process_limit", "1024")],
        listeners: &[],
    },
    ServiceDefaults {
        name: "doveadm",
        settings: &[
            ("client_limit", "1"),
            ("executable", "doveadm-server"),
            ("extra_groups", GROUP),
            ("service_count", "1"),
        ],
        listeners: &[("unix_listener", "doveadm-server", PRIVATE)],
    },
    ServiceDefaults {
        name: "imap-login",
        settings: &[
            ("chroot", "login"),
            ("executable", "imap-login"),
            ("protocol", "imap"),
            ("service_count", "1"),
            ("type", "login"),
            ("user", "$default_login_user"),
        ],
        listeners: &[
            ("inet_listener", "imap", &[("port", "143")]),
            ("inet_listener", "imaps", &[("port", "993"), ("ssl", "yes")]),
        ],
    },
    ServiceDefaults {
        name: "imap",
        settings: &[
            ("client_limit", "1"),
            ("executable", "imap"),
            ("extra_groups", GROUP),
            ("process_limit", "1024"),
            ("protocol", "imap"),
            ("service_count", "1"),
        ],
        listeners: &[
            ("unix_listener", "imap-master", PRIVATE),
            ("unix_listener", "login/imap", OPEN),
        ],
    },
    ServiceDefaults {
        name: "lmtp",
        settings: &[
            ("client_limit", "1"),
            ("executable", "lmtp"),
            ("extra_groups", GROUP),
            ("protocol", "lmtp"),
        ],
        listeners: &[("unix_listener", "lmtp", OPEN)],
    },
];

/// What this service has by default; None for a service that is not Dovecot's.
pub fn service_defaults(name: &str) -> Option<&'static ServiceDefaults> {
    DEFAULTS.iter().find(|service| service.name == name)
}

/// All services with defaults, in the order in which `doveconf` prints them.
pub fn all_service_defaults() -> &'static [ServiceDefaults] {
    DEFAULTS
}
