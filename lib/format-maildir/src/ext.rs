//! The "maildir" extension of the index: how directories and uidlist looked when the index was last brought
//! in line with them. As long as they look the same, the index says it all. FORMATS.md §1.10, §4.4.
//!
//! ```text
//! new: u32 check_time, mtime, mtime_nsecs · cur: the same · uidlist: u32 mtime, mtime_nsecs, size
//! ```

use index::{ExtSpec, State, Transaction};
use sys::fs::{Stat, Time};

use crate::record::Place;

const SPEC: ExtSpec<'static> = ExtSpec {
    name: "maildir",
    header_size: SyncHeader::SIZE,
    record_size: 0,
    record_align: 0,
};

/// Flag of a record whose file does not know yet what the index says. FORMATS.md §1.1.
pub(crate) const DIRTY: u8 = 0x80;

/// See the head of this file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SyncHeader {
    pub new: DirTimes,
    pub cur: DirTimes,
    pub list: ListTimes,
}

/// Of a directory; all 0: never listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirTimes {
    /// When it was listed, UNIX seconds.
    pub checked: u32,
    pub mtime: u32,
    pub nsecs: u32,
}

/// Of the uidlist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListTimes {
    pub mtime: u32,
    pub nsecs: u32,
    /// Bytes.
    pub size: u32,
}

impl SyncHeader {
    const SIZE: u32 = 36;

    /// What an index says; zeros where it says nothing.
    pub(crate) fn of(state: &State) -> Self {
        let bytes = state.ext_header(SPEC.name).unwrap_or_default();
        let mut numbers = [0; 9];
        for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *number = u32::from_le_bytes(*bytes);
        }
        let dir = |[checked, mtime, nsecs]: [u32; 3]| DirTimes {
            checked,
            mtime,
            nsecs,
        };
        let [a, b, c, d, e, f, mtime, nsecs, size] = numbers;
        Self {
            new: dir([a, b, c]),
            cur: dir([d, e, f]),
            list: ListTimes { mtime, nsecs, size },
        }
    }

    /// Writes it down, if the index says something else.
    pub(crate) fn put(&self, state: &State, transaction: &mut Transaction) {
        if Self::of(state) == *self {
            return;
        }
        let dir = |times: DirTimes| [times.checked, times.mtime, times.nsecs];
        let list = [self.list.mtime, self.list.nsecs, self.list.size];
        let numbers = [dir(self.new), dir(self.cur), list];
        let bytes: Vec<u8> = numbers
            .as_flattened()
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        transaction.extension(&SPEC).set_header(0, &bytes);
    }

    pub(crate) fn dir(&self, place: Place) -> DirTimes {
        match place {
            Place::New => self.new,
            Place::Cur => self.cur,
        }
    }
}

impl DirTimes {
    /// Of a directory that was listed at `checked`, UNIX seconds.
    pub(crate) fn new(mtime: Time, checked: u32) -> Self {
        Self {
            checked,
            mtime: low(mtime.sec),
            nsecs: mtime.nsec,
        }
    }

    pub(crate) fn is_of(self, mtime: Time) -> bool {
        self != Self::default() && (self.mtime, self.nsecs) == (low(mtime.sec), mtime.nsec)
    }

    /// It was listed so soon after a change that another one may have left no trace.
    pub(crate) fn is_dirty(self) -> bool {
        self.checked <= self.mtime.saturating_add(1)
    }
}

impl ListTimes {
    /// Of the file.
    pub(crate) fn of(mtime: Time, size: u64) -> Self {
        Self {
            mtime: low(mtime.sec),
            nsecs: mtime.nsec,
            size: low(size.cast_signed()),
        }
    }

    pub(crate) fn is_of(self, stat: &Stat) -> bool {
        self != Self::default() && self == Self::of(stat.mtime, stat.size)
    }
}

/// What is kept of a large number.
fn low(number: i64) -> u32 {
    u32::try_from(number & i64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut state = State::empty(1);
        assert_eq!(SyncHeader::of(&state), SyncHeader::default());
        assert!(!DirTimes::default().is_of(Time::default()));
        let (sec, nsec) = (1_795_436_124, 212_519_046);
        let mtime = Time { sec, nsec };
        let header = SyncHeader {
            new: DirTimes::new(mtime, 1_795_436_125),
            cur: DirTimes::new(mtime, 1_795_436_126),
            list: ListTimes::of(mtime, 51),
        };
        assert!(header.new.is_of(mtime) && header.new.is_dirty() && !header.cur.is_dirty());
        let mut transaction = Transaction::external();
        header.put(&state, &mut transaction);
        let dir = tempfile::tempdir().unwrap();
        let fs = sys::fs::Fs::real();
        let options = index::Options::mailbox(&mailbox::Settings::default());
        let (index, _) = index::Index::create(&fs, dir.path(), options, &transaction).unwrap();
        state.clone_from(&*index.state().unwrap());
        assert_eq!(SyncHeader::of(&state), header);
        let mut again = Transaction::external();
        header.put(&state, &mut again);
        assert!(again.is_empty());
    }
}
