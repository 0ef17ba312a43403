//! What the services of Dovecot 2.3 (Debian's, with Pigeonhole) and ours have by default.

/// A listener that a service has without being told: its kind, its name, its settings.
pub type Listener = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// What a service has that differs from the table's defaults.
#[derive(Clone, Copy, Debug)]
pub struct ServiceDefaults {
    /// Its name.
    pub name: &'static str,
    /// Settings and their texts.
    pub settings: &'static [(&'static str, &'static str)],
    /// Its listeners.
    pub listeners: &'static [Listener],
}

/// What this service has by default; None for a service that nobody knows.
pub fn service_defaults(name: &str) -> Option<&'static ServiceDefaults> {
    DEFAULTS.iter().find(|service| service.name == name)
}

/// All services with defaults, by name.
pub fn all_service_defaults() -> &'static [ServiceDefaults] {
    DEFAULTS
}

const INTERNAL: &str = "$default_internal_user";
const GROUP: &str = "$default_internal_group";
const LOGIN: &str = "$default_login_user";

/// One line for each service, one for each of its listeners.
macro_rules! services {
    ($(
        $service:literal { $($key:ident: $text:expr),* }
        $($kind:ident $name:literal { $($inner:ident: $value:expr),* })*
    )*) => {
        &[$(ServiceDefaults {
            name: $service,
            settings: &[$((stringify!($key), $text)),*],
            listeners: &[$((stringify!($kind), $name, &[$((stringify!($inner), $value)),*])),*],
        }),*]
    };
}

