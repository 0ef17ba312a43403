//! Real mail, read where packages install it: none of it is ours to ship.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::checkout;

/// One message of a corpus.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it comes from, for failed assertions.
    pub name: String,
    /// With CRLF line ends, as LMTP carries it.
    pub bytes: Vec<u8>,
}

/// All of it: Python's e-mail tests, SpamAssassin's samples, the messages in the mail-parser crate; sorted.
///
/// # Panics
/// A package is missing or holds fewer messages than it did.
#[must_use]
pub fn corpora() -> Vec<Message> {
    let debian = tree();
    let parser = crate_directory("mail-parser");
    let mut messages = Vec::new();
    let mut take = |directory: PathBuf, at_least: usize| {
        let found = files(&directory);
        assert!(
            found.len() >= at_least,
            "{} messages in {}",
            found.len(),
            directory.display()
        );
        messages.extend(found.iter().map(|path| read(path)));
    };
    take(debian.join("usr/lib/python3.11/test/test_email/data"), 45);
    take(debian.join("usr/share/doc/spamassassin/examples"), 2);
    take(parser.join("resources"), 113);
    messages
}

fn read(path: &Path) -> Message {
    let mut bytes = Vec::new();
    for line in fs::read(path)
        .expect("a readable message")
        .split_inclusive(|&byte| byte == b'\n')
    {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        bytes.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        bytes.extend_from_slice(b"\r\n");
    }
    Message {
        name: path.display().to_string(),
        bytes,
    }
}

/// Files that hold a message, by their names, in all directories below.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if is_message(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn is_message(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let mailbox = path
        .parent()
        .is_some_and(|parent| parent.ends_with("cur") || parent.ends_with("new"));
    let text = name.ends_with(".txt") && (name.starts_with("msg_") || name.starts_with("sample-"));
    mailbox || text || name.ends_with(".eml")
}

fn tree() -> PathBuf {
    let tree = Command::new(checkout().join("tests/machine/root-tree"))
        .arg("corpora")
        .output()
        .expect("root-tree runs");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    PathBuf::from(String::from_utf8_lossy(&tree.stdout).trim())
}

/// Where cargo keeps the source of a crate that the workspace depends on.
fn crate_directory(name: &str) -> PathBuf {
    let metadata = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(checkout())
        .output()
        .expect("cargo runs");
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON of cargo metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest =
        package.unwrap_or_else(|| panic!("no crate {name} in the workspace"))["manifest_path"]
            .as_str();
    Path::new(manifest.expect("manifest_path"))
        .parent()
        .expect("a directory")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_corpus_is_there() {
        let messages = corpora();
        assert!(
            messages
                .iter()
                .all(|message| message.bytes.ends_with(b"\r\n") || message.bytes.is_empty())
        );
    }
}
