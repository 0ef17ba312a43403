//! What the configuration says about mbox files, beside what it says to every format.

use std::time::Duration;

use crate::digest::Md5Headers;

/// One way to lock a file: a word of `mbox_read_locks` and `mbox_write_locks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMethod {
    /// `<mbox>.lock`
    Dotlock,
    /// The same; if it cannot be made, never mind.
    DotlockTry,
    /// `F_OFD_SETLK`, which excludes fcntl(2)'s other locks too.
    Fcntl,
    /// flock(2)
    Flock,
    /// lockf(3): on Linux that is fcntl(2), for writing always.
    Lockf,
}

impl LockMethod {
    /// Reads a setting: words between spaces.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub fn parse_list(setting: &str) -> Result<Vec<Self>, String> {
        let mut methods = Vec::new();
        for word in setting.split_ascii_whitespace() {
            let method = match word.to_ascii_lowercase().as_str() {
                "dotlock" => Self::Dotlock,
                "dotlock_try" => Self::DotlockTry,
                "fcntl" => Self::Fcntl,
                "flock" => Self::Flock,
                "lockf" => Self::Lockf,
                _ => return Err(format!("invalid lock method {word}")),
            };
            if methods.contains(&method) {
                return Err(format!("lock method {word} given twice"));
            }
            methods.push(method);
        }
        Ok(methods)
    }
}

/// Settings of one mbox file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `mbox_read_locks`
    pub read_locks: Vec<LockMethod>,
    /// `mbox_write_locks`: those for reading in the same order, and perhaps more.
    pub write_locks: Vec<LockMethod>,
    /// `mbox_lock_timeout`
    pub lock_timeout: Duration,
    /// `mbox_dotlock_change_timeout`
    pub dotlock_change_timeout: Duration,
    /// `mbox_dirty_syncs`, `mbox_very_dirty_syncs`
    pub syncs: Syncs,
    /// `mbox_lazy_writes`
    pub writes: Writes,
    /// `mbox_md5`
    pub md5: Md5Headers,
    /// Envelope sender in `From_` lines of messages that come with none.
    pub sender: String,
}

/// How much of a changed file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// All of it.
    Clean,
    /// What was appended; all of it when it is rewritten.
    Dirty,
    /// What was appended, always.
    VeryDirty,
}

/// When flags are written into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// At once.
    Prompt,
    /// When messages are expunged, and when the mailbox is closed; until then the index has them.
    Lazy,
}

impl Settings {
    /// Checks what Dovecot checks.
    ///
    /// # Errors
    /// What is wrong, for the log.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut write = self.write_locks.iter();
        if self
            .read_locks
            .iter()
            .all(|lock| write.any(|other| other == lock))
        {
            return Ok(());
        }
        Err("mbox_write_locks must have all of mbox_read_locks, in the same order")
    }
}

/// Dovecot's defaults, as Debian has them.
impl Default for Settings {
    fn default() -> Self {
        Self {
            read_locks: vec![LockMethod::Fcntl],
            write_locks: vec![LockMethod::Fcntl, LockMethod::Dotlock],
            lock_timeout: Duration::from_secs(5 * 60),
            dotlock_change_timeout: Duration::from_secs(2 * 60),
            syncs: Syncs::Dirty,
            writes: Writes::Lazy,
            md5: Md5Headers::Apop3d,
            sender: "MAILER-DAEMON".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_locks() {
        use LockMethod::{Dotlock, DotlockTry, Fcntl, Flock, Lockf};
        let list = LockMethod::parse_list("dotlock_try Fcntl  flock lockf dotlock").unwrap();
        assert_eq!(list, [DotlockTry, Fcntl, Flock, Lockf, Dotlock]);
        assert!(LockMethod::parse_list("fcntl fcntl").is_err());
        assert!(LockMethod::parse_list("posix").is_err());
        let mut settings = Settings::default();
        settings.check().unwrap();
        settings.read_locks = vec![Dotlock, Fcntl];
        settings.check().unwrap_err();
    }
}
