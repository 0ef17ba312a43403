//! The sessions in memory that outlives the process: a memfd in systemd's FD store.
//!
//! ```text
//! "culver-anvil 1\n"  then records: length (u32, little endian), postcard of one Entry
//! ```
//!
//! A change is written before it is answered. A record that was cut off by a kill was never answered
//! and is passed over. When most of the log is about sessions that are gone, the living ones are written
//! to a memfd of the next generation; the older one goes when the newer one is stored.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use ipc::SessionId;
use ipc::anvil::Session;
use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};
use service::store;
use sys::inherited::Inherited;

const HEADER: &[u8] = b"culver-anvil 1\n";
/// Names in the FD store: `sessions-1`, `sessions-2`, …
const NAME: &str = "sessions-";
/// Bytes below which a log is never rewritten.
const SMALL: u64 = 1 << 20;
/// Largest log that is read back: what [`crate::table::MAX_SESSIONS`] need, several times.
const MAX: u64 = 1 << 30;

/// Why the log can't be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{call} failed for the log of sessions: {source}")]
    Syscall {
        /// Which.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Never in practice.
    #[error("a session can't be encoded: {0}")]
    Encoding(#[from] postcard::Error),
}

fn failed(call: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Syscall { call, source }
}

/// One change.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    Connected(Session),
    Disconnected(SessionId),
    /// Everything that was alive when this generation began has been written.
    Complete,
}

/// The log, open for writing.
#[derive(Debug)]
pub struct Log {
    file: File,
    generation: u64,
    bytes: u64,
    /// Bytes right after the last rewriting.
    base: u64,
}

/// Sessions by name.
pub type Sessions = HashMap<SessionId, Session>;

impl Log {
    /// Takes up the newest complete log among the stored descriptors, or begins one.
    ///
    /// # Errors
    /// [`Error`]: no memory for a new one.
    pub fn open(stored: Vec<Inherited>) -> Result<(Self, Sessions), Error> {
        let mut sessions = Sessions::new();
        let mut newest = 0;
        let logs = stored.into_iter().filter_map(|fd| {
            Some((
                fd.name.strip_prefix(NAME)?.parse::<u64>().ok()?,
                File::from(fd.fd),
            ))
        });
        for (generation, mut file) in logs {
            if generation < newest {
                continue;
            }
            if let Some(found) = read(&mut file) {
                (newest, sessions) = (generation, found);
            }
        }
        // Written anew at each start: the old one may end in a record that was cut off.
        let log = Self::begin(newest.saturating_add(1), sessions.values())?;
        forget_before(log.generation);
        Ok((log, sessions))
    }

    /// A session began.
    ///
    /// # Errors
    /// [`Error`]: out of memory.
    pub fn connected(&mut self, session: &Session) -> Result<(), Error> {
        self.append(&Entry::Connected(session.clone()))
    }

    /// A session ended.
    ///
    /// # Errors
    /// [`Error`]: out of memory.
    pub fn disconnected(&mut self, session: &SessionId) -> Result<(), Error> {
        self.append(&Entry::Disconnected(session.clone()))
    }

    /// Is most of the log about sessions that are gone?
    pub fn is_stale(&self) -> bool {
        self.bytes > SMALL && self.bytes > self.base.saturating_mul(4)
    }

    /// Begins the next generation with the living sessions.
    ///
    /// # Errors
    /// [`Error`]: out of memory; this log stays as it is.
    pub fn rewrite<'s>(&mut self, living: impl Iterator<Item = &'s Session>) -> Result<(), Error> {
        *self = Self::begin(self.generation.saturating_add(1), living)?;
        forget_before(self.generation);
        Ok(())
    }

    fn begin<'s>(
        generation: u64,
        living: impl Iterator<Item = &'s Session>,
    ) -> Result<Self, Error> {
        let file = rustix::fs::memfd_create(
            "culver-anvil",
            MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL,
        );
        // Linux before 6.3 doesn't know NOEXEC_SEAL.
        let file = file.or_else(|_| rustix::fs::memfd_create("culver-anvil", MemfdFlags::CLOEXEC));
        let file = File::from(file.map_err(|error| failed("memfd_create")(error.into()))?);
        let mut log = Self {
            file,
            generation,
            bytes: 0,
            base: 0,
        };
        let mut bytes = HEADER.to_vec();
        for session in living {
            encode(&mut bytes, &Entry::Connected(session.clone()))?;
        }
        encode(&mut bytes, &Entry::Complete)?;
        log.write(&bytes)?;
        log.base = log.bytes;
        store::keep(&format!("{NAME}{generation}"), log.file.as_fd())
            .map_err(failed("sd_notify"))?;
        Ok(log)
    }

    fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut bytes = Vec::new();
        encode(&mut bytes, entry)?;
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // A write that fails half way must not leave half a record before the next one.
        self.file
            .write_all_at(bytes, self.bytes)
            .map_err(failed("pwrite"))?;
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

