//! Records of the log, applied to a state. FORMATS.md §1.4.

use std::sync::Arc;

use super::layout::MOST_RECORDS;
use super::{Deletion, Extension, State, field, keywords, modseq};
use crate::Corruption;
use crate::bytes::put;
use crate::log::record::{
    Append, Body, ExtIntro, FlagUpdate, Origin, Patch, RawRecord, Toggle, UidRange, ext_records,
    kind,
};
use crate::log::{LogHeader, Walk};

/// Records are about the extension of the last intro.
#[derive(Debug, Clone, Copy, Default)]
enum Intro {
    #[default]
    None,
    /// Its position, and the record size that the intro told.
    Current(usize, usize),
    /// Of another generation: updates do not count, only a reset.
    Stale(usize, usize),
}

/// Applies records in order. What breaks a rule is passed over, alone.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    log_minor: u8,
    intro: Intro,
    increments: bool,
}

type Applied = Result<(), &'static str>;

impl Replay {
    /// For records of a log with this minor version.
    pub(crate) fn new(log_minor: u8) -> Self {
        Self {
            log_minor,
            intro: Intro::None,
            increments: true,
        }
    }

    /// Goes on with a log of this minor version.
    pub(crate) fn next_log(&self, log_minor: u8) -> Self {
        Self {
            increments: self.increments,
            ..Self::new(log_minor)
        }
    }

    /// Increments no longer count: the numbers that they were made for are not known.
    pub(crate) fn forget_increments(&mut self) {
        self.increments = false;
    }

    /// The highest modseq moves on; nothing else does.
    pub(crate) fn count(&self, state: &mut State, record: &RawRecord<'_>) {
        state.highest_modseq = modseq::after(state.highest_modseq, record, self.log_minor);
    }

    /// Applies one record.
    ///
    /// # Errors
    /// The record has no effect, or not all of it.
    pub(crate) fn apply(
        &mut self,
        state: &mut State,
        record: &RawRecord<'_>,
    ) -> Result<(), Corruption> {
        self.count(state, record);
        if !touches_state(record) {
            return Ok(());
        }
        let body = record.body()?;
        self.body(state, &body, record.origin())
            .map_err(|what| Corruption {
                offset: record.offset,
                what,
            })
    }

    fn body(&mut self, state: &mut State, body: &Body, origin: Origin) -> Applied {
        match body {
            Body::Append(appends) => each(appends, |append| state.append(append)),
            Body::FlagUpdate(updates) => {
                updates.iter().for_each(|update| state.update_flags(update));
                Ok(())
            }
            Body::Expunge(ranges) => {
                let uids = ranges.iter().flat_map(|range| state.uids_in(*range));
                let uids = uids.collect();
                state.expunge(uids);
                Ok(())
            }
            Body::ExpungeGuid(expunges) => {
                state.expunge(expunges.iter().map(|expunge| expunge.uid).collect());
                Ok(())
            }
            Body::HeaderUpdate(patches) => each(patches, |patch| state.patch(patch)),
            Body::KeywordUpdate { change, name, uids } => {
                let keyword = state.keyword_to_change(name)?;
                let ranges = uids.iter();
                ranges.for_each(|range| state.set_keyword(*range, keyword, *change));
                Ok(())
            }
            Body::KeywordReset(uids) => {
                uids.iter().for_each(|range| state.clear_keywords(*range));
                Ok(())
            }
            Body::ModseqUpdate(updates) => {
                state.set_modseqs(updates);
                Ok(())
            }
            Body::IndexDeleted => {
                state.deletion = match origin {
                    Origin::Internal => Deletion::Requested,
                    Origin::External => Deletion::Done,
                };
                Ok(())
            }
            Body::IndexUndeleted => {
                state.deletion = Deletion::Not;
                Ok(())
            }
            Body::Unknown(..) => Err("record of an unknown kind"),
            other => self.extension(state, other),
        }
    }

    fn extension(&mut self, state: &mut State, body: &Body) -> Applied {
        match body {
            Body::ExtIntro(intros) => each(intros, |intro| self.introduce(state, intro)),
            Body::ExtReset {
                reset_id, preserve, ..
            } => self.reset(state, *reset_id, *preserve),
            Body::ExtHeaderUpdate(patches) | Body::ExtHeaderUpdate32(patches) => match self.intro {
                Intro::Current(id, _) => state.patch_extension(id, patches),
                Intro::Stale(..) => Ok(()),
                Intro::None => Err("extension header update without an intro"),
            },
            Body::ExtRecordUpdate(entries) => match self.intro {
                Intro::Current(id, size) => {
                    for (uid, data) in ext_records(entries, size) {
                        state.set_ext_record(id, uid, data);
                    }
                    Ok(())
                }
                Intro::Stale(..) => Ok(()),
                Intro::None => Err("extension record update without an intro"),
            },
            Body::ExtAtomicInc(_) if !self.increments => Ok(()),
            Body::ExtAtomicInc(entries) => match self.intro {
                Intro::Current(id, _) => each(entries, |(uid, by)| state.increment(id, *uid, *by)),
                Intro::Stale(..) => Ok(()),
                Intro::None => Err("increment without an intro"),
            },
            _ => Ok(()),
        }
    }

