//! Rebuild: makes map and references anew from what the mail files and mailboxes say. FORMATS.md §2.8.
//!
//! Order under the map's lock: what is missing in the map is added and counts are raised; then mailboxes
//! are brought in line, one transaction each; then counts are lowered. A kill in between leaves counts
//! that are too high, and the next rebuild goes on. Nothing is ever removed from a mail file.

mod apply;
mod boxes;
pub mod plan;
pub mod report;
pub mod scan;

use std::collections::HashSet;
use std::sync::Arc;

use mailbox::{Error, Guid};

pub use report::Finding;

use crate::map::{LockedMap, Picture};
use crate::record::Place;
use crate::storage::Storage;
use boxes::OpenBox;
use plan::{Findings, Found, Known, Numbers, Plan, Wanted};
use scan::{Salvaged, Scan};

/// How far a rebuild goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Without being asked, when something does not fit: what is found is linked again. What is not found
    /// stays in its mailbox, what nobody has stays out.
    Relink,
    /// `force-resync`: messages that are nowhere leave their mailboxes, messages that no mailbox has come
    /// back.
    Everything,
}

/// Is anything changed?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// No: only told what would be.
    Dry,
    /// Yes.
    Real,
}

/// Everything that is known before a plan is made.
struct Survey {
    picture: Picture,
    scan: Scan,
    boxes: Vec<OpenBox>,
    wanted: Vec<Wanted>,
}

impl Storage {
    /// Rebuilds the storage; tells what was found.
    ///
    /// # Errors
    /// Something cannot be read or written; what was done stays, and is right.
    pub fn rebuild(self: &Arc<Self>, extent: Extent, run: Run) -> Result<Vec<Finding>, Error> {
        let mut map = self.map.lock()?;
        let mut survey = self.survey(&map)?;
        let hidden = std::mem::take(&mut survey.scan.hidden);
        let told = hidden.iter().map(|&file| Finding::Renumbered { file });
        let mut findings: Vec<Finding> = told.collect();
        if run == Run::Real && !hidden.is_empty() {
            self.renumber(&mut map, &hidden)?;
            survey = self.survey(&map)?;
        }
        findings.extend(self.apply(&mut map, survey, (extent, run))?);
        map.finish()?;
        Ok(findings)
    }

    fn survey(&self, map: &LockedMap<'_>) -> Result<Survey, Error> {
        let picture = map.picture();
        let boxes = self.boxes()?;
        let uid_validity = picture.uid_validity();
        let wanted: Vec<Wanted> = boxes
            .iter()
            .enumerate()
            .flat_map(|(at, open)| open.wanted(at, uid_validity))
            .collect();
        let mut scan = scan::scan(&self.fs, &self.dirs)?;
        let asked: HashSet<Guid> = wanted.iter().filter_map(|wanted| wanted.guid).collect();
        let known: HashSet<Place> = picture.all().map(|stored| stored.place).collect();
        // Somebody writes to a busy file: what neither map nor mailbox knows there is on its way.
        let settled = |found: &Found| {
            !scan.busy.contains(&found.place.file)
                || known.contains(&found.place)
                || asked.contains(&found.guid)
        };
        let found = scan.found.iter().filter(|found| settled(found)).cloned();
        scan.found = found.collect();
        Ok(Survey {
            picture,
            scan,
            boxes,
            wanted,
        })
    }
}

impl Survey {
    fn findings(&self, numbers: Numbers) -> Findings {
        let known = self.picture.all().map(|stored| Known {
            map_uid: stored.map_uid,
            place: stored.place,
            references: stored.references,
        });
        Findings {
            found: self.scan.found.clone(),
            known: known.collect(),
            wanted: self.wanted.clone(),
            numbers,
            next_map_uid: self.picture.next_map_uid(),
        }
    }

    /// Damaged messages of which no whole copy was found, with their GUIDs: from what is left of the
    /// metadata, or from the mailbox that has the message at this place.
    fn to_salvage(&self) -> Vec<(Salvaged, String)> {
        let mut whole: HashSet<Guid> = self.scan.found.iter().map(|found| found.guid).collect();
        let mut salvage = Vec::new();
        for salvaged in &self.scan.salvaged {
            if self.scan.busy.contains(&salvaged.file) {
                continue;
            }
            let own = salvaged.message.guid();
            let own = own.map(|text| String::from_utf8_lossy(text).into_owned());
            let Some(text) = own.or_else(|| Some(self.guid_at(salvaged)?.to_string())) else {
                continue;
            };
            if whole.insert(crate::guid::from_text(text.as_bytes())) {
                salvage.push((salvaged.clone(), text));
            }
        }
        salvage
    }

    fn guid_at(&self, salvaged: &Salvaged) -> Option<Guid> {
        let offset = salvaged.message.offset;
        let stored = self.picture.all().find(|stored| {
            stored.place.file == salvaged.file && u64::from(stored.place.offset) == offset
        })?;
        let wanted = self.wanted.iter();
        let mut same = wanted.filter(|wanted| wanted.map_uid == Some(stored.map_uid));
        same.find_map(|wanted| wanted.guid)
    }

    fn told(&self, plan: &Plan) -> Vec<Finding> {
        let mut told = Vec::new();
        let guid = |found: usize| self.scan.found.get(found).map(|found| found.guid);
        for mapped in &plan.mapped {
            match guid(mapped.found).filter(|_| mapped.is_new) {
                Some(guid) => told.push(Finding::Mapped {
                    guid,
                    map_uid: mapped.map_uid,
                }),
                None if mapped.had != mapped.references => told.push(Finding::Counted {
                    map_uid: mapped.map_uid,
                    had: mapped.had,
                    references: mapped.references,
                }),
                None => {}
            }
        }
        told.extend(
            plan.unmapped
                .iter()
                .map(|&map_uid| Finding::Gone { map_uid }),
        );
        told.extend(plan.relinked.iter().filter_map(|relinked| {
            let (mailbox, uid) = self.record(relinked.wanted)?;
            Some(Finding::Relinked {
                mailbox,
                uid,
                map_uid: relinked.map_uid,
            })
        }));
        told.extend(plan.lost.iter().filter_map(|&lost| {
            let (mailbox, uid) = self.record(lost)?;
            Some(Finding::Lost { mailbox, uid })
        }));
        told.extend(self.scan.garbage.iter().map(|garbage| Finding::Garbage {
            file: garbage.file,
            from: garbage.from,
            to: garbage.to,
        }));
        told
    }

    fn record(&self, wanted: usize) -> Option<(std::path::PathBuf, u32)> {
        let wanted = self.wanted.get(wanted)?;
        Some((self.boxes.get(wanted.mailbox)?.dir.clone(), wanted.uid))
    }
}
