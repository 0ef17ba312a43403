//! What a rebuild makes of what it found. Pure. FORMATS.md §2.8.
//!
//! Three sources are joined: the messages in the mail files, the records of the map, the records of the
//! mailboxes. The files are the truth about what exists; the mailboxes about who wants it; the map
//! only about numbers. No mailbox record changes its UID, and none is made to name a message that
//! it did not name before.

use std::collections::{HashMap, HashSet};

use mailbox::Guid;

use crate::number::MapUid;
use crate::record::{MAX_REFERENCES, Place};

/// A whole message in a mail file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// What its metadata calls it.
    pub guid: Guid,
}

/// A record of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub map_uid: MapUid,
    /// Where the message should be.
    pub place: Place,
    /// How many records should refer to it.
    pub references: u16,
}

/// A record of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Which mailbox, for the caller.
    pub mailbox: usize,
    /// Which message there.
    pub uid: u32,
    /// What the record says; `None` if it has no such extension.
    pub map_uid: Option<MapUid>,
    /// What the record says; `None` if it has no such extension or zeros.
    pub guid: Option<Guid>,
}

/// Are the numbers in mailboxes' records those of this map?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// They are: the map is the one that gave them out.
    Valid,
    /// The map was lost; only GUIDs count.
    Lost,
}

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Messages in the mail files.
    pub found: Vec<Found>,
    /// Records of the map.
    pub known: Vec<Known>,
    /// Records of all mailboxes.
    pub wanted: Vec<Wanted>,
    /// What map UIDs are worth.
    pub numbers: Numbers,
    /// No record of the map ever had this map UID, or a higher one.
    pub next_map_uid: u32,
}

/// A message as the map is to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Index into [`Findings::found`].
    pub found: usize,
    /// Its number.
    pub map_uid: MapUid,
    /// Is it a new one?
    pub is_new: bool,
    /// What the map says now; 0 for a new one.
    pub had: u16,
    /// What it must say.
    pub references: u16,
}

/// A record of a mailbox that must name another map UID, or another GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relinked {
    /// Index into [`Findings::wanted`].
    pub wanted: usize,
    /// Index into [`Findings::found`]: its GUID is what the record must say.
    pub found: usize,
    /// What it must say.
    pub map_uid: MapUid,
}

/// What is to be done. Empty: nothing was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// All messages that stay, in the order of [`Findings::found`].
    pub mapped: Vec<Mapped>,
    /// Records of the map whose messages are nowhere.
    pub unmapped: Vec<MapUid>,
    /// Records of mailboxes that name their message by a number which is not its own.
    pub relinked: Vec<Relinked>,
    /// Records of mailboxes whose messages are nowhere: indexes into [`Findings::wanted`].
    pub lost: Vec<usize>,
    /// Messages that nobody refers to and that are no garbage: indexes into [`Plan::mapped`]. They go
    /// back to the mailbox that their metadata names, and have one reference counted for it.
    pub restored: Vec<usize>,
}

impl Plan {
    /// Is there nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let settled = |mapped: &Mapped| !mapped.is_new && mapped.had == mapped.references;
        self.mapped.iter().all(settled)
            && self.unmapped.is_empty()
            && self.relinked.is_empty()
            && self.lost.is_empty()
            && self.restored.is_empty()
    }
}

/// Plans a rebuild.
#[must_use]
pub fn plan(findings: &Findings) -> Plan {
    let mut join = Join::new(findings);
    for (at, wanted) in findings.wanted.iter().enumerate() {
        join.want(at, wanted);
    }
    join.number();
    join.finish()
}

struct Join<'f> {
    findings: &'f Findings,
    /// The map's record of each found message.
    known: Vec<Option<Known>>,
    by_guid: HashMap<Guid, Vec<usize>>,
    by_map_uid: HashMap<MapUid, usize>,
    /// How many want each found message.
    wanted: Vec<u32>,
    /// Found message of each mailbox record.
    linked: Vec<Option<usize>>,
    map_uids: Vec<MapUid>,
    plan: Plan,
}

impl<'f> Join<'f> {
    fn new(findings: &'f Findings) -> Self {
        let count = findings.found.len();
        let mut join = Self {
            findings,
            known: vec![None; count],
            by_guid: HashMap::with_capacity(count),
            by_map_uid: HashMap::with_capacity(count),
            wanted: vec![0; count],
            linked: Vec::with_capacity(findings.wanted.len()),
            map_uids: Vec::with_capacity(count),
            plan: Plan::default(),
        };
        let mut by_place = HashMap::with_capacity(count);
        for (at, found) in findings.found.iter().enumerate() {
            by_place.insert(found.place, at);
            join.by_guid.entry(found.guid).or_default().push(at);
        }
        for known in &findings.known {
            let at = by_place.get(&known.place).copied();
            match at.and_then(|at| join.known.get_mut(at).map(|slot| (at, slot))) {
                Some((at, slot)) if slot.is_none() => {
                    *slot = Some(*known);
                    join.by_map_uid.insert(known.map_uid, at);
                }
                // A second record of the same place: its references follow the GUID.
                _ => join.plan.unmapped.push(known.map_uid),
            }
        }
        join
    }

