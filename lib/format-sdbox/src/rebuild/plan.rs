//! What is to be done, from what there is. Pure.

use std::collections::BTreeMap;

use index::State;
use mailbox::{Guid, Uid, UidSet};

use super::{Found, Repair};
use crate::header::DboxHeader;
use crate::sync::IN_ALT;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Plan {
    /// Of the index, whose files are gone.
    pub dropped: Vec<Uid>,
    /// Of files that become messages.
    pub adopted: Vec<Uid>,
    /// Those of `adopted` that are in ALT storage.
    pub in_alt: Vec<Uid>,
    /// An older checkpoint of this mailbox, which may know flags of adopted messages.
    pub old: Option<State>,
    /// Files to be written anew, and why.
    pub mended: Vec<(Uid, String)>,
    /// Of files that are moved out of the way, and why.
    pub quarantined: BTreeMap<Uid, String>,
    /// Messages whose ALT flag is to be set or cleared.
    pub located: Vec<(Uid, dbox::Place)>,
    /// What the mailbox says about itself from now on.
    pub header: DboxHeader,
    /// It said nothing so far.
    pub is_identified: bool,
}

impl Plan {
    /// `expunged`: what the logs tell; `asked`: still there, but somebody wants them to be removed.
    pub fn new(
        state: &State,
        files: &BTreeMap<Uid, Found>,
        expunged: &UidSet,
        asked: UidSet,
    ) -> Self {
        let known = DboxHeader::of(state);
        let header = known.unwrap_or_else(|| DboxHeader::new(Guid::generate()));
        let mut plan = Self {
            dropped: Vec::new(),
            adopted: Vec::new(),
            in_alt: Vec::new(),
            old: None,
            mended: Vec::new(),
            quarantined: BTreeMap::new(),
            located: Vec::new(),
            header,
            is_identified: known.is_some(),
        };
        for record in state.records() {
            let Some(uid) = Uid::new(record.uid()) else {
                continue;
            };
            match files.get(&uid) {
                // What is to be removed goes with the request.
                None if !asked.contains(uid) => plan.dropped.push(uid),
                None => {}
                Some(found) => plan.locate(uid, record.flags(), *found),
            }
        }
        let unknown = files.iter();
        for (uid, found) in unknown.filter(|(uid, _)| state.record_of(**uid).is_none()) {
            if expunged.contains(*uid) {
                plan.quarantined.insert(*uid, "was expunged".to_owned());
                continue;
            }
            plan.adopted.push(*uid);
            if !found.in_primary {
                plan.in_alt.push(*uid);
            }
        }
        plan
    }

    fn locate(&mut self, uid: Uid, flags: u8, found: Found) {
        match (flags & IN_ALT != 0, found.in_primary, found.in_alt) {
            (true, true, false) => self.located.push((uid, dbox::Place::Primary)),
            (false, false, true) => self.located.push((uid, dbox::Place::Alt)),
            _ => {}
        }
    }

    /// A file that is no message: it neither stays nor becomes one.
    pub fn reject(&mut self, uid: Uid, why: String) {
        match self.adopted.binary_search(&uid) {
            Ok(at) => {
                self.adopted.remove(at);
            }
            Err(_) => {
                let at = self.dropped.partition_point(|other| *other < uid);
                self.dropped.insert(at, uid);
            }
        }
        self.located.retain(|(other, _)| *other != uid);
        self.quarantined.insert(uid, why);
    }

    /// Flags of an adopted message.
    pub fn flags(&self, uid: Uid) -> u8 {
        let old = self.old.as_ref().and_then(|old| old.record_of(uid));
        let flags = old.map_or(0, |record| record.flags() & 0x1f);
        match self.in_alt.binary_search(&uid) {
            Ok(_) => flags | IN_ALT,
            Err(_) => flags,
        }
    }

    /// Nothing to do?
    pub fn is_empty(&self) -> bool {
        self.is_identified
            && self.dropped.is_empty()
            && self.adopted.is_empty()
            && self.mended.is_empty()
            && self.quarantined.is_empty()
            && self.located.is_empty()
    }

    /// For the administrator.
    pub fn repairs(&self) -> Vec<Repair> {
        let mut repairs = Vec::new();
        if !self.is_identified {
            let guid = self.header.guid;
            repairs.push(Repair::Identified { guid });
        }
        let rejected = |uid: &Uid| self.quarantined.contains_key(uid);
        let dropped = self.dropped.iter().filter(|uid| !rejected(uid));
        repairs.extend(dropped.map(|&uid| Repair::Dropped { uid }));
        repairs.extend(self.adopted.iter().map(|&uid| Repair::Adopted { uid }));
        repairs.extend(self.mended.iter().map(|(uid, why)| Repair::Mended {
            uid: *uid,
            why: why.clone(),
        }));
        let quarantined = self.quarantined.iter();
        repairs.extend(quarantined.map(|(uid, why)| Repair::Quarantined {
            uid: *uid,
            why: why.clone(),
        }));
        repairs.extend(self.located.iter().map(|&(uid, _)| Repair::Located { uid }));
        repairs
    }
}
