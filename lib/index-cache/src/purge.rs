//! Writing the file anew with what is worth keeping: the fields that are still wanted, of the
//! messages that are still there, one record each. FORMATS.md §1.12.

use std::collections::HashMap;

use mailbox::Uid;

use super::append::{Appended, Locked, NewRecord, Picture, Refused};
use super::copy::Copying;
use super::decision::{Aged, Facts};
use super::header::Header;
use super::plan::{HasFile, Plan};
use super::record::Shape;
use super::{Cache, Current, State};

/// What the index transaction has to record before anything else about the cache: an EXT_RESET of
/// the extension "cache" to reset_id `file_seq` without preserving data, then each link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    /// The new reset_id.
    pub file_seq: u32,
    /// Every message that has a link now.
    pub links: Vec<(Uid, u32)>,
}

/// What the index transaction has to record after [`Cache::store`]: first the purge, if there was
/// one, then the offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// There is a new file.
    pub purged: Option<Purged>,
    /// The records that were asked for.
    pub appended: Appended,
}

impl Cache {
    /// Should the file be purged at the next occasion? Says why, for the log.
    #[must_use]
    pub fn wants_purge(&self, facts: &Facts) -> Option<&'static str> {
        let state = self.state();
        if state.broken.is_some() {
            return Some("it is damaged");
        }
        let current = state.current.as_ref()?;
        if !current.generation.writable {
            return None;
        }
        if current.header.minor_version == 0 {
            return Some("it is of an older version");
        }
        if current.tables > self.settings.purge_header_continue_count + 1 {
            return Some("too many field headers");
        }
        let drop_after = self.settings.unaccessed_field_drop;
        let old = |shape: &Shape| {
            let was_used = state
                .registry
                .get(shape.id)
                .is_some_and(|f| f.last_used != 0);
            was_used && state.registry.aged(shape.id, facts, drop_after) != Aged::Keep
        };
        if state.registry.shapes().iter().any(old) {
            return Some("fields that nobody uses any more");
        }
        self.wasted(current, facts)
    }

    fn wasted(&self, current: &Current, facts: &Facts) -> Option<&'static str> {
        let Header {
            records,
            deleted_records,
            continued_records,
            ..
        } = current.header;
        let messages = u64::from(facts.messages.max(1));
        let plausible = (1..=messages * 2).contains(&u64::from(records));
        let records = if plausible {
            u64::from(records)
        } else {
            messages
        };
        let continued = u64::from(continued_records) * 100 / records;
        let deleted = u64::from(deleted_records);
        let deleted = deleted * 100 / (records + deleted);
        let reason = if continued >= u64::from(self.settings.purge_continued_percentage) {
            "too many continued records"
        } else if deleted >= u64::from(self.settings.purge_delete_percentage) {
            "too many deleted records"
        } else {
            return None;
        };
        let size = current.generation.file.stat().ok()?.size;
        (size >= self.settings.purge_min_size).then_some(reason)
    }

    /// Writes a new file. The log must be locked, and `index` its newest state; the cache file's
    /// lock is taken and given back. Records that cannot be read are left out.
    ///
    /// # Errors
    /// [`Refused::Busy`], [`Refused::ReadOnly`], [`Refused::Fs`]: the old file stays.
    pub fn purge(&self, index: &Picture<'_>) -> Result<Purged, Refused> {
        let links = (index.links)();
        self.purge_to(index, &links)
    }

    /// The index could not be told of a purge: without a file there is nothing that contradicts it.
    /// The log must still be locked.
    pub fn discard(&self, purged: &Purged) {
        let _turn = self.turn();
        let mut state = self.state();
        if state.file_seq() == Some(purged.file_seq) {
            state.forget_file();
            let removed = self.place.fs.unlink_if_exists(&self.place.path);
            self.tolerate(&mut state, removed);
        }
    }

    /// [`Cache::append`] for who has locked the log: where that is needed, makes or purges the
    /// file first.
    ///
    /// # Errors
    /// See [`Refused`]. If a purge was done but could not be used, it does no harm that the index
    /// does not know of it.
    pub fn store(&self, index: &Picture<'_>, records: &[NewRecord]) -> Result<Stored, Refused> {
        match self.append(index, records) {
            Err(Refused::NeedsPurge(_) | Refused::Stale { .. }) => {}
            other => {
                return other.map(|appended| Stored {
                    purged: None,
                    appended,
                });
            }
        }
        let links = (index.links)();
        match self.store_purged(index, &links, records) {
            // Full of what is worth keeping: as Dovecot does, start with nothing.
            Err(Refused::NeedsPurge(_)) => self.store_purged(index, &[], records),
            other => other,
        }
    }

    fn store_purged(
        &self,
        index: &Picture<'_>,
        links: &[(Uid, u32)],
        records: &[NewRecord],
    ) -> Result<Stored, Refused> {
        let purged = self.purge_to(index, links)?;
        let moved: HashMap<Uid, u32> = purged.links.iter().copied().collect();
        let records: Vec<_> = records
            .iter()
            .map(|record| NewRecord {
                link: moved.get(&record.uid).copied(),
                ..record.clone()
            })
            .collect();
        let index = Picture {
            reset_id: purged.file_seq,
            links: &|| purged.links.clone(),
            ..*index
        };
        let appended = self.append(&index, &records);
        let appended = appended.inspect_err(|_| self.discard(&purged))?;
        Ok(Stored {
            purged: Some(purged),
            appended,
        })
    }

    fn purge_to(&self, index: &Picture<'_>, links: &[(Uid, u32)]) -> Result<Purged, Refused> {
        let mut turn = self.turn();
        let locked = match self.lock(&mut turn) {
            Ok(locked) => Some(locked),
            Err(Refused::NeedsPurge(_)) => None,
            Err(other) => return Err(other),
        };
        let mut state = self.state();
        let old = self.old_file(&mut state, locked.as_ref())?;
        let has_file = match old {
            Some(_) => HasFile::Yes,
            None => HasFile::No,
        };
        let drop_after = self.settings.unaccessed_field_drop;
        let plan = Plan::new(&state.registry, has_file, |id| {
            state.registry.aged(id, &index.facts, drop_after)
        });
        let old_seq = old.as_ref().map_or(0, |old| old.header.file_seq);
        let file_seq = next_seq(index, old_seq);
        let copy = Copying {
            cache: self,
            plan: &plan,
            facts: &index.facts,
            source: old.filter(|old| old.header.file_seq == index.reset_id),
            shapes: state.registry.shapes(),
        };
        // Other sessions go on reading meanwhile.
        drop(state);
        let mut written = copy.run(file_seq, links)?;
        if written.is_none() {
            written = copy.run(file_seq, &[])?;
        }
        let links = written.ok_or(Refused::NeedsPurge("its fields are too many"))?;
        self.replaced(&mut self.state(), &plan);
        Ok(Purged { file_seq, links })
    }

    /// What of the old file can be used.
    fn old_file(
        &self,
        state: &mut State,
        locked: Option<&Locked>,
    ) -> Result<Option<Current>, Refused> {
        let Some(locked) = locked else {
            return Ok(None);
        };
        match self.current_of(state, locked) {
            Ok(current) => Ok(Some(current)),
            Err(Refused::NeedsPurge(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// There is a new file at the path.
    fn replaced(&self, state: &mut State, plan: &Plan) {
        plan.carry_out(&mut state.registry);
        state.broken = None;
        state.told = false;
        let opened = self.open(state);
        self.tolerate(state, opened);
    }
}

/// Never a number that was used before.
fn next_seq(index: &Picture<'_>, old_seq: u32) -> u32 {
    let highest = index.reset_id.max(old_seq);
    highest.checked_add(1).unwrap_or(1).max(index.facts.now)
}
