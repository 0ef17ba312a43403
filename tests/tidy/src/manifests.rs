//! Cargo.toml files: each member says what it is, each dependency why it is there, and lints are on.

use std::path::Path;

use crate::Violation;

/// The root manifest: members and shared dependencies.
#[must_use]
pub fn of_root(path: &Path, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut members = false;
    for (number, line) in numbered(text) {
        match line {
            _ if line.starts_with("members = [") => members = true,
            "]" => members = false,
            _ if members && line.starts_with('"') && !line.contains(" # ") => {
                violations.push(Violation::new(
                    path,
                    number,
                    "a member without its line of comment",
                ));
            }
            _ => {}
        }
    }
    violations.extend(reasons(path, text));
    violations
}

/// The manifest of a member.
#[must_use]
pub fn of_member(path: &Path, text: &str) -> Vec<Violation> {
    let mut violations = reasons(path, text);
    // sys has lints of its own: it may say unsafe.
    let lints = text.contains("[lints]\nworkspace = true")
        || path.starts_with("lib/sys") && text.contains("[lints.");
    if !lints {
        violations.push(Violation::new(path, 0, "no `[lints] workspace = true`"));
    }
    if !text.contains("publish.workspace = true") {
        violations.push(Violation::new(path, 0, "no `publish.workspace = true`"));
    }
    violations
}

/// Every block of dependencies begins with its reason; blocks are parted by empty lines and by comments.
fn reasons(path: &Path, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let (mut dependencies, mut reason, mut list) = (false, false, false);
    for (number, line) in numbered(text) {
        if line.starts_with('[') {
            dependencies = line.contains("dependencies");
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        } else if line.is_empty() {
            reason = false;
        } else if dependencies && !list {
            // What is ours says in its own manifest what it is.
            let ours = line.contains("{ path = ");
            if !reason && !ours {
                let name = line.split(['.', ' ', '=']).next().unwrap_or(line);
                violations.push(Violation::new(
                    path,
                    number,
                    format!("{name}: no reason above it"),
                ));
            }
        }
        list = line.ends_with('[') || list && !line.ends_with(']') && !line.ends_with("] }");
    }
    violations
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .map(str::trim)
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(violations: &[Violation]) -> Vec<usize> {
        violations.iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn members_say_what_they_are() {
        let text =
            "members = [\n    # ground\n    \"lib/sys\", # System calls\n    \"lib/x\",\n]\n";
        assert_eq!(lines(&of_root(Path::new("Cargo.toml"), text)), [4]);
    }

    #[test]
    fn dependencies_say_why() {
        let text = "publish.workspace = true\n[dependencies]\n# Errors.\na = 1\nb.workspace = true\n\nc = 1\n\
            [dev-dependencies]\nd = 1\n[lints]\nworkspace = true\n";
        assert_eq!(
            lines(&of_member(Path::new("lib/x/Cargo.toml"), text)),
            [7, 9]
        );
    }

    #[test]
    fn lints_are_on() {
        let text = "publish.workspace = true\n";
        assert_eq!(lines(&of_member(Path::new("lib/x/Cargo.toml"), text)), [0]);
    }
}