    fn want(&mut self, at: usize, wanted: &Wanted) {
        let linked = self.find(wanted);
        if let Some(count) = linked.and_then(|found| self.wanted.get_mut(found)) {
            *count = count.saturating_add(1);
        } else {
            self.plan.lost.push(at);
        }
        self.linked.push(linked);
    }

    /// By GUID; by number only where no GUID says otherwise.
    fn find(&self, wanted: &Wanted) -> Option<usize> {
        let numbered = match (self.findings.numbers, wanted.map_uid) {
            (Numbers::Valid, Some(map_uid)) => self.by_map_uid.get(&map_uid).copied(),
            _ => None,
        };
        let Some(guid) = wanted.guid else {
            return numbered;
        };
        let same = self.by_guid.get(&guid).map_or(&[][..], Vec::as_slice);
        if numbered.is_some_and(|numbered| same.contains(&numbered)) {
            return numbered;
        }
        let live = |at: &&usize| {
            let known = self.known.get(**at).copied().flatten();
            known.is_some_and(|known| known.references > 0)
        };
        same.iter()
            .find(live)
            .or(same.first())
            .copied()
            .or(numbered)
    }

    /// Gives every found message its number.
    fn number(&mut self) {
        let claimed = self.claims();
        let highest = claimed.values().max();
        let next = highest.map_or(0, |highest| highest.0.saturating_add(1));
        let mut next = next.max(self.findings.next_map_uid);
        for (at, known) in self.known.iter().enumerate() {
            let map_uid = known.map(|known| known.map_uid);
            let map_uid = map_uid.or(claimed.get(&at).copied()).unwrap_or_else(|| {
                next = next.saturating_add(1);
                MapUid(next.saturating_sub(1))
            });
            self.map_uids.push(map_uid);
        }
        for (at, linked) in self.linked.iter().enumerate() {
            let (Some(found), Some(wanted)) = (*linked, self.findings.wanted.get(at)) else {
                continue;
            };
            let Some(&map_uid) = self.map_uids.get(found) else {
                continue;
            };
            let guid = self.findings.found.get(found).map(|found| found.guid);
            if wanted.map_uid != Some(map_uid) || (wanted.guid.is_some() && wanted.guid != guid) {
                self.plan.relinked.push(Relinked {
                    wanted: at,
                    found,
                    map_uid,
                });
            }
        }
    }

    /// Messages that the map has lost, but not the mailboxes: they keep their numbers, if nobody else has
    /// got them since.
    fn claims(&self) -> HashMap<usize, MapUid> {
        let (mut claims, mut taken) = (HashMap::new(), HashSet::new());
        for (wanted, linked) in self.findings.wanted.iter().zip(&self.linked) {
            let (Some(map_uid), Some(found)) = (wanted.map_uid, *linked) else {
                continue;
            };
            let is_lost = matches!(self.known.get(found), Some(None));
            if is_lost
                && map_uid.0 >= self.findings.next_map_uid
                && map_uid.0 < u32::MAX
                && !claims.contains_key(&found)
                && taken.insert(map_uid)
            {
                claims.insert(found, map_uid);
            }
        }
        claims
    }

