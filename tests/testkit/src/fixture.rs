//! Stores that a real Dovecot wrote (`tests/fixtures`), unpacked into private copies.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::checkout;

/// A private copy of a fixture; gone on drop.
#[derive(Debug)]
pub struct Fixture {
    name: String,
    copy: TempDir,
}

impl Fixture {
    /// Unpacks `tests/fixtures/dovecot-2.3.19/NAME.tar.zst`. Root keeps the owner, uid 5999.
    ///
    /// # Panics
    /// There is no such fixture, or tar or zstd is missing.
    #[must_use]
    pub fn unpack(name: &str) -> Fixture {
        let copy = tempfile::tempdir().expect("a temporary directory");
        let archive = directory().join(format!("{name}.tar.zst"));
        let tar = Command::new("tar")
            .args(["--zstd", "--numeric-owner", "-xf"])
            .arg(&archive)
            .arg("-C")
            .arg(copy.path())
            .status()
            .expect("tar runs");
        assert!(tar.success(), "unpacking {}", archive.display());
        Fixture {
            name: name.to_owned(),
            copy,
        }
    }

    /// The home directory of its user.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.copy.path().join(&self.name)
    }

    /// The directory that holds the home.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.copy.path()
    }

    /// What Dovecot answered about it.
    ///
    /// # Panics
    /// The file beside the archive is not JSON.
    #[must_use]
    pub fn expected(&self) -> Value {
        let path = directory().join(format!("{}.json", self.name));
        let text = std::fs::read(&path).expect("a .json beside the archive");
        serde_json::from_slice(&text).expect("JSON")
    }
}

fn directory() -> PathBuf {
    checkout().join("tests/fixtures/dovecot-2.3.19")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_is_a_home_with_answers() {
        let fixture = Fixture::unpack("maildir");
        assert!(fixture.home().join("Maildir/cur").is_dir());
        assert_eq!(fixture.expected()["user"], "maildir");
    }
}
