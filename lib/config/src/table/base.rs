//! What concerns the whole server.

use super::{Kind, Readers, Setting, setting};

const ALL: Readers = Readers::ALL;
const NETWORK: Readers = Readers::LOGIN.and(Readers::LMTP);

pub const SETTINGS: &[Setting] = &[
    setting("base_dir", Kind::Text, "/run/dovecot", ALL),
    setting("debug_log_path", Kind::Text, "", ALL),
    setting("default_client_limit", Kind::Number, "1000", ALL),
    setting("default_idle_kill", Kind::Seconds, "1 mins", ALL),
    setting("default_internal_group", Kind::Text, "dovecot", ALL),
    setting("default_internal_user", Kind::Text, "dovecot", ALL),
    setting("default_login_user", Kind::Text, "dovenull", ALL),
    setting("default_process_limit", Kind::Number, "100", ALL),
    setting("default_vsz_limit", Kind::Size, "256 M", ALL),
    setting("haproxy_timeout", Kind::Seconds, "3 secs", NETWORK),
    setting("haproxy_trusted_networks", Kind::Networks, "", NETWORK),
    setting("hostname", Kind::Text, "", ALL),
    setting("info_log_path", Kind::Text, "", ALL),
    setting("instance_name", Kind::Text, "dovecot", ALL),
    setting("listen", Kind::Text, "*, ::", ALL),
    setting("log_path", Kind::Text, "syslog", ALL),
    setting("log_timestamp", Kind::Text, "%b %d %H:%M:%S ", ALL),
    setting("protocols", Kind::List, "", ALL),
    setting("shutdown_clients", Kind::Bool, "yes", ALL),
    setting("syslog_facility", Kind::Text, "mail", ALL),
    setting("verbose_proctitle", Kind::Bool, "no", ALL),
];
