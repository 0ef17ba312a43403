//! The journal's own protocol: one datagram a record, systemd's JOURNAL_NATIVE_PROTOCOL.
//!
//! The socket is connected when the process starts: a worker that goes into a chroot, where the journal has no name, takes it along.
//!
//! *Invariant:* nobody waits for the journal. While it does not read, records are dropped and counted; the next one that
//! goes through says how many.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use tracing::Event;
use tracing::field::{Field, Visit};

use super::{Sink, priority};

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Longest text of a field, bytes; the rest is cut off.
const LONGEST: usize = 256 << 10;

/// Records to journald.
pub(super) struct Journal {
    service: &'static str,
    path: PathBuf,
    socket: UnixDatagram,
    dropped: AtomicU64,
}

impl Journal {
    /// Fails where there is no journal.
    pub(super) fn connect(service: &'static str) -> io::Result<Self> {
        Self::connect_to(service, Path::new(SOCKET))
    }

    fn connect_to(service: &'static str, path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        Ok(Self {
            service,
            path: path.to_owned(),
            socket,
            dropped: AtomicU64::new(0),
        })
    }

    fn record(&self, priority: u8) -> Record {
        let mut record = Record(Vec::with_capacity(512));
        record.field("PRIORITY", &priority.to_string());
        record.field("SYSLOG_IDENTIFIER", "culver");
        record.field("CULVER_SERVICE", self.service);
        record
    }

    fn send(&self, record: &Record) {
        if self.try_send(&record.0).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn try_send(&self, record: &[u8]) -> io::Result<()> {
        let sent = self.socket.send(record).or_else(|error| {
            match Errno::from_io_error(&error) {
                // That socket is gone; a journal that began anew has another of its name.
                Some(Errno::CONNREFUSED | Errno::NOTCONN | Errno::CONNRESET) => {
                    self.socket.send_to(record, &self.path)
                }
                _ => Err(error),
            }
        });
        match sent {
            Ok(_) => Ok(()),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {
                self.send_file(record)
            }
            Err(error) => Err(error),
        }
    }

    /// A record that does not fit into a datagram, as a file that nobody can change any more.
    fn send_file(&self, record: &[u8]) -> io::Result<()> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("culver-record", flags)?);
        file.write_all(record)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        sys::seqpacket::send(self.socket.as_fd(), &[], &[file.as_fd()])
    }

    /// Says how many records were dropped, once one goes through again.
    fn own_up(&self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped == 0 {
            return;
        }
        let mut record = self.record(4);
        let text = format!(
            "{}: Warning: {dropped} log records were lost: the journal did not read",
            self.service
        );
        record.field("MESSAGE", &text);
        if self.try_send(&record.0).is_err() {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }
}

impl Sink for Journal {
    fn write(&self, event: &Event<'_>) {
        self.own_up();
        let mut record = self.record(priority(*event.metadata().level()));
        event.record(&mut record);
        self.send(&record);
    }
}

/// One record as it is written.
struct Record(Vec<u8>);

impl Record {
    /// A field whose value may hold anything: its length comes first, so that no byte in it can end it.
    fn field(&mut self, name: &str, value: &str) {
        let cut = value.len().min(LONGEST);
        let value = value.as_bytes().get(..cut).unwrap_or_default();
        self.0
            .extend(name.bytes().map(|byte| byte.to_ascii_uppercase()));
        self.0.push(b'\n');
        self.0
            .extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_begin_another_field() {
        let mut record = Record(Vec::new());
        record.field("culver_user", "eve\nPRIORITY=0");
        assert_eq!(
            record.0,
            b"CULVER_USER\n\x0e\0\0\0\0\0\0\0eve\nPRIORITY=0\n"
        );
    }

    fn journal(directory: &Path) -> (UnixDatagram, Journal) {
        let path = directory.join("socket");
        let reader = UnixDatagram::bind(&path).unwrap();
        (reader, Journal::connect_to("test", &path).unwrap())
    }

    fn record(journal: &Journal, text: &str) -> Record {
        let mut record = journal.record(6);
        record.field("MESSAGE", text);
        record
    }

    fn read(reader: &UnixDatagram) -> Vec<u8> {
        let mut buffer = vec![0; 1 << 16];
        let mut received = sys::seqpacket::recv(reader.as_fd(), &mut buffer).unwrap();
        match received.fds.pop() {
            None => buffer[..received.len].to_vec(),
            Some(file) => {
                use std::os::unix::fs::FileExt as _;
                let file = File::from(file);
                assert!(file.write_at(b"x", 0).is_err(), "it is not sealed");
                let mut record = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
                file.read_exact_at(&mut record, 0).unwrap();
                record
            }
        }
    }

    #[test]
    fn a_process_without_the_name_still_writes_short_and_long() {
        let directory = tempfile::tempdir().unwrap();
        let (reader, journal) = journal(directory.path());
        // As in a chroot.
        std::fs::remove_file(directory.path().join("socket")).unwrap();
        for length in [10, LONGEST] {
            let record = record(&journal, &"x".repeat(length));
            journal.send(&record);
            assert_eq!(read(&reader), record.0, "{length}");
        }
        assert_eq!(journal.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_journal_that_began_anew_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (reader, journal) = journal(directory.path());
        let path = directory.path().join("socket");
        drop(reader);
        std::fs::remove_file(&path).unwrap();
        let lost = record(&journal, "nobody reads");
        journal.send(&lost);
        journal.send(&lost);
        let reader = UnixDatagram::bind(&path).unwrap();
        let found = record(&journal, "somebody reads");
        journal.own_up();
        journal.send(&found);
        let own = String::from_utf8_lossy(&read(&reader)).into_owned();
        assert!(own.contains("2 log records were lost"), "{own}");
        assert_eq!(read(&reader), found.0);
    }
}