fn encode(bytes: &mut Vec<u8>, entry: &Entry) -> Result<(), Error> {
    let record = postcard::to_stdvec(entry)?;
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&record);
    Ok(())
}

/// The sessions of a complete log; None for anything else.
fn read(file: &mut File) -> Option<Sessions> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(MAX).read_to_end(&mut bytes).ok()?;
    decode(&bytes)
}

fn decode(bytes: &[u8]) -> Option<Sessions> {
    let mut rest = bytes.strip_prefix(HEADER)?;
    let mut sessions = Sessions::new();
    let mut complete = false;
    while let Some((entry, after)) = entry(rest) {
        match entry {
            Entry::Connected(session) => drop(sessions.insert(session.session.clone(), session)),
            Entry::Disconnected(session) => drop(sessions.remove(&session)),
            Entry::Complete => complete = true,
        }
        rest = after;
    }
    complete.then_some(sessions)
}

/// The first record, and what follows it.
fn entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (record, rest) = rest.split_at_checked(length)?;
    Some((postcard::from_bytes(record).ok()?, rest))
}

/// Lets the store go of generations before this one.
fn forget_before(generation: u64) {
    for old in generation.saturating_sub(2)..generation {
        if let Err(error) = store::forget(&format!("{NAME}{old}")) {
            tracing::debug!("sd_notify failed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::session;

    fn stored(log: &Log) -> Vec<Inherited> {
        let fd = log.file.try_clone().unwrap().into();
        vec![Inherited {
            name: format!("{NAME}{}", log.generation),
            fd,
        }]
    }

    #[test]
    fn a_restart_forgets_nothing() {
        let (mut log, sessions) = Log::open(Vec::new()).unwrap();
        assert!(sessions.is_empty());
        let (a, b) = (
            session("a", "jo", "192.0.2.1"),
            session("b", "jo", "192.0.2.1"),
        );
        log.connected(&a).unwrap();
        log.connected(&b).unwrap();
        log.disconnected(&a.session).unwrap();
        let (log, sessions) = Log::open(stored(&log)).unwrap();
        assert_eq!(
            sessions.into_values().collect::<Vec<_>>(),
            std::slice::from_ref(&b)
        );
        let (_, sessions) = Log::open(stored(&log)).unwrap();
        assert_eq!(sessions.into_values().collect::<Vec<_>>(), [b]);
    }

    #[test]
    fn every_truncation_keeps_what_was_whole() {
        let mut bytes = HEADER.to_vec();
        encode(&mut bytes, &Entry::Complete).unwrap();
        let base = bytes.len();
        encode(
            &mut bytes,
            &Entry::Connected(session("a", "jo", "192.0.2.1")),
        )
        .unwrap();
        let one = bytes.len();
        encode(
            &mut bytes,
            &Entry::Connected(session("b", "jo", "192.0.2.1")),
        )
        .unwrap();
        for length in 0..bytes.len() {
            let sessions = decode(&bytes[..length]).map(|sessions| sessions.len());
            let expected = (length >= base).then_some(usize::from(length >= one));
            assert_eq!(sessions, expected, "{length}");
        }
    }

    #[test]
    fn a_generation_that_was_not_finished_does_not_count() {
        let (mut log, _) = Log::open(Vec::new()).unwrap();
        log.connected(&session("a", "jo", "192.0.2.1")).unwrap();
        let half = File::from(rustix::fs::memfd_create("half", MemfdFlags::CLOEXEC).unwrap());
        half.write_all_at(HEADER, 0).unwrap();
        let mut all = stored(&log);
        all.push(Inherited {
            name: format!("{NAME}9"),
            fd: half.into(),
        });
        assert_eq!(Log::open(all).unwrap().1.len(), 1);
    }

    #[test]
    fn a_log_of_the_dead_is_rewritten() {
        let (mut log, _) = Log::open(Vec::new()).unwrap();
        let living = session("living", "jo", "192.0.2.1");
        log.connected(&living).unwrap();
        let mut rounds = 0_u32;
        while !log.is_stale() {
            let passing = session(&format!("s{rounds}"), "jo", "192.0.2.1");
            log.connected(&passing).unwrap();
            log.disconnected(&passing.session).unwrap();
            rounds += 1;
        }
        log.rewrite([&living].into_iter()).unwrap();
        assert!(log.bytes < 1000);
        assert_eq!(Log::open(stored(&log)).unwrap().1.len(), 1);
    }
}
