//! Fixtures that a real Dovecot wrote, and what it said about their messages.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A private copy of a fixture; gone on drop.
pub struct Fixture {
    name: String,
    dir: TempDir,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/dovecot-2.3.19")
}

impl Fixture {
    pub fn unpack(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tar = Command::new("tar")
            .args(["--zstd", "--no-same-owner", "-xf"])
            .arg(directory().join(format!("{name}.tar.zst")))
            .arg("-C")
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(tar.success());
        let name = name.to_owned();
        Self { name, dir }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn expected(&self) -> Value {
        let text = std::fs::read(directory().join(format!("{}.json", self.name))).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Hash of BODY[], size and INTERNALDATE of each GUID.
    pub fn messages(&self) -> BTreeMap<String, (String, u64, String)> {
        let expected = self.expected();
        let mailboxes = expected["mailboxes"].as_object().unwrap().values();
        let messages = mailboxes.flat_map(|mailbox| mailbox["messages"].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        messages
            .map(|m| {
                let size = m["size"].as_u64().unwrap();
                let about = (text(&m["body_sha256"]), size, text(&m["internaldate"]));
                (text(&m["guid"]), about)
            })
            .collect()
    }

    /// Every dbox file.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(self.dir.path(), &mut files);
        files.sort();
        files
    }
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), files);
        } else if name.starts_with("u.") || name.starts_with("m.") {
            files.push(entry.path());
        }
    }
}

/// With every line ended by CRLF.
pub fn with_crlf(stored: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for &byte in stored {
        if byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
