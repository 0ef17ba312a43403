//! `dovecot-uidvalidity`: no UIDVALIDITY is given out twice. FORMATS.md §6.1.
//!
//! The file holds the last one as 8 hex digits; an empty file `dovecot-uidvalidity.<hex>` beside it
//! is renamed to the next number, which is the lock: only one process succeeds.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use mailbox::{Error, NewUidValidity, UidValidity};
use sys::fs::{Fs, FsResult, How};

const MAIN: &str = "dovecot-uidvalidity";

/// How often another process may be quicker.
const TRIES: u32 = 10;

/// The counter of one mailbox list.
#[derive(Debug)]
pub struct Counter {
    fs: Fs,
    /// Control directory of the list.
    dir: PathBuf,
}

impl Counter {
    /// Nothing is made before the first number is asked for.
    #[must_use]
    pub fn new(fs: Fs, dir: PathBuf) -> Self {
        Self { fs, dir }
    }

    fn step(&self) -> FsResult<u32> {
        let known = match self.fs.read_file_opt(&self.dir.join(MAIN), 64)? {
            Some(content) => parse(&content),
            None => None,
        };
        let mut last = match known {
            Some(last) => Some(last),
            None => self.highest_suffix()?,
        };
        for _ in 0..TRIES {
            let Some(number) = last else { break };
            let next = after(number);
            match self.fs.rename(&self.numbered(number), &self.numbered(next)) {
                Ok(()) => return self.publish(next),
                // Somebody else took it: his number is the last one now.
                Err(error) if error.is_not_found() => last = Some(next),
                Err(error) => return Err(error),
            }
        }
        self.start(last)
    }

    /// Neither file is of use: the time is as good as any number above those before.
    fn start(&self, last: Option<u32>) -> FsResult<u32> {
        let mut number = now().max(self.highest_suffix()?.or(last).map_or(1, after));
        loop {
            match self.fs.open(&self.numbered(number), How::CreateNew, 0o444) {
                Ok(_) => return self.publish(number),
                Err(error) if error.is_exists() => number = after(number),
                Err(error) => return Err(error),
            }
        }
    }

    fn publish(&self, number: u32) -> FsResult<u32> {
        let path = self.dir.join(MAIN);
        let file = match self.fs.open(&path, How::ReadWrite, 0) {
            Err(error) if error.is_not_found() => self.fs.open(&path, How::AppendCreate, 0o600)?,
            other => other?,
        };
        file.write_all_at(format!("{number:08x}").as_bytes(), 0)?;
        Ok(number)
    }

    fn highest_suffix(&self) -> FsResult<Option<u32>> {
        let mut highest = None;
        self.fs.read_dir(&self.dir, &mut |name, _| {
            let suffix = name.strip_prefix(b"dovecot-uidvalidity.").and_then(parse);
            highest = highest.max(suffix);
        })?;
        Ok(highest)
    }

    fn numbered(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{MAIN}.{number:08x}"))
    }
}

impl NewUidValidity for Counter {
    fn next(&self) -> Result<UidValidity, Error> {
        let number = self.step()?;
        Ok(UidValidity::new(number).unwrap_or(UidValidity::MIN))
    }
}

/// 8 hex digits, not 0.
fn parse(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16)
        .ok()
        .filter(|&number| number > 0)
}

/// 0 is no UIDVALIDITY.
fn after(number: u32) -> u32 {
    number.checked_add(1).unwrap_or(1)
}

/// UNIX time, seconds, at least 1.
pub fn now() -> u32 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    u32::try_from(now).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(dir: &std::path::Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn counts_on_from_dovecots_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MAIN), "6b042e69").unwrap();
        std::fs::write(dir.path().join("dovecot-uidvalidity.6b042e69"), "").unwrap();
        let counter = Counter::new(Fs::real(), dir.path().to_owned());
        assert_eq!(counter.next().unwrap().get(), 0x6b04_2e6a);
        assert_eq!(counter.next().unwrap().get(), 0x6b04_2e6b);
        assert_eq!(files(dir.path()), [MAIN, "dovecot-uidvalidity.6b042e6b"]);
        assert_eq!(std::fs::read(dir.path().join(MAIN)).unwrap(), b"6b042e6b");
    }

    #[test]
    fn follows_a_quicker_process_and_repairs() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MAIN), "00000005").unwrap();
        std::fs::write(dir.path().join("dovecot-uidvalidity.00000007"), "").unwrap();
        let counter = Counter::new(Fs::real(), dir.path().to_owned());
        assert_eq!(counter.next().unwrap().get(), 8);
        std::fs::write(dir.path().join(MAIN), "garbage!").unwrap();
        assert_eq!(counter.next().unwrap().get(), 9);
    }

    #[test]
    fn starts_with_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let counter = Counter::new(Fs::real(), dir.path().to_owned());
        let first = counter.next().unwrap().get();
        assert!(first >= now() - 5);
        assert_eq!(counter.next().unwrap().get(), first + 1);
    }
}
