//! Settings that are understood but change nothing here: the administrator is told, with the reason.
//!
//! A setting leaves these tables when the code that obeys it comes. What would make a server less safe
//! if it were passed over is an error.

use crate::config::{Assigned, Block, Config, Text};
use crate::problem::Problems;
use crate::table;
use crate::value::Value;

const JOURNAL: &str = "the log is the journal (journalctl -t culver)";
const UNITS: &str = "users are set in the units of systemd";
const SOCKETS: &str =
    "sockets are set in the socket units of systemd (systemctl edit culver-imap.socket)";
const TLS: &str = "this TLS library chooses among safe ciphers, curves and parameters itself";
const NOT_YET: &str = "not there yet";

/// Setting and why it has no effect.
const SILENT: &[(&str, &str)] = &[
    ("auth_anonymous_username", NOT_YET),
    (
        "auth_cache_verify_password_with_worker",
        "hashes are always computed off the event loop",
    ),
    ("auth_debug", NOT_YET),
    ("auth_debug_passwords", "passwords are never logged"),
    ("auth_realms", NOT_YET),
    ("auth_socket_path", "sockets are in /run/culver"),
    ("base_dir", "sockets are in /run/culver"),
    ("debug_log_path", JOURNAL),
    ("default_internal_group", UNITS),
    ("default_internal_user", UNITS),
    ("default_login_user", UNITS),
    ("haproxy_timeout", NOT_YET),
    ("haproxy_trusted_networks", NOT_YET),
    ("imap_id_retain", NOT_YET),
    ("imap_metadata", NOT_YET),
    ("info_log_path", JOURNAL),
    ("instance_name", "systemd tells instances apart"),
    ("lda_original_recipient_header", NOT_YET),
    ("listen", SOCKETS),
    ("lmtp_rcpt_check_quota", NOT_YET),
    ("lmtp_verbose_replies", NOT_YET),
    (
        "lock_method",
        "locks are those of the kernel (fcntl), and dotlocks where Dovecot needs them",
    ),
    ("log_path", JOURNAL),
    ("log_timestamp", JOURNAL),
    (
        "mail_full_filesystem_access",
        "workers see only the mail of their user",
    ),
    ("mail_attachment_detection_options", NOT_YET),
    ("mail_attachment_fs", NOT_YET),
    ("mail_attachment_hash", NOT_YET),
    ("mail_attachment_min_size", NOT_YET),
    (
        "mail_plugins",
        "zlib compresses new messages; other plugins are not there yet",
    ),
    ("mail_shared_explicit_inbox", NOT_YET),
    ("maildir_broken_filename_sizes", NOT_YET),
    ("maildir_empty_new", NOT_YET),
    ("postmaster_address", NOT_YET),
    ("ssl_alt_cert", NOT_YET),
    ("ssl_alt_key", NOT_YET),
    ("ssl_ca", NOT_YET),
    ("ssl_cipher_list", TLS),
    ("ssl_cipher_suites", TLS),
    ("ssl_curve_list", TLS),
    ("ssl_dh", TLS),
    (
        "ssl_key_password",
        "the key must not be encrypted; its file is readable by root only",
    ),
    ("ssl_options", TLS),
    ("ssl_prefer_server_ciphers", TLS),
    ("syslog_facility", JOURNAL),
    (
        "verbose_proctitle",
        "systemctl status shows what services do",
    ),
    ("verbose_ssl", NOT_YET),
];

/// Settings that ask clients to prove more than they would be asked for.
const UNSAFE: &[&str] = &[
    "auth_ssl_require_client_cert",
    "auth_ssl_username_from_cert",
    "ssl_verify_client_cert",
];

/// Settings of `service` that the units decide.
const SERVICE: &[(&str, &str)] = &[
    ("chroot", "root directories are set in the units of systemd"),
    ("drop_priv_before_exec", UNITS),
    ("executable", "services are what their units start"),
    ("extra_groups", UNITS),
    ("group", UNITS),
    ("privileged_group", UNITS),
    ("user", UNITS),
];

/// Protocols that are served.
const PROTOCOLS: [&str; 2] = ["imap", "lmtp"];

/// Tells of every such setting.
pub(super) fn check(config: &Config, problems: &mut Problems) {
    for scope in &config.scopes {
        settings(&scope.block, problems);
        for block in &scope.block.blocks {
            section(block, problems);
        }
    }
    if let Some(protocols) = config.assigned("protocols") {
        served(protocols, problems);
    }
}

fn differs(block: &Block, name: &str, assigned: &Assigned) -> bool {
    let default = block.default(name).unwrap_or_default();
    assigned.show(block.kind(name)) != Value::show(block.kind(name), default)
}

fn settings(block: &Block, problems: &mut Problems) {
    for (name, assigned) in &block.values {
        if !differs(block, name, assigned) {
            continue;
        }
        if let Some((_, why)) = SILENT.iter().find(|(silent, _)| silent == name) {
            problems.warning(&assigned.at, format!("{name} has no effect: {why}"));
        } else if UNSAFE.contains(&name.as_str()) {
            problems.error(
                &assigned.at,
                format!(
                    "{name}: client certificates are not there yet, and this can't be passed over"
                ),
            );
        }
    }
}

fn section(block: &Block, problems: &mut Problems) {
    match block.section.map_or("", |section| section.name) {
        "service" => service(block, problems),
        "namespace" => block
            .blocks
            .iter()
            .for_each(|mailbox| expunging(mailbox, problems)),
        _ => {}
    }
}

fn expunging(mailbox: &Block, problems: &mut Problems) {
    for (name, assigned) in mailbox
        .values
        .iter()
        .filter(|(name, _)| name.starts_with("autoexpunge"))
    {
        problems.warning(&assigned.at, format!("{name} has no effect: {NOT_YET}"));
    }
}

/// Does nothing stand in it?
fn is_empty(block: &Block) -> bool {
    block.values.is_empty() && block.blocks.iter().all(is_empty)
}

fn service(block: &Block, problems: &mut Problems) {
    if is_empty(block) {
        return;
    }
    if !table::SERVICES.iter().any(|(name, ..)| *name == block.name) {
        return problems.warning(
            &block.at,
            format!(
                "service {} has no effect: there is no such service here",
                block.name
            ),
        );
    }
    for listener in block.blocks.iter().filter(|listener| !is_empty(listener)) {
        let kind = listener.section.map_or("", |section| section.name);
        problems.warning(
            &listener.at,
            format!(
                "service {} {{ {kind} {} }} has no effect: {SOCKETS}",
                block.name, listener.name
            ),
        );
    }
    for (name, assigned) in &block.values {
        if let Some((_, why)) = SERVICE.iter().find(|(silent, _)| silent == name)
            && differs(block, name, assigned)
        {
            problems.warning(
                &assigned.at,
                format!("service {} {{ {name} }} has no effect: {why}", block.name),
            );
        }
    }
}

fn served(protocols: &Assigned, problems: &mut Problems) {
    let Text::Plain(text) = &protocols.text else {
        return;
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    for word in words.iter().filter(|word| !PROTOCOLS.contains(word)) {
        problems.warning(&protocols.at, format!("protocols: {word} is not there yet"));
    }
    for missing in PROTOCOLS
        .iter()
        .filter(|protocol| !words.contains(protocol))
    {
        let how = format!("mask culver-{missing}.socket to end it");
        problems.warning(
            &protocols.at,
            format!("protocols lacks {missing}, which is served all the same: {how}"),
        );
    }
}