    fn introduce(&mut self, state: &mut State, intro: &ExtIntro) -> Applied {
        self.intro = Intro::None;
        let id = state.introduce(intro)?;
        let size = usize::from(intro.record_size);
        let extension = state.extensions.get(id).ok_or("no such extension")?;
        self.intro = if extension.reset_id == intro.reset_id {
            Intro::Current(id, size)
        } else {
            Intro::Stale(id, size)
        };
        Ok(())
    }

    fn reset(&mut self, state: &mut State, reset_id: u32, preserve: u8) -> Applied {
        let (Intro::Current(id, size) | Intro::Stale(id, size)) = self.intro else {
            return Err("reset without an intro");
        };
        state.reset_extension(id, reset_id, preserve);
        self.intro = Intro::Current(id, size);
        Ok(())
    }
}

/// Requests to expunge wait for the sync; boundaries and attributes change nothing that is kept.
fn touches_state(record: &RawRecord<'_>) -> bool {
    match record.kind {
        kind::EXPUNGE | kind::EXPUNGE_GUID => record.origin() == Origin::External,
        kind::BOUNDARY | kind::ATTRIBUTE_UPDATE => false,
        _ => true,
    }
}

/// Applies all; tells the first that could not be.
fn each<T>(entries: &[T], mut apply: impl FnMut(&T) -> Applied) -> Applied {
    entries.iter().map(&mut apply).fold(Ok(()), Result::and)
}

impl State {
    /// Applies a whole log to this state, header and all: what is complete of it. Tells what broke a rule
    /// and was passed over.
    ///
    /// # Errors
    /// The log's header is wrong: nothing was applied.
    pub fn replay(&mut self, log: &[u8]) -> Result<Vec<Corruption>, Corruption> {
        let header = LogHeader::decode(log)?;
        let start = usize::from(header.header_size);
        let mut replay = Replay::new(header.minor_version);
        let mut wrong = Vec::new();
        self.raise_highest(header.initial_modseq);
        let mut walk = Walk::new(log.get(start..).unwrap_or_default(), start as u64);
        for record in &mut walk {
            wrong.extend(replay.apply(self, &record).err());
        }
        self.place.file_seq = header.file_seq;
        self.place.head = walk.offset();
        Ok(wrong)
    }

    fn append(&mut self, append: &Append) -> Applied {
        let after = append.uid.checked_add(1).ok_or("no UID is left")?;
        if append.uid < self.header.next_uid() {
            return Err("appended UID is lower than the next one");
        }
        let messages = usize::try_from(self.records.len()).unwrap_or(usize::MAX);
        if messages.saturating_mul(self.records.record_size()) > MOST_RECORDS {
            return Err("too many messages");
        }
        self.records.push(append.uid, append.flags);
        self.header.set(field::NEXT_UID, after);
        self.count_in(append.uid, append.flags);
        self.raise_modseq(self.records.len(), self.highest_modseq);
        Ok(())
    }

    /// Messages of a range: their numbers.
    fn seqs_in(&self, range: UidRange) -> std::ops::Range<u32> {
        let after = match range.last.checked_add(1) {
            Some(next) => self.records.seq_at_least(next),
            None => self.records.len() + 1,
        };
        self.records.seq_at_least(range.first)..after
    }

    pub(crate) fn uids_in(&self, range: UidRange) -> Vec<u32> {
        self.seqs_in(range)
            .filter_map(|seq| Some(self.records.get(seq)?.uid()))
            .collect()
    }

    fn update_flags(&mut self, update: &FlagUpdate) {
        let touched = (update.add | update.remove) & modseq::CLIENT_FLAGS != 0;
        for seq in self.seqs_in(update.uids) {
            let Some(record) = self.records.get(seq) else {
                continue;
            };
            let (uid, old) = (record.uid(), record.flags());
            let new = (old & !update.remove) | update.add;
            if new != old {
                if let Some(flags) = self.records.get_mut(seq).and_then(|r| r.get_mut(4)) {
                    *flags = new;
                }
                self.count_flags(uid, old, new);
            }
            if touched || update.modseq_inc != 0 {
                self.raise_modseq(seq, self.highest_modseq);
            }
        }
    }

    fn expunge(&mut self, mut uids: Vec<u32>) {
        uids.sort_unstable();
        uids.dedup();
        let flags: Vec<u8> = uids
            .iter()
            .filter_map(|uid| Some(self.records.get(self.records.seq_of(*uid)?)?.flags()))
            .collect();
        self.records.remove(&uids);
        flags.into_iter().for_each(|flags| self.count_out(flags));
    }

