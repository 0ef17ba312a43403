//! Names of files: `u.<uid>`, and those of files that are in nobody's way any more.

use std::path::{Path, PathBuf};

use dbox::temp;
use mailbox::Uid;

/// The file of a message.
pub(crate) fn of_mail(uid: Uid) -> String {
    format!("u.{uid}")
}

/// The UID of a message's file; `None` for other names.
pub(crate) fn uid(name: &[u8]) -> Option<Uid> {
    let digits = std::str::from_utf8(name).ok()?.strip_prefix("u.")?;
    let is_plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    Uid::new(digits.parse().ok().filter(|_| is_plain)?)
}

/// Where a file goes that must not stay where it is, and is not ours to delete. Dovecot passes over it.
pub(crate) fn quarantine(path: &Path) -> PathBuf {
    let dir = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = temp::name(Path::new(""));
    let unique = unique.to_string_lossy();
    let unique = unique.trim_start_matches(".temp.");
    dir.join(format!(".quarantine.{name}.{unique}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_uids() {
        let seven = Uid::new(7).unwrap();
        assert_eq!(of_mail(seven), "u.7");
        assert_eq!(uid(b"u.7"), Some(seven));
        for other in [
            &b"u."[..],
            b"u.0",
            b"u.07",
            b"u.7.broken",
            b"u.4294967296",
            b"m.1",
            b"u.+7",
            b".temp.u.7",
            b"u.\xff",
        ] {
            assert_eq!(uid(other), None);
        }
    }

    #[test]
    fn what_is_quarantined_is_no_message() {
        let path = quarantine(Path::new("/box/u.7"));
        assert_eq!(path.parent(), Some(Path::new("/box")));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(".quarantine.u.7."), "{name}");
    }
}
