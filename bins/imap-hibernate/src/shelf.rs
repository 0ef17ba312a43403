//! What outlives the process: descriptors in systemd's FD store, and what belongs to them in a memfd there.
//!
//! ```text
//! name      descriptors
//! parked-7  the client in slot 7, and perhaps what tells of its mailbox
//! state     the memfd: slot n at n × 64 KiB: length (u32, little endian; 0: free), postcard of one Parked
//! ```
//!
//! The memfd has holes where nobody is: a slot costs as many pages as its record.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use ipc::hibernate::{Parked, Slot};
use rustix::fs::{FallocateFlags, MemfdFlags, fallocate};
use rustix::net::sockopt::socket_type;
use service::store;
use sys::inherited::Inherited;

/// The memfd's name in the FD store.
const STATE: &str = "state";
/// How names of clients begin there.
const CLIENT: &str = "parked-";
/// Bytes between one slot and the next.
const STEP: u64 = 64 << 10;
/// Most slots: a record that says more is none.
pub const SLOTS: u32 = 1 << 20;

/// The memory.
pub struct Shelf {
    state: File,
}

/// A client that an earlier process held.
#[derive(Debug)]
pub struct Found {
    pub slot: Slot,
    pub parked: Parked,
    pub client: OwnedFd,
    pub watch: Option<OwnedFd>,
}

impl Shelf {
    /// Takes up what an earlier process left.
    ///
    /// # Errors
    /// No memory; systemd takes none.
    pub fn open(stored: Vec<Inherited>) -> io::Result<(Self, Vec<Found>)> {
        let (mut state, mut clients) = (None, HashMap::<u32, Vec<OwnedFd>>::new());
        for stored in stored {
            let slot = stored.name.strip_prefix(CLIENT).map(str::parse);
            match slot {
                Some(Ok(slot)) => clients.entry(slot).or_default().push(stored.fd),
                _ if stored.name == STATE => state = Some(File::from(stored.fd)),
                _ => store::forget(&stored.name)?,
            }
        }
        let shelf = Self {
            state: state.map_or_else(new, Ok)?,
        };
        let mut found = Vec::new();
        for (slot, fds) in clients {
            let slot = Slot(slot);
            let (mut sockets, others): (Vec<_>, Vec<_>) =
                fds.into_iter().partition(|fd| socket_type(fd).is_ok());
            match (shelf.read(slot), sockets.pop()) {
                (Some(parked), Some(client)) => found.push(Found {
                    slot,
                    parked,
                    client,
                    watch: others.into_iter().next(),
                }),
                // The client hung up, or it was being put here when the process ended.
                _ => shelf.clear(slot)?,
            }
        }
        Ok((shelf, found))
    }

    /// Puts a client into a free slot.
    ///
    /// # Errors
    /// No memory, or no such slot.
    pub fn put(&self, slot: Slot, parked: &Parked, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if slot.0 >= SLOTS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let record = postcard::to_stdvec(parked).map_err(io::Error::other)?;
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        self.state.write_all_at(&record, offset(slot) + 4)?;
        self.state
            .write_all_at(&length.to_le_bytes(), offset(slot))?;
        store::keep_all(&name(slot), fds)
    }

    /// Who is in a slot.
    pub fn read(&self, slot: Slot) -> Option<Parked> {
        let mut length = [0; 4];
        self.state.read_exact_at(&mut length, offset(slot)).ok()?;
        let length = u64::from(u32::from_le_bytes(length));
        if length == 0 || length > STEP - 4 {
            return None;
        }
        let mut record = vec![0; usize::try_from(length).ok()?];
        self.state
            .read_exact_at(&mut record, offset(slot) + 4)
            .ok()?;
        postcard::from_bytes(&record).ok()
    }

    /// Empties a slot.
    ///
    /// # Errors
    /// systemd cannot be told.
    pub fn clear(&self, slot: Slot) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let told = store::forget(&name(slot));
        fallocate(&self.state, hole, offset(slot), STEP)?;
        told
    }
}

fn new() -> io::Result<File> {
    let state = rustix::fs::memfd_create("culver-hibernate", MemfdFlags::CLOEXEC)?;
    store::keep(STATE, state.as_fd())?;
    Ok(File::from(state))
}

fn name(Slot(slot): Slot) -> String {
    format!("{CLIENT}{slot}")
}

fn offset(Slot(slot): Slot) -> u64 {
    STEP * u64::from(slot)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::tests::parked;

    fn stored(shelf: &Shelf, clients: Vec<(&str, OwnedFd)>) -> Vec<Inherited> {
        let state = shelf.state.try_clone().unwrap().into();
        let all = clients.into_iter().chain([(STATE, state)]);
        all.map(|(name, fd)| Inherited {
            name: name.to_owned(),
            fd,
        })
        .collect()
    }

    #[test]
    fn the_next_process_finds_who_was_there() {
        let (shelf, found) = Shelf::open(Vec::new()).unwrap();
        assert!(found.is_empty());
        let (client, _other) = UnixStream::pair().unwrap();
        let (seven, nine) = (parked("seven"), parked("nine"));
        shelf.put(Slot(7), &seven, &[client.as_fd()]).unwrap();
        shelf.put(Slot(9), &nine, &[client.as_fd()]).unwrap();
        assert_eq!(shelf.read(Slot(7)), Some(seven.clone()));
        shelf.clear(Slot(9)).unwrap();
        assert_eq!(shelf.read(Slot(9)), None);
        let watch = File::open("/dev/null").unwrap();
        let clients = vec![
            ("parked-7", watch.into()),
            ("parked-7", client.try_clone().unwrap().into()),
            ("parked-9", client.try_clone().unwrap().into()),
            ("parked-99999", client.into()),
            ("nonsense", File::open("/dev/null").unwrap().into()),
        ];
        let (_, found) = Shelf::open(stored(&shelf, clients)).unwrap();
        let [found] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((found.slot, &found.parked), (Slot(7), &seven));
        assert!(found.watch.is_some());
    }

    #[test]
    fn an_empty_slot_costs_nothing() {
        use std::os::unix::fs::MetadataExt as _;
        let (shelf, _) = Shelf::open(Vec::new()).unwrap();
        for slot in 0..100 {
            shelf.put(Slot(slot), &parked("x"), &[]).unwrap();
        }
        assert_eq!(shelf.state.metadata().unwrap().blocks() * 512, 100 * 4096);
        for slot in 0..100 {
            shelf.clear(Slot(slot)).unwrap();
        }
        assert_eq!(shelf.state.metadata().unwrap().blocks(), 0);
        assert!(shelf.put(Slot(SLOTS), &parked("x"), &[]).is_err());
    }
}
