//! What outlives the process: descriptors in systemd's FD store, and what belongs to them in a memfd there.
//!
//! ```text
//! name        descriptor
//! bundle-2-7  a bundle of those in slots 126 to 188, packed for the seventh time: per slot the client, and perhaps what
//!             tells of its mailbox; with it, postcard of a list: slot, are there two?
//! state       the memfd: slot n at n × 64 KiB: length (u32, little endian; 0: free), postcard of one Parked
//! ```
//!
//! systemd compares whatever it is to keep with everything that it has; so it gets few descriptors, and a bundle is packed anew when one in it
//! comes or goes. Of two of one bundle the later counts: a kill between storing one and forgetting the other leaves both. Somebody is there
//! who has a record and is in a bundle; the record is written last and erased first, so that nobody's descriptors meet another's record.
//! The memfd has holes where nobody is: a slot costs as many pages as its record.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use ipc::hibernate::{Parked, Slot};
use rustix::fs::{FallocateFlags, MemfdFlags, fallocate};
use service::store;
use sys::inherited::Inherited;
use sys::seqpacket::{self, MAX_BUNDLE};

/// The memfd's name in the FD store.
const STATE: &str = "state";
/// How names of bundles begin there.
const BUNDLE: &str = "bundle-";
/// Slots whose descriptors lie in one bundle: two each fit.
const TOGETHER: u32 = 63;
const _: () = assert!(TOGETHER as usize * 2 <= MAX_BUNDLE);
/// Longest list of those in a bundle, bytes.
const LIST: usize = 1024;
/// Bytes between one slot and the next.
const STEP: u64 = 64 << 10;
/// Most slots: a record that says more is none.
pub const SLOTS: u32 = 1 << 20;

/// The memory.
pub struct Shelf {
    state: File,
    /// Which bundles are stored, and their last number.
    stored: RefCell<HashMap<u32, u64>>,
    /// How often one was packed.
    packed: Cell<u64>,
}

/// Descriptors of somebody who is held.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    pub slot: Slot,
    pub client: BorrowedFd<'a>,
    pub watch: Option<BorrowedFd<'a>>,
}

/// A client that an earlier process held.
#[derive(Debug)]
pub struct Found {
    pub slot: Slot,
    pub parked: Parked,
    pub client: OwnedFd,
    pub watch: Option<OwnedFd>,
}

impl Found {
    fn member(&self) -> Member<'_> {
        Member {
            slot: self.slot,
            client: self.client.as_fd(),
            watch: self.watch.as_ref().map(OwnedFd::as_fd),
        }
    }
}

impl Shelf {
    /// Takes up what an earlier process left.
    ///
    /// # Errors
    /// No memory; systemd takes none.
    pub fn open(stored: Vec<Inherited>) -> io::Result<(Self, Vec<Found>)> {
        let (mut state, mut bundles) = (None, HashMap::<u32, (u64, OwnedFd)>::new());
        for stored in stored {
            match number(&stored.name) {
                Some((bundle, packed)) => {
                    let later = bundles
                        .get(&bundle)
                        .is_some_and(|(other, _)| *other > packed);
                    let older = match later {
                        true => Some(packed),
                        false => bundles
                            .insert(bundle, (packed, stored.fd))
                            .map(|older| older.0),
                    };
                    if let Some(older) = older {
                        store::forget(&name(bundle, older))?;
                    }
                }
                None if stored.name == STATE => state = Some(File::from(stored.fd)),
                None => store::forget(&stored.name)?,
            }
        }
        let stored = bundles
            .iter()
            .map(|(bundle, (packed, _))| (*bundle, *packed));
        let stored: HashMap<_, _> = stored.collect();
        let shelf = Self {
            state: state.map_or_else(new, Ok)?,
            packed: Cell::new(stored.values().copied().max().unwrap_or_default()),
            stored: RefCell::new(stored),
        };
        let mut found = Vec::new();
        for (bundle, (_, fd)) in bundles {
            found.extend(shelf.unpack(bundle, fd.as_fd())?);
        }
        Ok((shelf, found))
    }

