//! Which sessions are parked, and the key that seals what they need to come back, in memory that outlives the manager: a
//! memfd in systemd's FD store.
//!
//! ```text
//! offset      size
//!      0        64  key
//! 64 + 16 n     16  nonce of the session in slot n; zeros: free
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use ipc::hibernate::Slot;
use rustix::fs::MemfdFlags;

/// Its name in the FD store.
pub(crate) const NAME: &str = "parked";
/// Most sessions: what their descriptors allow comes before.
const MAX: u32 = 1 << 20;

/// Seals records: a block of the hash.
pub(crate) type Key = [u8; 64];
/// Makes a record good for one return.
pub(crate) type Nonce = [u8; 16];

const FREE: Nonce = [0; 16];
const NO_KEY: Key = [0; 64];

pub(crate) struct Ledger {
    file: File,
    key: Key,
    out: HashMap<Slot, Nonce>,
    /// Free slots below `end`.
    free: Vec<Slot>,
    end: u32,
}

impl Ledger {
    /// Goes on with what an earlier manager stored, or begins.
    ///
    /// # Errors
    /// No memory, no randomness, no systemd that keeps it.
    pub fn open(stored: Option<OwnedFd>) -> io::Result<Self> {
        match stored.map(File::from).map(Self::read) {
            Some(Ok(ledger)) => Ok(ledger),
            Some(Err(_)) | None => Self::begin(),
        }
    }

    fn begin() -> io::Result<Self> {
        let mut key = NO_KEY;
        sys::random::fill(&mut key)?;
        let file = File::from(rustix::fs::memfd_create(
            "culver-parked",
            MemfdFlags::CLOEXEC,
        )?);
        file.write_all_at(&key, 0)?;
        service::store::forget(NAME)?;
        service::store::keep(NAME, file.as_fd())?;
        Ok(Self {
            file,
            key,
            out: HashMap::new(),
            free: Vec::new(),
            end: 0,
        })
    }

    fn read(file: File) -> io::Result<Self> {
        let mut key = NO_KEY;
        file.read_exact_at(&mut key, 0)?;
        let mut ledger = Self {
            file,
            key,
            out: HashMap::new(),
            free: Vec::new(),
            end: 0,
        };
        let mut nonce = FREE;
        while ledger.end < MAX && ledger.read_slot(Slot(ledger.end), &mut nonce)? {
            let slot = Slot(ledger.end);
            match nonce {
                FREE => ledger.free.push(slot),
                nonce => drop(ledger.out.insert(slot, nonce)),
            }
            ledger.end += 1;
        }
        Ok(ledger)
    }

    /// `false`: the ledger ends before.
    fn read_slot(&self, slot: Slot, nonce: &mut Nonce) -> io::Result<bool> {
        match self.file.read_exact_at(nonce, offset(slot)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A slot for one session.
    ///
    /// # Errors
    /// All are taken; no memory, no randomness.
    pub fn take(&mut self) -> io::Result<(Slot, Nonce)> {
        let mut nonce = FREE;
        while nonce == FREE {
            sys::random::fill(&mut nonce)?;
        }
        let slot = match self.free.last() {
            Some(slot) => *slot,
            None if self.end < MAX => Slot(self.end),
            None => return Err(io::ErrorKind::QuotaExceeded.into()),
        };
        self.file.write_all_at(&nonce, offset(slot))?;
        if self.free.pop().is_none() {
            self.end += 1;
        }
        self.out.insert(slot, nonce);
        Ok((slot, nonce))
    }

    /// Is this session still parked there?
    pub fn is_out(&self, slot: Slot, nonce: &Nonce) -> bool {
        self.out.get(&slot) == Some(nonce)
    }

    /// The session is parked no more: its record is worth nothing from now on.
    pub fn settle(&mut self, slot: Slot) {
        if self.out.remove(&slot).is_some() {
            // Written before, at this place: it cannot fail for want of memory.
            if let Err(error) = self.file.write_all_at(&FREE, offset(slot)) {
                tracing::error!("BUG: writing the ledger of parked sessions failed: {error}");
                return;
            }
            self.free.push(slot);
        }
    }

    /// As the next manager gets it.
    #[cfg(test)]
    pub fn stored(&self) -> OwnedFd {
        self.file.try_clone().unwrap().into()
    }

    /// All slots that are taken.
    pub fn taken(&self) -> Vec<Slot> {
        self.out.keys().copied().collect()
    }
}

fn offset(Slot(slot): Slot) -> u64 {
    64 + 16 * u64::from(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_manager_knows_who_is_parked() {
        let mut ledger = Ledger::open(None).unwrap();
        let (first, one) = ledger.take().unwrap();
        let (second, two) = ledger.take().unwrap();
        let (_, _) = ledger.take().unwrap();
        ledger.settle(first);
        assert!(!ledger.is_out(first, &one) && ledger.is_out(second, &two));
        let mut next = Ledger::open(Some(ledger.stored())).unwrap();
        assert_eq!(next.key(), ledger.key());
        assert!(!next.is_out(first, &one) && next.is_out(second, &two));
        assert_eq!(next.taken().len(), 2);
        // A slot is used again, under another nonce.
        let (again, other) = next.take().unwrap();
        assert_eq!(again, first);
        assert_ne!(other, one);
    }

    #[test]
    fn what_is_no_ledger_is_passed_over() {
        let nothing = File::open("/dev/null").unwrap();
        let ledger = Ledger::open(Some(nothing.into())).unwrap();
        assert!(ledger.taken().is_empty());
        assert_ne!(ledger.key(), &NO_KEY);
    }
}