    fn finish(mut self) -> Plan {
        let mut taken: HashSet<Guid> = HashSet::new();
        let counts = self.wanted.iter().zip(&self.findings.found);
        taken.extend(
            counts
                .filter(|(count, _)| **count > 0)
                .map(|(_, found)| found.guid),
        );
        for (at, found) in self.findings.found.iter().enumerate() {
            let known = self.known.get(at).copied().flatten();
            let count = self.wanted.get(at).copied().unwrap_or(0);
            let garbage = known.is_some_and(|known| known.references == 0);
            // A message of which another copy is wanted is one that was moved or given up half way.
            let restore = count == 0 && !garbage && taken.insert(found.guid);
            if restore {
                self.plan.restored.push(self.plan.mapped.len());
            }
            let references = count.max(u32::from(restore)).min(MAX_REFERENCES.into());
            self.plan.mapped.push(Mapped {
                found: at,
                map_uid: self.map_uids.get(at).copied().unwrap_or(MapUid(0)),
                is_new: known.is_none(),
                had: known.map_or(0, |known| known.references),
                references: u16::try_from(references).unwrap_or(MAX_REFERENCES),
            });
        }
        self.plan
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::number::FileId;

    fn place(at: u32) -> Place {
        Place {
            file: FileId(1),
            offset: 16 + at * 100,
            size: 100,
        }
    }

    fn guid(number: u8) -> Guid {
        Guid([number; 16])
    }

    fn found(at: u32, number: u8) -> Found {
        Found {
            place: place(at),
            guid: guid(number),
        }
    }

    fn known(map_uid: u32, at: u32, references: u16) -> Known {
        Known {
            map_uid: MapUid(map_uid),
            place: place(at),
            references,
        }
    }

    fn wanted(uid: u32, map_uid: u32, number: u8) -> Wanted {
        Wanted {
            mailbox: 0,
            uid,
            map_uid: Some(MapUid(map_uid)),
            guid: Some(guid(number)),
        }
    }

    fn findings() -> Findings {
        Findings {
            found: vec![found(0, 1), found(1, 2), found(2, 3)],
            known: vec![known(1, 0, 1), known(2, 1, 2), known(3, 2, 0)],
            wanted: vec![wanted(1, 1, 1), wanted(2, 2, 2), wanted(3, 2, 2)],
            numbers: Numbers::Valid,
            next_map_uid: 4,
        }
    }

    #[test]
    fn a_sound_storage_needs_nothing() {
        assert!(plan(&findings()).is_empty());
    }

    #[test]
    fn a_lost_map_is_made_anew() {
        let mut lost = findings();
        lost.known.clear();
        lost.numbers = Numbers::Lost;
        lost.next_map_uid = 1;
        lost.found.swap(0, 1);
        let plan = plan(&lost);
        assert!(plan.lost.is_empty() && plan.mapped.iter().all(|mapped| mapped.is_new));
        let references: Vec<_> = plan.mapped.iter().map(|m| m.references).collect();
        // The third was garbage, but nothing says so any more.
        assert_eq!(references, [2, 1, 1]);
        assert_eq!(plan.restored, [2]);
        // The mailboxes knew the numbers.
        assert!(plan.relinked.is_empty());
        let numbers: Vec<_> = plan.mapped.iter().map(|m| m.map_uid.0).collect();
        assert_eq!(numbers, [2, 1, 3]);
    }

    #[test]
    fn without_valid_numbers_only_guids_count() {
        let mut lost = findings();
        lost.numbers = Numbers::Lost;
        lost.wanted.push(wanted(4, 1, 99));
        lost.wanted.push(Wanted {
            guid: None,
            ..wanted(5, 1, 0)
        });
        assert_eq!(plan(&lost).lost, [3, 4]);
        lost.numbers = Numbers::Valid;
        assert_eq!(plan(&lost).lost, []);
    }

    #[test]
    fn messages_that_are_nowhere_are_lost() {
        let mut gone = findings();
        gone.found.remove(1);
        let plan = plan(&gone);
        assert_eq!(plan.lost, [1, 2]);
        assert_eq!(plan.unmapped, [MapUid(2)]);
    }

    #[test]
    fn copies_left_behind_by_a_purge_are_garbage() {
        let mut twice = findings();
        twice.found.push(found(9, 2));
        let plan = plan(&twice);
        assert!(plan.restored.is_empty());
        let copy = plan.mapped.last().unwrap();
        assert_eq!(
            (copy.map_uid, copy.is_new, copy.references),
            (MapUid(4), true, 0)
        );
    }

    #[test]
    fn what_nobody_wants_comes_back_once() {
        let mut orphans = findings();
        orphans.wanted.clear();
        orphans.found.push(found(9, 1));
        let plan = plan(&orphans);
        assert_eq!(plan.restored, [0, 1]);
        let references: Vec<_> = plan.mapped.iter().map(|m| m.references).collect();
        assert_eq!(references, [1, 1, 0, 0]);
    }

    proptest! {
        /// A second rebuild after the first finds nothing to do, and no record names another message.
        #[test]
        fn one_rebuild_is_enough(
            found in proptest::collection::vec(0_u8..6, 0..8),
            known in proptest::collection::vec((1_u32..12, 0_u32..10, 0_u16..3), 0..8),
            wanted in proptest::collection::vec((0_u32..12, 0_u8..8), 0..8),
        ) {
            let mut known: Vec<Known> = known.iter().map(|&(uid, at, refs)| super::tests::known(uid, at, refs)).collect();
            known.sort_by_key(|k| k.map_uid);
            known.dedup_by_key(|k| k.map_uid);
            let mut findings = Findings {
                found: found.iter().zip(0..).map(|(&number, at)| super::tests::found(at, number)).collect(),
                known,
                wanted: wanted.iter().zip(1..).map(|(&(map_uid, number), uid)| super::tests::wanted(uid, map_uid, number)).collect(),
                numbers: Numbers::Valid,
                next_map_uid: 12,
            };
            let first = plan(&findings);
            // Carry it out.
            for relinked in &first.relinked {
                findings.wanted[relinked.wanted].map_uid = Some(relinked.map_uid);
                findings.wanted[relinked.wanted].guid = Some(findings.found[relinked.found].guid);
            }
            let mut mapped = Vec::new();
            for one in &first.mapped {
                mapped.push(Known { map_uid: one.map_uid, place: findings.found[one.found].place, references: one.references });
            }
            for (at, &restored) in first.restored.iter().enumerate() {
                let one = &first.mapped[restored];
                findings.wanted.push(Wanted { mailbox: 0, uid: 100 + u32::try_from(at).unwrap(), map_uid: Some(one.map_uid), guid: Some(findings.found[one.found].guid) });
            }
            let lost: Vec<Wanted> = first.lost.iter().map(|&at| findings.wanted[at]).collect();
            findings.wanted.retain(|wanted| !lost.contains(wanted));
            findings.known = mapped;
            prop_assert!(plan(&findings).is_empty(), "{:?}", plan(&findings));
        }
    }
}
