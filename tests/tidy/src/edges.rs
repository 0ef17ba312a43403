//! Who may be linked with whom.
//!
//! Ground knows nothing of ours (config reads files through sys). The process side and the mail side meet only in
//! binaries. No format knows another, no binary another. What a login process is made of stays small.

use std::collections::BTreeSet;
use std::path::Path;

use crate::Violation;
use crate::cargo::Workspace;

/// Knows nothing of ours.
const GROUND: [&str; 7] = [
    "sys",
    "config",
    "imap-proto",
    "smtp-proto",
    "sasl",
    "message",
    "compress",
];
/// The process side, and what each may know of that side. All may know the ground.
const PROCESS: [(&str, &[&str]); 5] = [
    ("ipc", &[]),
    ("service", &["ipc"]),
    ("login", &["service", "ipc"]),
    ("broker", &["service", "ipc"]),
    ("auth-db", &[]),
];
/// The mail side, likewise.
const MAIL: [(&str, &[&str]); 13] = [
    ("mailbox", &[]),
    ("search", &["mailbox"]),
    ("index-cache", &["mailbox"]),
    ("index", &["mailbox", "index-cache"]),
    ("index-view", &["mailbox", "index"]),
    ("dump", &["mailbox", "index"]),
    ("dbox", &["mailbox", "index", "index-view"]),
    ("format-maildir", &["mailbox", "index", "index-view"]),
    ("format-mbox", &["mailbox", "index"]),
    ("format-sdbox", &["mailbox", "index", "index-view", "dbox"]),
    (
        "format-mdbox",
        &["mailbox", "index", "index-view", "dbox", "compress"],
    ),
    (
        "storage",
        &[
            "mailbox",
            "format-maildir",
            "format-mbox",
            "format-sdbox",
            "format-mdbox",
            "dbox",
            "index",
        ],
    ),
    ("delivery", &["storage", "mailbox"]),
];
/// What a binary must not hold, however it would come in.
const NOT_LINKED: [(&str, &[&str]); 8] = [
    (
        "imap-login",
        &[
            "auth-db",
            "broker",
            "mailbox",
            "format-maildir",
            "storage",
            "delivery",
            "message",
        ],
    ),
    ("imap", &["auth-db", "login", "delivery"]),
    ("deliver", &["auth-db", "login"]),
    (
        "lmtp",
        &["auth-db", "login", "broker", "mailbox", "storage"],
    ),
    (
        "anvil",
        &["auth-db", "login", "broker", "mailbox", "storage"],
    ),
    (
        "imap-hibernate",
        &["auth-db", "login", "broker", "mailbox", "storage"],
    ),
    ("auth", &["mailbox", "storage", "login"]),
    ("auth-worker", &["mailbox", "storage", "login", "broker"]),
];
/// `cargo tree -p imap-login` stays below: every crate in there is a crate that reads what strangers send.
pub const LOGIN_CRATES: usize = 60;

/// Every edge between crates of ours.
#[must_use]
pub fn of_workspace(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (from, to) in &workspace.edges {
        let place = place(workspace, from);
        let manifest = Path::new(place).join("Cargo.toml");
        for to in to {
            if let Some(why) = forbidden(from, to, workspace) {
                violations.push(Violation::new(
                    &manifest,
                    0,
                    format!("{from} → {to}: {why}"),
                ));
            }
        }
        for (_, not) in NOT_LINKED.iter().filter(|(name, _)| name == from) {
            let linked = workspace.linked(from);
            for found in not.iter().filter(|name| linked.contains(**name)) {
                let what =
                    format!("{from} must not be linked with {found}, not even through others");
                violations.push(Violation::new(&manifest, 0, what));
            }
        }
        if place.starts_with("lib/") && !is_known(from) {
            let what = format!(
                "{from} is neither ground nor process nor mail: give it its side in tests/tidy"
            );
            violations.push(Violation::new(&manifest, 0, what));
        }
    }
    violations
}

fn forbidden(from: &str, to: &str, workspace: &Workspace) -> Option<String> {
    let (from_place, to_place) = (place(workspace, from), place(workspace, to));
    if to_place.starts_with("tests/") && !from_place.starts_with("tests/") {
        return Some("tests are for tests".to_owned());
    }
    if to_place.starts_with("bins/") && !from_place.starts_with("tests/") {
        return Some("no binary is part of another".to_owned());
    }
    if !from_place.starts_with("lib/") {
        return None;
    }
    if GROUND.contains(&from) {
        return ((from, to) != ("config", "sys"))
            .then(|| "the ground knows nothing of ours".to_owned());
    }
    if GROUND.contains(&to) {
        return None;
    }
    let sides = PROCESS.iter().chain(MAIL.iter());
    let allowed: BTreeSet<&str> = sides
        .filter(|(name, _)| *name == from)
        .flat_map(|(_, to)| to.iter().copied())
        .collect();
    (!allowed.contains(to)).then(|| format!("{from} may know the ground and {allowed:?}"))
}

fn is_known(name: &str) -> bool {
    let sides = PROCESS.iter().chain(MAIL.iter());
    GROUND.contains(&name) || sides.map(|(side, _)| *side).any(|side| side == name)
}

fn place<'a>(workspace: &'a Workspace, name: &str) -> &'a str {
    workspace.places.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(edges: &[(&str, &[&str])]) -> Workspace {
        let mut workspace = Workspace::default();
        for (from, to) in edges {
            for name in to.iter().chain([from]) {
                let place = match *name {
                    "imap" | "imap-login" | "anvil" => format!("bins/{name}"),
                    "testkit" => format!("tests/{name}"),
                    _ => format!("lib/{name}"),
                };
                workspace.places.insert((*name).to_owned(), place);
            }
            let to = to.iter().map(|name| (*name).to_owned()).collect();
            workspace.edges.insert((*from).to_owned(), to);
        }
        workspace
    }

    fn count(edges: &[(&str, &[&str])]) -> usize {
        of_workspace(&workspace(edges)).len()
    }

    #[test]
    fn allowed_edges() {
        assert_eq!(
            count(&[
                ("config", &["sys"]),
                ("ipc", &["sys"]),
                ("imap", &["storage", "broker"])
            ]),
            0
        );
    }

    #[test]
    fn forbidden_edges() {
        assert_eq!(count(&[("message", &["sys"])]), 1);
        assert_eq!(count(&[("ipc", &["mailbox"])]), 1);
        assert_eq!(count(&[("storage", &["ipc"])]), 1);
        assert_eq!(count(&[("anvil", &["imap"])]), 1);
        assert_eq!(count(&[("ipc", &["testkit"])]), 1);
        assert_eq!(count(&[("new-thing", &[])]), 1);
    }

    #[test]
    fn what_comes_in_through_others_is_found() {
        assert_eq!(
            count(&[("imap-login", &["login"]), ("login", &["auth-db"])]),
            2
        );
    }
}
