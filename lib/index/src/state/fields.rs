//! Counters and low-waters of the header. FORMATS.md §1.1.

use super::header::HAVE_DIRTY;
use super::{State, field};

const DELETED: u8 = 0x04;
const SEEN: u8 = 0x08;
const DIRTY: u8 = 0x80;

impl State {
    /// A message is there now.
    pub(crate) fn count_in(&mut self, uid: u32, flags: u8) {
        self.header.set(field::MESSAGES, self.records.len());
        self.count_flags(uid, 0, flags);
        if flags & SEEN == 0 {
            self.lower(field::FIRST_UNSEEN_LOW, uid);
        }
    }

    /// A message is no longer there.
    pub(crate) fn count_out(&mut self, flags: u8) {
        self.header.set(field::MESSAGES, self.records.len());
        self.count(field::SEEN, flags & SEEN, 0);
        self.count(field::DELETED, flags & DELETED, 0);
        if flags & DELETED != 0 {
            self.raise_deleted_low(0);
        }
    }

    /// A message's flags have changed.
    pub(crate) fn count_flags(&mut self, uid: u32, old: u8, new: u8) {
        self.count(field::SEEN, old & SEEN, new & SEEN);
        self.count(field::DELETED, old & DELETED, new & DELETED);
        if old & SEEN != 0 && new & SEEN == 0 {
            self.lower(field::FIRST_UNSEEN_LOW, uid);
        }
        if old & DELETED == 0 && new & DELETED != 0 {
            self.lower(field::FIRST_DELETED_LOW, uid);
        }
        if old & SEEN == 0
            && new & SEEN != 0
            && self.header.get(field::SEEN) == self.header.get(field::MESSAGES)
        {
            let behind = self.header.next_uid().max(uid.saturating_add(1));
            self.header.set(field::FIRST_UNSEEN_LOW, behind);
        }
        if old & DELETED != 0 && new & DELETED == 0 {
            self.raise_deleted_low(uid);
        }
        if new & DIRTY != 0 {
            let flags = self.header.get(field::FLAGS);
            self.header.set(field::FLAGS, flags | HAVE_DIRTY);
        }
    }

    fn count(&mut self, counter: usize, old: u8, new: u8) {
        let count = self.header.get(counter);
        self.header.set(
            counter,
            match (old, new) {
                (0, 1..) => count.saturating_add(1),
                (1.., 0) => count.saturating_sub(1),
                _ => count,
            },
        );
    }

    /// Where no message is deleted any more, as Dovecot does.
    fn raise_deleted_low(&mut self, uid: u32) {
        if self.header.get(field::DELETED) == 0 {
            let behind = self.header.next_uid().max(uid.saturating_add(1));
            self.header.set(field::FIRST_DELETED_LOW, behind);
        }
    }

    fn lower(&mut self, low_water: usize, uid: u32) {
        if uid < self.header.get(low_water) {
            self.header.set(low_water, uid);
        }
    }

    /// Counts all anew; low-waters stay where they are unless they say too much.
    pub(crate) fn check_counters(&mut self) {
        let marks = [field::FIRST_UNSEEN_LOW, field::FIRST_DELETED_LOW];
        let before = marks.map(|mark| (mark, self.header.get(mark)));
        self.recount();
        for (mark, before) in before {
            self.lower(mark, before);
        }
    }

    /// Counts all anew, and moves low-waters as far up as they go.
    pub(crate) fn recount(&mut self) {
        let next = self.header.next_uid();
        let (mut seen, mut deleted, mut dirty) = (0, 0, 0);
        let (mut unseen_low, mut deleted_low) = (next, next);
        for record in self.records.iter() {
            let (uid, flags) = (record.uid(), record.flags());
            seen += u32::from(flags & SEEN != 0);
            deleted += u32::from(flags & DELETED != 0);
            dirty |= flags & DIRTY;
            if flags & SEEN == 0 {
                unseen_low = unseen_low.min(uid);
            }
            if flags & DELETED != 0 {
                deleted_low = deleted_low.min(uid);
            }
        }
        let recent = self.header.first_recent_uid().clamp(1, next);
        let flags = self.header.get(field::FLAGS) & !HAVE_DIRTY;
        let dirty = if dirty == 0 { 0 } else { HAVE_DIRTY };
        for (at, value) in [
            (field::FLAGS, flags | dirty),
            (field::MESSAGES, self.records.len()),
            (field::SEEN, seen),
            (field::DELETED, deleted),
            (field::FIRST_UNSEEN_LOW, unseen_low),
            (field::FIRST_DELETED_LOW, deleted_low),
            (field::FIRST_RECENT, recent),
        ] {
            self.header.set(at, value);
        }
    }
}
