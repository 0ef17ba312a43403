//! Authentication.

use super::{Kind, Readers, Setting, setting};

const AUTH: Readers = Readers::AUTHS;
const CHARS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@";

pub const SETTINGS: &[Setting] = &[
    setting("auth_anonymous_username", Kind::Text, "anonymous", AUTH),
    setting("auth_cache_negative_ttl", Kind::Seconds, "1 hours", AUTH),
    setting("auth_cache_size", Kind::Size, "0", AUTH),
    setting("auth_cache_ttl", Kind::Seconds, "1 hours", AUTH),
    setting(
        "auth_cache_verify_password_with_worker",
        Kind::Bool,
        "no",
        AUTH,
    ),
    setting("auth_debug", Kind::Bool, "no", AUTH.and(Readers::LOGIN)),
    setting("auth_debug_passwords", Kind::Bool, "no", AUTH),
    setting("auth_default_realm", Kind::Text, "", AUTH),
    setting("auth_failure_delay", Kind::Seconds, "2 secs", AUTH),
    setting("auth_master_user_separator", Kind::Text, "", AUTH),
    setting(
        "auth_mechanisms",
        Kind::List,
        "plain",
        AUTH.and(Readers::LOGIN),
    ),
    setting("auth_realms", Kind::List, "", AUTH),
    setting("auth_socket_path", Kind::Text, "auth-userdb", Readers::ALL),
    setting(
        "auth_ssl_require_client_cert",
        Kind::Bool,
        "no",
        AUTH.and(Readers::LOGIN),
    ),
    setting(
        "auth_ssl_username_from_cert",
        Kind::Bool,
        "no",
        AUTH.and(Readers::LOGIN),
    ),
    setting("auth_username_chars", Kind::Text, CHARS, AUTH),
    setting("auth_username_format", Kind::Text, "%Lu", AUTH),
    setting("auth_username_translation", Kind::Text, "", AUTH),
    setting("auth_verbose", Kind::Bool, "no", AUTH.and(Readers::LOGIN)),
    setting("auth_verbose_passwords", Kind::Text, "no", AUTH),
    setting("auth_worker_max_count", Kind::Number, "30", AUTH),
];
