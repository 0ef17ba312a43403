//! A transaction as bytes of the log. FORMATS.md §1.3.

use mailbox::{Uid, UidSet};

use super::{ExtChange, Preserve, Transaction};
use crate::bytes::{align, low32};
use crate::log::record::{Body, ExtIntro, Origin, UidRange};
use crate::state::{State, field};

const TOO_LARGE: &str = "transaction is too large";
/// Day stamp and the first UIDs of eight days.
const DAYS: usize = 36;

/// Bytes, and how many records they are.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    records: usize,
}

impl Output {
    fn put(&mut self, body: &Body, origin: Origin) -> Result<(), &'static str> {
        self.bytes.extend(body.encode(origin).ok_or(TOO_LARGE)?);
        self.records += 1;
        Ok(())
    }
}

impl Transaction {
    /// The bytes to write, with a BOUNDARY if there is more than one record. `midnight`: the local day
    /// that messages are appended on, UNIX time.
    ///
    /// # Errors
    /// The rule that it would break.
    pub(crate) fn encode(&self, state: &State, midnight: u32) -> Result<Vec<u8>, &'static str> {
        let mut out = Output::default();
        if self.undelete {
            out.put(&Body::IndexUndeleted, self.origin)?;
        }
        let intros = self.intros(state);
        for (change, intro) in &intros {
            self.put_extension(&mut out, change, intro)?;
        }
        if !self.header_before.is_empty() {
            let patches = self.header_before.clone();
            out.put(&Body::HeaderUpdate(patches), self.origin)?;
        }
        if !self.attributes.is_empty() {
            let attributes = self.attributes.clone();
            out.put(&Body::AttributeUpdate(attributes), self.origin)?;
        }
        if !self.appends.is_empty() {
            out.put(&Body::Append(self.appends.clone()), self.origin)?;
        }
        self.put_flags(&mut out)?;
        for (change, intro) in &intros {
            self.put_records(&mut out, change, intro)?;
        }
        self.put_keywords(&mut out)?;
        self.put_modseqs(&mut out)?;
        self.put_expunges(&mut out)?;
        self.put_header_after(&mut out, state, midnight)?;
        if self.delete {
            out.put(&Body::IndexDeleted, self.origin)?;
        }
        with_boundary(out)
    }

    fn intros(&self, state: &State) -> Vec<(&ExtChange, ExtIntro)> {
        let changed = self.extensions.iter().filter(|change| !change.is_empty());
        changed
            .filter_map(|change| Some((change, change.intro(state)?)))
            .collect()
    }

    fn put_extension(
        &self,
        out: &mut Output,
        change: &ExtChange,
        intro: &ExtIntro,
    ) -> Result<(), &'static str> {
        let quiet = change.reset.is_none() && change.header.is_empty();
        // Records bring their own intro.
        if quiet && !(change.records.is_empty() && change.increments.is_empty()) {
            return Ok(());
        }
        out.put(&Body::ExtIntro(vec![intro.clone()]), self.origin)?;
        if let Some((reset_id, preserve)) = change.reset {
            let reset = Body::ExtReset {
                reset_id,
                preserve: u8::from(preserve == Preserve::Data),
                short: false,
            };
            out.put(&reset, self.origin)?;
        }
        if change.header.is_empty() {
            return Ok(());
        }
        let patches = change.header.clone();
        let narrow = patches
            .iter()
            .all(|p| u16::try_from(p.offset).is_ok() && u16::try_from(p.data.len()).is_ok());
        let body = match narrow {
            true => Body::ExtHeaderUpdate(patches),
            false => Body::ExtHeaderUpdate32(patches),
        };
        out.put(&body, self.origin)
    }

    fn put_records(
        &self,
        out: &mut Output,
        change: &ExtChange,
        intro: &ExtIntro,
    ) -> Result<(), &'static str> {
        let mut intro = intro.clone();
        if let Some((reset_id, _)) = change.reset {
            intro.reset_id = reset_id;
        }
        if !change.records.is_empty() {
            let size = usize::from(intro.record_size);
            let mut entries = Vec::new();
            for (uid, data) in &change.records {
                entries.extend(uid.to_le_bytes());
                let end = entries.len() + align(size, 4);
                entries.extend(data.get(..size.min(data.len())).unwrap_or_default());
                entries.resize(end, 0);
            }
            out.put(&Body::ExtIntro(vec![intro.clone()]), self.origin)?;
            out.put(&Body::ExtRecordUpdate(entries), self.origin)?;
        }
        if !change.increments.is_empty() {
            let entries = change.increments.iter();
            let entries = entries.map(|(uid, by)| (*uid, *by)).collect();
            out.put(&Body::ExtIntro(vec![intro]), self.origin)?;
            out.put(&Body::ExtAtomicInc(entries), self.origin)?;
        }
        Ok(())
    }

    /// Ranges in one record ascend and do not overlap: another record begins where they would not.
    fn put_flags(&self, out: &mut Output) -> Result<(), &'static str> {
        let mut record = Vec::new();
        let mut last = 0;
        for update in &self.flags {
            if update.uids.first <= last {
                let full = std::mem::take(&mut record);
                out.put(&Body::FlagUpdate(full), self.origin)?;
            }
            last = update.uids.last;
            record.push(*update);
        }
        match record.is_empty() {
            true => Ok(()),
            false => out.put(&Body::FlagUpdate(record), self.origin),
        }
    }

    fn put_keywords(&self, out: &mut Output) -> Result<(), &'static str> {
        for (change, name, uids) in &self.keywords {
            let body = Body::KeywordUpdate {
                change: *change,
                name: name.clone(),
                uids: merged(uids),
            };
            out.put(&body, self.origin)?;
        }
        Ok(())
    }

    fn put_modseqs(&self, out: &mut Output) -> Result<(), &'static str> {
        if self.modseqs.is_empty() {
            return Ok(());
        }
        let mut modseqs = self.modseqs.clone();
        modseqs.sort_unstable();
        out.put(&Body::ModseqUpdate(modseqs), self.origin)
    }

    fn put_expunges(&self, out: &mut Output) -> Result<(), &'static str> {
        if self.expunges.is_empty() {
            return Ok(());
        }
        let mut expunges = self.expunges.clone();
        expunges.sort_by_key(|expunge| expunge.uid);
        expunges.dedup_by_key(|expunge| expunge.uid);
        out.put(&Body::ExpungeGuid(expunges), self.origin)
    }

    fn put_header_after(
        &self,
        out: &mut Output,
        state: &State,
        midnight: u32,
    ) -> Result<(), &'static str> {
        let mut patches = self.header_after.clone();
        if let Some(first) = self.appends.first()
            && state.header().get(field::DAY_STAMP) < midnight
        {
            let days = state.header().bytes();
            let older = days.get(field::DAY_STAMP + 4..field::DAY_STAMP + DAYS - 4);
            let mut data = midnight.to_le_bytes().to_vec();
            data.extend(first.uid.to_le_bytes());
            data.extend(older.unwrap_or_default());
            patches.push(super::patch(field::DAY_STAMP, &data));
        }
        match patches.is_empty() {
            true => Ok(()),
            false => out.put(&Body::HeaderUpdate(patches), self.origin),
        }
    }
}

fn merged(uids: &[UidRange]) -> Vec<UidRange> {
    let known = |number| Uid::new(number);
    let ranges = uids
        .iter()
        .filter_map(|range| Some((known(range.first)?, known(range.last)?)));
    super::ranges(&UidSet::from_ranges(ranges)).collect()
}

fn with_boundary(out: Output) -> Result<Vec<u8>, &'static str> {
    if out.records < 2 {
        return Ok(out.bytes);
    }
    // Head and one number.
    let size = low32(out.bytes.len() + 12);
    let boundary = Body::Boundary(size).encode(Origin::External);
    let mut bytes = boundary.ok_or(TOO_LARGE)?;
    bytes.extend(out.bytes);
    Ok(bytes)
}
