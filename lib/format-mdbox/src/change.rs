//! Changes of a mailbox: flags, keywords, `\Recent`, expunges. FORMATS.md §1.2, §2.5.
//!
//! Flags and keywords take effect when they are written; nothing else needs to be done to them. An
//! expunge is done under both locks: first the mailbox's record goes, then the map counts one reference
//! less. Whoever is killed in between leaves a count that is too high.

use std::collections::BTreeMap;

use index::{IndexSync, State, Transaction};
use index_view::Removal;
use mailbox::{Error, FlagChange, Uid, UidSet};

use crate::mail::Reference;
use crate::map::LockedMap;
use crate::mdbox::Mdbox;
use crate::number::MapUid;
use crate::recount::ALT;

impl Mdbox {
    /// Changes flags and keywords of messages that are still there.
    pub(crate) fn change_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        let mut sync = self.lock()?;
        let mut transaction = index_view::change::flags(sync.state(), uids, change);
        transaction.make_durable();
        sync.commit(&transaction)
            .map_err(|error| self.told(error))?;
        self.finish(sync)
    }

    /// Says where messages are to be: the next purge of the storage moves them, as soon as all who refer
    /// to them say the same.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn mark_place(&self, uids: &UidSet, place: dbox::Place) -> Result<(), Error> {
        let mut sync = self.lock()?;
        let (add, remove) = match place {
            dbox::Place::Alt => (ALT, 0),
            dbox::Place::Primary => (0, ALT),
        };
        let there = index_view::change::removed(sync.state(), uids, Removal::All);
        let changed = there.into_iter().filter(|&uid| {
            let record = sync.state().record_of(uid);
            record.is_some_and(|record| record.flags() & ALT != add)
        });
        let mut transaction = Transaction::internal();
        transaction.update_flags(&changed.collect(), add, remove);
        transaction.make_durable();
        sync.commit(&transaction)
            .map_err(|error| self.told(error))?;
        self.finish(sync)
    }

    /// Does what others have asked for.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        self.expunge(&UidSet::default(), Removal::All)
    }

    /// Removes messages of a set, and those that others have asked for.
    pub(crate) fn expunge(&self, uids: &UidSet, which: Removal) -> Result<(), Error> {
        let mut map = self.storage.lock_map()?;
        let mut sync = self.lock()?;
        let gone = to_expunge(&sync, uids, which);
        let done = self.expunge_under(&mut map, &mut sync, &gone);
        self.opened()?.cached.tidy(&mut sync);
        self.finish(sync)?;
        let finished = map.finish();
        done?;
        finished
    }

    /// Removes the records of some messages, then their references.
    pub(crate) fn expunge_under(
        &self,
        map: &mut LockedMap<'_>,
        sync: &mut IndexSync<'_>,
        gone: &BTreeMap<Uid, [u8; 16]>,
    ) -> Result<(), Error> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut counts: BTreeMap<MapUid, i32> = BTreeMap::new();
        let mut transaction = Transaction::external();
        let state = sync.state().clone();
        for (&uid, &guid) in gone {
            transaction.expunge(uid.get(), guid);
            let seq = state.seq(uid);
            if let Some(reference) = seq.and_then(|seq| Reference::of(&state, seq)) {
                *counts.entry(reference.record.map_uid).or_default() -= 1;
            }
        }
        transaction.make_durable();
        sync.commit(&transaction)?;
        if let Ok(opened) = self.opened() {
            opened.cached.expunged(&state, gone.keys().copied());
        }
        // The messages are gone; a count that stays too high only costs room.
        if let Err(failed) = map.count(&counts) {
            let error = failed.into_error();
            tracing::warn!("{}: references stay counted: {error}", self.name());
        }
        Ok(())
    }

    /// Messages below `next` are `\Recent` to nobody else from now on. Returns the first that was until
    /// now.
    pub(crate) fn take_recent(&self, next: u32) -> Result<u32, Error> {
        let mut sync = self.lock()?;
        let first = sync.state().header().first_recent_uid();
        if first < next {
            let mut transaction = Transaction::external();
            transaction.set_first_recent_uid(next);
            sync.commit(&transaction)
                .map_err(|error| self.told(error))?;
        }
        self.finish(sync)?;
        Ok(first)
    }
}

/// Messages to remove, and their GUIDs: those that are wanted, and those that others have asked for.
fn to_expunge(sync: &IndexSync<'_>, uids: &UidSet, which: Removal) -> BTreeMap<Uid, [u8; 16]> {
    let state = sync.state();
    let requested = sync.requests().expunges(state).into_iter();
    let requested = requested.filter_map(|(uid, _)| Uid::new(uid));
    let removed = index_view::change::removed(state, uids, which);
    let gone = requested.chain(removed);
    gone.map(|uid| (uid, guid_of(state, uid))).collect()
}

fn guid_of(state: &State, uid: Uid) -> [u8; 16] {
    let reference = state.seq(uid).and_then(|seq| Reference::of(state, seq));
    let guid = reference.and_then(|reference| reference.guid);
    guid.map_or([0; 16], |guid| guid.0)
}