    fn patch(&mut self, patch: &Patch) -> Applied {
        let at = usize::try_from(patch.offset).unwrap_or(usize::MAX);
        let end = at.saturating_add(patch.data.len());
        if at <= field::LOG_TAIL && end >= field::LOG_TAIL + 4 {
            let tail = crate::bytes::u32_at(&patch.data, field::LOG_TAIL - at).unwrap_or(0);
            self.place.tail = self.place.tail.max(tail.into());
        }
        match self.header.patch(at, &patch.data) {
            true => Ok(()),
            false => Err("header update past the header"),
        }
    }

    fn set_keyword(&mut self, range: UidRange, keyword: usize, change: Toggle) {
        let bit = 1 << (keyword % 8);
        self.change_keywords(range, |bits| {
            if let Some(byte) = bits.get_mut(keyword / 8) {
                match change {
                    Toggle::Add => *byte |= bit,
                    Toggle::Remove => *byte &= !bit,
                }
            }
        });
    }

    fn clear_keywords(&mut self, range: UidRange) {
        self.change_keywords(range, |bits| bits.fill(0));
    }

    fn change_keywords(&mut self, range: UidRange, change: impl Fn(&mut [u8])) {
        for seq in self.seqs_in(range) {
            if let Some(id) = self.extension_id(keywords::NAME)
                && let Some(extension) = self.extensions.get(id)
                && let Some(record) = self.records.get_mut(seq)
                && let Some(bits) = extension.of_record_mut(record)
            {
                change(bits);
            }
            self.raise_modseq(seq, self.highest_modseq);
        }
    }

    fn set_modseqs(&mut self, updates: &[(u32, u64)]) {
        for (uid, modseq) in updates {
            if let Some(seq) = self.records.seq_of(*uid) {
                self.raise_modseq(seq, *modseq);
            }
        }
    }

    fn patch_extension(&mut self, id: usize, patches: &[Patch]) -> Applied {
        let extension = self.extensions.get_mut(id).ok_or("no such extension")?;
        let before = Arc::clone(extension);
        let extension = Arc::make_mut(extension);
        let done = each(patches, |patch| {
            let at = usize::try_from(patch.offset).unwrap_or(usize::MAX);
            match put(&mut extension.header, at, &patch.data) {
                true => Ok(()),
                false => Err("extension header update past the header"),
            }
        });
        match before.name.as_str() {
            modseq::NAME => self.start_modseqs(),
            keywords::NAME => {
                if let Err(wrong) = self.read_keywords() {
                    // Names must not be lost for bits that nobody can name.
                    self.restore(id, before);
                    return Err(wrong);
                }
            }
            _ => {}
        }
        done
    }

    fn restore(&mut self, id: usize, extension: Arc<Extension>) {
        if let Some(place) = self.extensions.get_mut(id) {
            *place = extension;
        }
    }

    fn set_ext_record(&mut self, id: usize, uid: u32, data: &[u8]) {
        let Some(seq) = self.records.seq_of(uid) else {
            return;
        };
        let place = self
            .extensions
            .get(id)
            .zip(self.records.get_mut(seq))
            .and_then(|(extension, record)| extension.of_record_mut(record));
        if let Some(place) = place {
            let new = data.iter().copied().chain(std::iter::repeat(0));
            place.iter_mut().zip(new).for_each(|(to, from)| *to = from);
        }
    }

    fn increment(&mut self, id: usize, uid: u32, by: i32) -> Applied {
        let Some(seq) = self.records.seq_of(uid) else {
            return Ok(());
        };
        let place = self
            .extensions
            .get(id)
            .zip(self.records.get_mut(seq))
            .and_then(|(extension, record)| extension.of_record_mut(record))
            .ok_or("increment of an extension without records")?;
        let bits = match place.len() {
            size @ (1 | 2 | 4 | 8) => size * 8,
            _ => return Err("increment of what is no number"),
        };
        let mut wide = [0; 8];
        wide.iter_mut()
            .zip(&*place)
            .for_each(|(to, from)| *to = *from);
        let new = u64::from_le_bytes(wide).checked_add_signed(by.into());
        let fits = |value: &u64| bits == 64 || value >> bits == 0;
        let new = new.filter(fits).ok_or("increment out of range")?;
        let bytes = new.to_le_bytes();
        place
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        Ok(())
    }

    fn reset_extension(&mut self, id: usize, reset_id: u32, preserve: u8) {
        let Some(extension) = self.extensions.get_mut(id) else {
            return;
        };
        let extension = Arc::make_mut(extension);
        extension.reset_id = reset_id;
        // Names of keywords are never taken back.
        if preserve != 0 || extension.name == keywords::NAME {
            return;
        }
        extension.header.fill(0);
        for seq in 1..=self.records.len() {
            let place = self
                .extensions
                .get(id)
                .zip(self.records.get_mut(seq))
                .and_then(|(extension, record)| extension.of_record_mut(record));
            if let Some(place) = place {
                place.fill(0);
            }
        }
    }
}