    /// Who is in a bundle. Whoever was coming or going when the process ended is let go.
    fn unpack(&self, bundle: u32, fd: BorrowedFd<'_>) -> io::Result<Vec<Found>> {
        let mut list = [0; LIST];
        let received = seqpacket::unbundle(fd, &mut list)?;
        // The next process may have more room.
        if received.truncated {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let list = list.get(..received.len).unwrap_or_default();
        let list: Vec<(Slot, bool)> = postcard::from_bytes(list).unwrap_or_default();
        let packed = list.len();
        let mut fds = received.fds.into_iter();
        let mut found = Vec::new();
        for (slot, has_watch) in list {
            let (client, watch) = (fds.next(), has_watch.then(|| fds.next()).flatten());
            if let (Some(parked), Some(client)) = (self.read(slot), client) {
                found.push(Found {
                    slot,
                    parked,
                    client,
                    watch,
                });
            }
        }
        if found.is_empty() || found.len() < packed {
            let left: Vec<_> = found.iter().map(Found::member).collect();
            self.pack(bundle, &left)?;
        }
        Ok(found)
    }

    /// Packs all members of a bundle together.
    fn pack(&self, bundle: u32, members: &[Member<'_>]) -> io::Result<()> {
        let before = self.stored.borrow().get(&bundle).copied();
        if members.is_empty() {
            self.stored.borrow_mut().remove(&bundle);
        } else {
            let packed = self.packed.get().saturating_add(1);
            store::keep_always(&name(bundle, packed), together(members)?.as_fd())?;
            self.packed.set(packed);
            self.stored.borrow_mut().insert(bundle, packed);
        }
        before.map_or(Ok(()), |before| store::forget(&name(bundle, before)))
    }

    /// Puts a client into a free slot. `members`: all of [`neighbours`], this one with them.
    ///
    /// # Errors
    /// No memory, no such slot, or too many descriptors under way (`ETOOMANYREFS`: `LimitNOFILE=` counts them).
    pub fn put(&self, slot: Slot, parked: &Parked, members: &[Member<'_>]) -> io::Result<()> {
        if slot.0 >= SLOTS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let record = postcard::to_stdvec(parked).map_err(io::Error::other)?;
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        self.pack(slot.0 / TOGETHER, members)?;
        self.state.write_all_at(&record, offset(slot) + 4)?;
        self.state.write_all_at(&length.to_le_bytes(), offset(slot))
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

    /// Empties a slot. `members`: all who are left in [`neighbours`].
    ///
    /// # Errors
    /// systemd cannot be told, or no memory: who was in it stays in its bundle until that is packed again.
    pub fn clear(&self, slot: Slot, members: &[Member<'_>]) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let erased = fallocate(&self.state, hole, offset(slot), STEP);
        self.pack(slot.0 / TOGETHER, members)?;
        Ok(erased?)
    }
}

fn new() -> io::Result<File> {
    let state = rustix::fs::memfd_create("culver-hibernate", MemfdFlags::CLOEXEC)?;
    store::keep(STATE, state.as_fd())?;
    Ok(File::from(state))
}

/// One descriptor for those of all members.
fn together(members: &[Member<'_>]) -> io::Result<OwnedFd> {
    let list = members
        .iter()
        .map(|member| (member.slot, member.watch.is_some()));
    let list = postcard::to_stdvec(&list.collect::<Vec<_>>()).map_err(io::Error::other)?;
    let fds = members
        .iter()
        .flat_map(|member| [Some(member.client), member.watch]);
    let fds: Vec<_> = fds.flatten().collect();
    seqpacket::bundle(&list, &fds)
}

/// The slots whose descriptors lie in one bundle with those of this one.
pub fn neighbours(Slot(slot): Slot) -> Range<u32> {
    let first = slot - slot % TOGETHER;
    first..first.saturating_add(TOGETHER)
}

fn name(bundle: u32, packed: u64) -> String {
    format!("{BUNDLE}{bundle}-{packed}")
}

/// What a [`name`] says.
fn number(name: &str) -> Option<(u32, u64)> {
    let (bundle, packed) = name.strip_prefix(BUNDLE)?.split_once('-')?;
    Some((bundle.parse().ok()?, packed.parse().ok()?))
}

fn offset(Slot(slot): Slot) -> u64 {
    STEP * u64::from(slot)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::tests::parked;

    fn member(slot: u32, client: &UnixStream) -> Member<'_> {
        Member {
            slot: Slot(slot),
            client: client.as_fd(),
            watch: None,
        }
    }

    fn stored(shelf: &Shelf, bundles: Vec<(&str, &[Member<'_>])>) -> Vec<Inherited> {
        let state: OwnedFd = shelf.state.try_clone().unwrap().into();
        let all = bundles
            .into_iter()
            .map(|(name, members)| (name, together(members).unwrap()));
        all.chain([(STATE, state)])
            .map(|(name, fd)| Inherited {
                name: name.to_owned(),
                fd,
            })
            .collect()
    }

    #[test]
    fn the_next_process_finds_who_was_there() {
        let (shelf, found) = Shelf::open(Vec::new()).unwrap();
        assert!(found.is_empty());
        let (client, watch) = UnixStream::pair().unwrap();
        let (seven, nine) = (parked("seven"), parked("nine"));
        let both = [member(7, &client), member(9, &client)];
        shelf.put(Slot(7), &seven, &both[..1]).unwrap();
        shelf.put(Slot(9), &nine, &both).unwrap();
        assert_eq!(shelf.read(Slot(7)), Some(seven.clone()));
        shelf.clear(Slot(9), &both[..1]).unwrap();
        assert_eq!(shelf.read(Slot(9)), None);
        assert_eq!(shelf.stored.borrow().get(&0), Some(&3));
        let watched = [Member {
            watch: Some(watch.as_fd()),
            ..member(7, &client)
        }];
        let other = [member(63, &client)];
        let bundles: Vec<(&str, &[Member<'_>])> = vec![
            ("bundle-0-2", &both),
            ("bundle-0-10", &watched),
            ("bundle-0-9", &both),
            ("bundle-1-1", &other),
            ("bundle-x", &both),
            ("nonsense", &both),
        ];
        let (shelf, found) = Shelf::open(stored(&shelf, bundles)).unwrap();
        let [found] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((found.slot, &found.parked), (Slot(7), &seven));
        assert!(found.watch.is_some());
        assert_eq!(*shelf.stored.borrow(), HashMap::from([(0, 10)]));
        shelf.put(Slot(63), &nine, &other).unwrap();
        assert_eq!(shelf.stored.borrow().get(&1), Some(&11));
    }

    #[test]
    fn who_was_coming_or_going_is_let_go() {
        let (shelf, _) = Shelf::open(Vec::new()).unwrap();
        let (client, _other) = UnixStream::pair().unwrap();
        let both = [member(7, &client), member(9, &client)];
        shelf.put(Slot(7), &parked("seven"), &both[..1]).unwrap();
        let (next, found) = Shelf::open(stored(&shelf, vec![("bundle-0-2", &both)])).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(next.stored.borrow().get(&0), Some(&3));
        shelf.clear(Slot(7), &[]).unwrap();
        let (next, found) = Shelf::open(stored(&shelf, vec![("bundle-0-2", &both)])).unwrap();
        assert!(found.is_empty() && next.stored.borrow().is_empty());
    }

    #[test]
    fn a_full_bundle_fits() {
        let (shelf, _) = Shelf::open(Vec::new()).unwrap();
        let (client, watch) = UnixStream::pair().unwrap();
        let slots = neighbours(Slot(SLOTS - 1));
        assert_eq!(slots.len(), TOGETHER as usize);
        let watch = Some(watch.as_fd());
        let members: Vec<_> = slots
            .map(|slot| Member {
                watch,
                ..member(slot, &client)
            })
            .collect();
        let last = Slot(SLOTS - 1);
        shelf.put(last, &parked("x"), &members).unwrap();
        let bundle = ("bundle-1-1", &members[..]);
        let (_, found) = Shelf::open(stored(&shelf, vec![bundle])).unwrap();
        assert_eq!(found.len(), 1);
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
            shelf.clear(Slot(slot), &[]).unwrap();
        }
        assert_eq!(shelf.state.metadata().unwrap().blocks(), 0);
        assert!(shelf.put(Slot(SLOTS), &parked("x"), &[]).is_err());
    }
}
