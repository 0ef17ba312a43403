//! The journal's own protocol: one datagram a record, systemd's JOURNAL_NATIVE_PROTOCOL.
//!
//! *Invariant:* nobody waits for the journal. While it does not read, records are dropped and counted; the next one that
//! goes through says how many.

use std::fmt;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Event;
use tracing::field::{Field, Visit};

use super::{Sink, priority};

/// Where journald listens. Named at each record: a journald that was restarted has another socket there.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Longest text of a field, bytes; the rest is cut off.
const LONGEST: usize = 16 << 10;

/// Records to journald.
pub(super) struct Journal {
    service: &'static str,
    socket: UnixDatagram,
    dropped: AtomicU64,
}

impl Journal {
    /// Fails where there is no journal.
    pub(super) fn connect(service: &'static str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let journal = Self {
            service,
            socket,
            dropped: AtomicU64::new(0),
        };
        // An empty record is none, and tells whether somebody listens.
        journal.socket.send_to(&[], SOCKET)?;
        Ok(journal)
    }

    fn record(&self, priority: u8) -> Record {
        let mut record = Record(Vec::with_capacity(512));
        record.field("PRIORITY", &priority.to_string());
        record.field("SYSLOG_IDENTIFIER", "culver");
        record.field("CULVER_SERVICE", self.service);
        record
    }

    fn send(&self, record: &Record) {
        if self.socket.send_to(&record.0, SOCKET).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
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
        if self.socket.send_to(&record.0, SOCKET).is_err() {
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
}
