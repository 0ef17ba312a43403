//! Log lines about clients, in Dovecot's wording: log filters read them.

use std::fmt::Write as _;

use ipc::facts::Transport;
use service::journal::{Clean, id};

use crate::{Client, Ended};

impl Client {
    /// One line about how the client's time here ended.
    pub(crate) fn log_end(&self, ended: &Ended) {
        let service = self.shared().name;
        let (event, what, pid) = match ended {
            Ended::HandedOver { worker_pid } => (id::LOGIN, "Login".to_owned(), *worker_pid),
            Ended::Disconnected(reason) => (
                id::LOGIN_ABORTED,
                format!("Disconnected: {reason} ({})", self.attempts()),
                None,
            ),
        };
        let line = self
            .settings()
            .login_log_format
            .replace("%$", &what)
            .replace("%s", &self.elements(pid));
        tracing::info!(
            message_id = event,
            culver_user = %Clean(self.attempt.user.as_deref().unwrap_or_default()),
            culver_session = self.facts().session.as_str(),
            culver_remote_ip = %self.facts().remote.ip(),
            "{service}: {line}"
        );
    }

    /// Something of ours is out of order.
    pub(crate) fn log_trouble(&self, what: &str, error: &dyn std::fmt::Display) {
        tracing::error!(
            message_id = id::AUTH_UNAVAILABLE,
            culver_session = self.facts().session.as_str(),
            culver_remote_ip = %self.facts().remote.ip(),
            "{}: Error: {what}: {error}: {}",
            self.shared().name,
            self.elements(None),
        );
    }

    fn attempts(&self) -> String {
        let seconds = self.connected.elapsed().as_secs();
        match (self.attempt.count, self.attempt.failed) {
            (0, _) => format!("no auth attempts in {seconds} secs"),
            (count, true) => format!("auth failed, {count} attempts in {seconds} secs"),
            (_, false) => format!("internal failure, waited {seconds} secs"),
        }
    }

    /// `login_log_format_elements`, those left out that have no value.
    fn elements(&self, pid: Option<u32>) -> String {
        let mut line = String::new();
        for element in self.settings().login_log_format_elements.split(' ') {
            let Some(text) = self.element(element, pid) else {
                continue;
            };
            if !line.is_empty() {
                line.push_str(", ");
            }
            line.push_str(&text);
        }
        line
    }

    fn element(&self, element: &str, pid: Option<u32>) -> Option<String> {
        let mut out = String::new();
        let mut rest = element;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let (name, after) = variable(after);
            let value = self.variable(name, pid)?;
            let _ = write!(out, "{}", Clean(&value));
            rest = after;
        }
        out.push_str(rest);
        (!out.is_empty()).then_some(out)
    }

    /// `None`: it has no value, and its element is left out.
    fn variable(&self, name: &str, pid: Option<u32>) -> Option<String> {
        let facts = self.facts();
        let (remote, local) = (facts.remote, facts.local);
        Some(match name {
            "u" | "user" => self.attempt.user.clone().unwrap_or_default(),
            "m" | "mech" => self.attempt.mech.clone()?,
            "r" | "rip" => remote.ip().to_string(),
            "l" | "lip" => local.ip().to_string(),
            "b" | "rport" => remote.port().to_string(),
            "a" | "lport" => local.port().to_string(),
            "e" | "mail_pid" => pid?.to_string(),
            "s" | "service" => facts.protocol.name().to_owned(),
            "session" => facts.session.to_string(),
            "c" | "secured" if facts.transport == Transport::Tls => "TLS".to_owned(),
            "c" | "secured" => self
                .settings()
                .is_secured(facts)
                .then(|| "secured".to_owned())?,
            _ => return None,
        })
    }
}

/// Splits `{session}>` into `session` and `>`, `u>` into `u` and `>`.
fn variable(text: &str) -> (&str, &str) {
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, rest);
    }
    let length = text.chars().next().map_or(0, char::len_utf8);
    text.split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_short_and_long_names() {
        assert_eq!(variable("{session}>"), ("session", ">"));
        assert_eq!(variable("u>"), ("u", ">"));
        assert_eq!(variable(""), ("", ""));
        assert_eq!(variable("{open"), ("{", "open"));
    }
}
