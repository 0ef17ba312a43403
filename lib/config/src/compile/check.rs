//! What is wrong only in combination: a passdb without a driver, two namespaces of one prefix.

use std::collections::BTreeMap;

use crate::config::{Assigned, Block, Config, Text};
use crate::problem::Problems;
use crate::table::Kind;
use crate::types::Networks;

/// Looks at the whole configuration.
pub(super) fn check(config: &Config) -> Problems {
    let mut problems = Problems::default();
    for scope in &config.scopes {
        values(&scope.block, &mut problems);
        for block in &scope.block.blocks {
            section(block, &mut problems);
        }
    }
    if let Some(root) = config.scopes.first() {
        namespaces(&root.block, &mut problems);
        tls(config, &mut problems);
    }
    problems
}

fn text<'b>(block: &'b Block, name: &str) -> &'b str {
    let assigned = block.values.get(name).map(|assigned| match &assigned.text {
        Text::Plain(text) => text.as_str(),
        Text::File(_) => assigned.raw.as_str(),
    });
    assigned.or_else(|| block.default(name)).unwrap_or_default()
}

/// Values that Dovecot refuses though their kind would allow them.
fn values(block: &Block, problems: &mut Problems) {
    for (name, assigned) in &block.values {
        let text = match &assigned.text {
            Text::Plain(text) => text.as_str(),
            Text::File(_) => continue,
        };
        let number = text.trim_start_matches('0');
        let is_zero =
            number.is_empty() || !number.starts_with(|digit: char| digit.is_ascii_digit());
        if block.kind(name) == Kind::Networks
            && let Err(word) = Networks::parse(text)
        {
            problems.error(&assigned.at, format!("{name}: Invalid network: {word}"));
        }
        match name.as_str() {
            "ssl_min_protocol" if !TLS_VERSIONS.contains(&text) => problems.error(
                &assigned.at,
                format!(
                    "{name}: Invalid value: {text} (use one of: {})",
                    TLS_VERSIONS.join(", ")
                ),
            ),
            "mailbox_idle_check_interval" if is_zero => {
                problems.error(&assigned.at, format!("{name} must not be 0"))
            }
            "auth_worker_max_count" if is_zero => {
                problems.error(&assigned.at, format!("{name} must be above zero"))
            }
            "auth_verbose_passwords" if !is_password_style(text) => {
                problems.error(&assigned.at, format!("{name}: Invalid value"))
            }
            "imap_client_workarounds" => workarounds(name, assigned, IMAP_WORKAROUNDS, problems),
            "lmtp_client_workarounds" => workarounds(name, assigned, LMTP_WORKAROUNDS, problems),
            _ => {}
        }
    }
}

/// Anything below TLS 1.2 is understood and means TLS 1.2: there is no older one here.
const TLS_VERSIONS: &[&str] = &[
    "ANY", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "LATEST",
];
const IMAP_WORKAROUNDS: &[&str] = &["delay-newmail", "tb-extra-mailbox-sep", "tb-lsub-flags"];
const LMTP_WORKAROUNDS: &[&str] = &["whitespace-before-path", "mailbox-for-path"];

fn workarounds(name: &str, assigned: &Assigned, known: &[&str], problems: &mut Problems) {
    for word in assigned
        .raw
        .split([' ', ','])
        .filter(|word| !word.is_empty() && !known.contains(word))
    {
        problems.error(&assigned.at, format!("{name}: Unknown workaround: {word}"));
    }
}

/// `no`, `plain`, `sha1`, or one of those with a length.
fn is_password_style(text: &str) -> bool {
    let (style, length) = text.split_once(':').unwrap_or((text, "1"));
    matches!(style, "no" | "yes" | "plain" | "sha1")
        && length.bytes().all(|byte| byte.is_ascii_digit())
}

/// Limits of a service that contradict each other or what the service is.
fn service(block: &Block, problems: &mut Problems) {
    let limit = super::values::number(block, "process_limit");
    let name = &block.name;
    if matches!(name.as_str(), "auth" | "anvil") && limit != 1 {
        problems.error(
            &block.at,
            format!("service({name}): process_limit must be 1"),
        );
    }
    if limit > 0 && super::values::number(block, "process_min_avail") > limit {
        problems.error(
            &block.at,
            format!("service({name}): process_min_avail is higher than process_limit"),
        );
    }
}

fn section(block: &Block, problems: &mut Problems) {
    let kind = block.section.map_or("", |section| section.name);
    match kind {
        "passdb" | "userdb" if text(block, "driver").is_empty() => {
            problems.error(&block.at, format!("{kind} is missing driver"))
        }
        "namespace" => namespace(block, problems),
        "service" if block.name.is_empty() => problems.error(&block.at, "service needs a name"),
        "service" => service(block, problems),
        _ => {}
    }
}

fn namespace(block: &Block, problems: &mut Problems) {
    let separator = text(block, "separator");
    if separator.chars().count() > 1 {
        problems.error(
            &block.at,
            format!(
                "Namespace '{}': Hierarchy separator must be only one character long",
                block.name
            ),
        );
    }
    let prefix = text(block, "prefix");
    if !prefix.is_empty() && !separator.is_empty() && !prefix.ends_with(separator) {
        problems.warning(
            &block.at,
            format!("Namespace prefix {prefix} should end with the separator {separator}"),
        );
    }
    for mailbox in &block.blocks {
        let uses = text(mailbox, "special_use").split_whitespace();
        for word in uses.filter(|word| !word.starts_with('\\')) {
            problems.error(
                &mailbox.at,
                format!(
                    "mailbox {}: special_use {word} must begin with \\",
                    mailbox.name
                ),
            );
        }
    }
}

fn namespaces(root: &Block, problems: &mut Problems) {
    let is_namespace = |block: &&Block| {
        block
            .section
            .is_some_and(|section| section.name == "namespace")
    };
    let enabled = |block: &&Block| text(block, "disabled") != "yes";
    let all: Vec<&Block> = root
        .blocks
        .iter()
        .filter(is_namespace)
        .filter(enabled)
        .collect();
    let mut prefixes = BTreeMap::new();
    for block in &all {
        if let Some(first) = prefixes.insert(text(block, "prefix"), &block.at) {
            problems.error(
                &block.at,
                format!(
                    "Duplicate namespace prefix: \"{}\" (first at {first})",
                    text(block, "prefix")
                ),
            );
        }
    }
    let inboxes: Vec<_> = all
        .iter()
        .filter(|block| text(block, "inbox") == "yes")
        .collect();
    match (inboxes.as_slice(), all.first()) {
        ([], Some(first)) => problems.error(&first.at, "No namespace has inbox=yes"),
        ([_, second, ..], _) => {
            problems.error(&second.at, "There can be only one namespace with inbox=yes")
        }
        _ => {}
    }
}

/// TLS that is asked for needs a certificate with its key.
fn tls(config: &Config, problems: &mut Problems) {
    let is_set = |name| {
        config
            .assigned(name)
            .is_some_and(|assigned: &Assigned| !assigned.raw.is_empty())
    };
    let Some(ssl) = config.assigned("ssl") else {
        return;
    };
    for name in ["ssl_cert", "ssl_key"]
        .into_iter()
        .filter(|name| !is_set(name))
    {
        if ssl.raw == "required" {
            problems.error(&ssl.at, format!("ssl = required, but {name} is not set"));
        } else if ssl.raw == "yes" {
            problems.warning(
                &ssl.at,
                format!("ssl = yes, but {name} is not set: TLS will not be offered"),
            );
        }
    }
}