static DEFAULTS: &[ServiceDefaults] = services! {
    "aggregator" { chroot: ".", executable: "aggregator", user: INTERNAL }
        fifo_listener "replication-notify-fifo" {}
        unix_listener "replication-notify" {}
    "anvil" { chroot: "empty", executable: "anvil", idle_kill: "4294967295 secs", process_limit: "1", process_min_avail: "1", type: "anvil", user: INTERNAL }
        unix_listener "anvil-auth-penalty" {}
        unix_listener "anvil" {}
    "auth" { executable: "auth", process_limit: "1", user: INTERNAL }
        unix_listener "auth-client" { user: INTERNAL }
        unix_listener "auth-login" { user: INTERNAL }
        unix_listener "auth-master" {}
        unix_listener "auth-userdb" { mode: "0666", user: INTERNAL }
        unix_listener "login/login" { mode: "0666" }
        unix_listener "token-login/tokenlogin" { mode: "0666" }
    "auth-worker" { client_limit: "1", executable: "auth -w", type: "worker" }
        unix_listener "auth-worker" { user: INTERNAL }
    "config" { executable: "config", idle_kill: "4294967295 secs", type: "config" }
        unix_listener "config" {}
    "deliver" { executable: "deliver", process_limit: "1024" }
    "dict" { client_limit: "1", executable: "dict", user: INTERNAL }
        unix_listener "dict" { group: GROUP, mode: "0660" }
    "dict-async" { executable: "dict", user: INTERNAL }
        unix_listener "dict-async" { group: GROUP, mode: "0660" }
    "director" { chroot: ".", executable: "director", idle_kill: "4294967295 secs", process_limit: "1", user: INTERNAL }
        fifo_listener "login/proxy-notify" { mode: "00" }
        unix_listener "director-admin" {}
        unix_listener "login/director" { mode: "00" }
    "dns-client" { client_limit: "1", executable: "dns-client", user: INTERNAL }
        unix_listener "dns-client" { mode: "0666" }
        unix_listener "login/dns-client" { mode: "0666" }
    "doveadm" { client_limit: "1", executable: "doveadm-server", extra_groups: GROUP, service_count: "1" }
        unix_listener "doveadm-server" {}
    "health-check" { client_limit: "1", drop_priv_before_exec: "yes", executable: "script -p health-check.sh", user: INTERNAL }
    "imap" { client_limit: "1", executable: "imap", extra_groups: GROUP, process_limit: "1024", protocol: "imap", service_count: "1" }
        unix_listener "imap-master" {}
        unix_listener "login/imap" { mode: "0666" }
    "imap-hibernate" { executable: "imap-hibernate", protocol: "imap", user: INTERNAL }
        unix_listener "imap-hibernate" { group: GROUP, mode: "0660" }
    "imap-login" { chroot: "login", executable: "imap-login", protocol: "imap", service_count: "1", type: "login", user: LOGIN }
        inet_listener "imap" { port: "143" }
        inet_listener "imaps" { port: "993", ssl: "yes" }
    "imap-urlauth" { client_limit: "1", executable: "imap-urlauth", process_limit: "1024", protocol: "imap", service_count: "1", user: INTERNAL }
        unix_listener "token-login/imap-urlauth" { mode: "0666" }
    "imap-urlauth-login" { chroot: "token-login", executable: "imap-urlauth-login", protocol: "imap", service_count: "1", type: "login", user: LOGIN }
        unix_listener "imap-urlauth" { mode: "0666" }
    "imap-urlauth-worker" { client_limit: "1", executable: "imap-urlauth-worker", extra_groups: GROUP, process_limit: "1024", protocol: "imap", service_count: "1" }
        unix_listener "imap-urlauth-worker" { user: INTERNAL }
    "indexer" { executable: "indexer", process_limit: "1", user: INTERNAL }
        unix_listener "indexer" { mode: "0666" }
    "indexer-worker" { client_limit: "1", executable: "indexer-worker", extra_groups: GROUP, process_limit: "10", type: "worker" }
        unix_listener "indexer-worker" { user: INTERNAL }
    "ipc" { chroot: "empty", executable: "ipc", process_limit: "1", user: INTERNAL }
        unix_listener "ipc" { user: INTERNAL }
        unix_listener "login/ipc-proxy" { user: LOGIN }
    "lmtp" { client_limit: "1", executable: "lmtp", extra_groups: GROUP, protocol: "lmtp" }
        unix_listener "lmtp" { mode: "0666" }
    "log" { executable: "log", idle_kill: "4294967295 secs", process_limit: "1", type: "log" }
        unix_listener "log-errors" {}
    "managesieve" { client_limit: "1", executable: "managesieve", protocol: "sieve", service_count: "1" }
        unix_listener "login/sieve" { mode: "0666" }
    "managesieve-login" { chroot: "login", executable: "managesieve-login", protocol: "sieve", service_count: "1", type: "login", user: LOGIN }
        inet_listener "sieve" { port: "4190" }
    "old-stats" { chroot: "empty", executable: "old-stats", idle_kill: "4294967295 secs", process_limit: "1", user: INTERNAL }
        fifo_listener "old-stats-mail" {}
        fifo_listener "old-stats-user" {}
        unix_listener "old-stats" {}
    "pop3" { client_limit: "1", executable: "pop3", extra_groups: GROUP, process_limit: "1024", protocol: "pop3", service_count: "1" }
        unix_listener "login/pop3" { mode: "0666" }
    "pop3-login" { chroot: "login", executable: "pop3-login", protocol: "pop3", service_count: "1", type: "login", user: LOGIN }
        inet_listener "pop3" { port: "110" }
        inet_listener "pop3s" { port: "995", ssl: "yes" }
    "replicator" { executable: "replicator", idle_kill: "4294967295 secs", process_limit: "1" }
        unix_listener "replicator-doveadm" { mode: "00", user: INTERNAL }
        unix_listener "replicator" { user: INTERNAL }
    "stats" { executable: "stats", idle_kill: "4294967295 secs", process_limit: "1", user: INTERNAL }
        unix_listener "login/stats-writer" { user: LOGIN }
        unix_listener "stats-reader" {}
        unix_listener "stats-writer" { group: GROUP, mode: "0660" }
    "submission" { client_limit: "1", executable: "submission", extra_groups: GROUP, process_limit: "1024", protocol: "submission", service_count: "1" }
        unix_listener "login/submission" { mode: "0666" }
    "submission-login" { chroot: "login", executable: "submission-login", protocol: "submission", service_count: "1", type: "login", user: LOGIN }
        inet_listener "submission" { port: "587" }
    "tcpwrap" { client_limit: "1", executable: "tcpwrap", user: INTERNAL }
};
