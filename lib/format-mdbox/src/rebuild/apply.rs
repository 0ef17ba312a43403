//! Carrying a plan out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dbox::{Key, temp};
use index::state::field;
use index::{IndexSync, Transaction};
use mailbox::{Error, Uid};

use super::boxes::OpenBox;
use super::plan::{self, Found, Mapped, Numbers, Plan};
use super::{Extent, Finding, Run, Survey, scan};
use crate::guid;
use crate::mail::Reference;
use crate::mailbox_ext::{GUID_SPEC, MDBOX_HDR_SPEC, MDBOX_SPEC};
use crate::map::locked::Failed;
use crate::map::{LockedMap, REPAIRED};
use crate::number::{FileId, MapUid};
use crate::output::Outputs;
use crate::purge::plan::Stored;
use crate::record::{BoxHeader, BoxRecord, Place};
use crate::recount::ALT;
use crate::storage::Storage;

/// What a mailbox's index is to be told.
#[derive(Default)]
struct BoxChange {
    /// UID, number and GUID.
    relinked: Vec<(u32, MapUid, mailbox::Guid)>,
    lost: Vec<u32>,
    restored: Vec<(MapUid, mailbox::Guid)>,
}

impl Storage {
    pub(super) fn apply(
        self: &Arc<Self>,
        map: &mut LockedMap<'_>,
        mut survey: Survey,
        (extent, run): (Extent, Run),
    ) -> Result<Vec<Finding>, Error> {
        let mut told = self.salvage(map, &mut survey, run)?;
        let numbers = match self.map.is_lost() {
            true => Numbers::Lost,
            false => Numbers::Valid,
        };
        let mut plan = plan::plan(&survey.findings(numbers));
        let homes = self.homes(&survey, &mut plan, extent)?;
        if extent == Extent::Everything {
            self.must_have_alt(&survey, &plan)?;
        }
        told.extend(survey.told(&plan));
        told.extend(homes.iter().filter_map(|&(at, home)| {
            let mapped = plan.mapped.get(at)?;
            Some(Finding::Restored {
                guid: survey.scan.found.get(mapped.found)?.guid,
                mailbox: survey.boxes.get(home)?.dir.clone(),
            })
        }));
        if run == Run::Real {
            self.carry_out(map, &survey, (&plan, &homes))?;
        }
        Ok(told)
    }

    fn carry_out(
        &self,
        map: &mut LockedMap<'_>,
        survey: &Survey,
        (plan, homes): (&Plan, &[(usize, usize)]),
    ) -> Result<(), Error> {
        let done = self.add_to_map(map, survey, plan);
        done.map_err(Failed::into_error)?;
        let changes = changes(survey, plan, homes);
        let uid_validity = survey.picture.uid_validity();
        for (at, open) in survey.boxes.iter().enumerate() {
            let change = changes.get(&at);
            change_box(open, change.unwrap_or(&BoxChange::default()), uid_validity)?;
        }
        let settled = settle_map(map, plan);
        settled.map_err(Failed::into_error)?;
        if survey.picture.is_repaired() {
            map.clear_repaired().map_err(Failed::into_error)?;
        }
        self.map.is_found();
        Ok(())
    }

    /// Writes damaged messages anew; they count as found then.
    fn salvage(
        self: &Arc<Self>,
        map: &mut LockedMap<'_>,
        survey: &mut Survey,
        run: Run,
    ) -> Result<Vec<Finding>, Error> {
        let salvage = survey.to_salvage();
        let mut outputs = Outputs::new(self);
        let (mut written, mut told) = (Vec::new(), Vec::new());
        for (salvaged, text) in &salvage {
            told.push(Finding::Salvaged {
                file: salvaged.file,
                offset: salvaged.message.offset,
            });
            if run == Run::Dry {
                continue;
            }
            let Some(file) = self.open_damaged(salvaged.file)? else {
                continue;
            };
            let message = &salvaged.message;
            let mut metadata = message.metadata.clone();
            if message.guid().is_none() {
                metadata.set(Key::GUID, text.as_bytes());
            }
            let size = message.stored;
            let one = outputs.write(size, Some(salvaged.file), &mut |writer| {
                writer.copy(&file, message, &metadata)
            })?;
            written.push((one, guid::from_text(text.as_bytes())));
        }
        if written.is_empty() {
            return Ok(told);
        }
        outputs.sync()?;
        map.raise_files(
            survey
                .scan
                .highest_file
                .max(map.picture().header().highest_file),
        )
        .map_err(Failed::into_error)?;
        let ones: Vec<_> = written.iter().map(|(one, _)| *one).collect();
        let places = outputs.place(map, &ones).map_err(Failed::into_error)?;
        outputs.keep();
        for (place, (_, guid)) in places.into_iter().zip(written) {
            survey.scan.found.push(Found { place, guid });
        }
        Ok(told)
    }

    /// Which mailbox each message that nobody has goes to: index into [`Plan::mapped`], and the mailbox.
    /// Those that go nowhere keep their counts, and stay unknown if they were.
    fn homes(
        &self,
        survey: &Survey,
        plan: &mut Plan,
        extent: Extent,
    ) -> Result<Vec<(usize, usize)>, Error> {
        let orphans = std::mem::take(&mut plan.restored);
        let mut homes = Vec::new();
        for at in orphans {
            let Some(mapped) = plan.mapped.get_mut(at) else {
                continue;
            };
            let home = match extent {
                Extent::Everything => self.home(survey, mapped)?,
                Extent::Relink => None,
            };
            match home {
                Some(home) => homes.push((at, home)),
                None => mapped.references = mapped.had.max(1),
            }
        }
        plan.restored = homes.iter().map(|&(at, _)| at).collect();
        if extent == Extent::Relink {
            leave_unknown(survey, plan);
            plan.lost.clear();
            plan.unmapped.clear();
            for mapped in &mut plan.mapped {
                mapped.references = mapped.references.max(mapped.had);
            }
        }
        Ok(homes)
    }

    fn home(&self, survey: &Survey, mapped: &Mapped) -> Result<Option<usize>, Error> {
        let Some(found) = survey.scan.found.get(mapped.found) else {
            return Ok(None);
        };
        let message = self.files.message(found.place)?;
        let name = message.and_then(|(_, message)| scan::first_mailbox(&message));
        let called = |name: &str| {
            let same = |open: &OpenBox| open.is_called(&self.dirs.mailboxes, name);
            survey.boxes.iter().position(same)
        };
        let own = name.and_then(|name| called(&name));
        Ok(own.or_else(|| called("INBOX")))
    }

    /// Messages are not given up because a disk is not there.
    fn must_have_alt(&self, survey: &Survey, plan: &Plan) -> Result<(), Error> {
        let Some(alt) = &self.dirs.alt else {
            return Ok(());
        };
        if self.fs.stat_opt(alt)?.is_some() {
            return Ok(());
        }
        let is_in_alt = |&lost: &usize| {
            let wanted = survey.wanted.get(lost);
            wanted.is_some_and(|wanted| {
                let open = survey.boxes.get(wanted.mailbox);
                let uid = Uid::new(wanted.uid);
                let record = open
                    .zip(uid)
                    .and_then(|(open, uid)| open.state.record_of(uid));
                record.is_some_and(|record| record.flags() & ALT != 0)
            })
        };
        match plan.lost.iter().any(is_in_alt) {
            true => Err(Error::Config(format!(
                "{}: ALT storage is not there, but has messages",
                alt.display()
            ))),
            false => Ok(()),
        }
    }

    /// New messages are counted, and counts raised; none is lowered yet.
    fn add_to_map(
        &self,
        map: &mut LockedMap<'_>,
        survey: &Survey,
        plan: &Plan,
    ) -> Result<(), Failed> {
        let highest = map.picture().header().highest_file;
        if survey.scan.highest_file > highest {
            map.raise_files(survey.scan.highest_file)?;
        }
        let new = plan.mapped.iter().filter(|mapped| mapped.is_new);
        let mut stored: Vec<Stored> = new
            .filter_map(|mapped| {
                Some(Stored {
                    map_uid: mapped.map_uid,
                    place: survey.scan.found.get(mapped.found)?.place,
                    references: mapped.references,
                })
            })
            .collect();
        stored.sort_unstable_by_key(|stored| stored.map_uid);
        map.append_as(&stored)?;
        let raised = plan
            .mapped
            .iter()
            .filter(|m| !m.is_new && m.references > m.had);
        let raised: BTreeMap<MapUid, u16> = raised.map(|m| (m.map_uid, m.references)).collect();
        map.set_counts(&raised)
    }

    /// Files of ALT storage that another file hides come to light under new numbers.
    pub(super) fn renumber(&self, map: &mut LockedMap<'_>, hidden: &[FileId]) -> Result<(), Error> {
        let Some(alt) = &self.dirs.alt else {
            return Ok(());
        };
        for hidden in hidden {
            let highest = self.dirs.files(&self.fs)?;
            let highest = highest.last_key_value().map_or(0, |(id, _)| id.0);
            if highest > map.picture().header().highest_file {
                map.raise_files(highest).map_err(Failed::into_error)?;
            }
            let id = map.reserve_files(1).map_err(Failed::into_error)?;
            let (from, to) = (alt.join(hidden.file_name()), alt.join(id.file_name()));
            self.fs.rename(&from, &to)?;
        }
        Ok(())
    }
}

/// New messages that nobody wants stay unknown.
fn leave_unknown(survey: &Survey, plan: &mut Plan) {
    let mut wanted: HashMap<Place, u32> = HashMap::new();
    let known: HashMap<MapUid, Place> = plan
        .mapped
        .iter()
        .filter_map(|m| Some((m.map_uid, survey.scan.found.get(m.found)?.place)))
        .collect();
    let relinked: HashMap<usize, MapUid> = plan
        .relinked
        .iter()
        .map(|relinked| (relinked.wanted, relinked.map_uid))
        .collect();
    for (at, want) in survey.wanted.iter().enumerate() {
        let map_uid = relinked.get(&at).copied().or(want.map_uid);
        if let Some(place) = map_uid.and_then(|map_uid| known.get(&map_uid)) {
            *wanted.entry(*place).or_default() += 1;
        }
    }
    let is_wanted = |mapped: &Mapped| {
        let found = survey.scan.found.get(mapped.found);
        found.is_some_and(|found| wanted.contains_key(&found.place))
    };
    plan.mapped
        .retain(|mapped| !mapped.is_new || is_wanted(mapped));
}

fn changes(survey: &Survey, plan: &Plan, homes: &[(usize, usize)]) -> HashMap<usize, BoxChange> {
    let mut changes: HashMap<usize, BoxChange> = HashMap::new();
    for relinked in &plan.relinked {
        let found = survey.scan.found.get(relinked.found);
        if let (Some(wanted), Some(found)) = (survey.wanted.get(relinked.wanted), found) {
            let change = changes.entry(wanted.mailbox).or_default();
            let record = (wanted.uid, relinked.map_uid, found.guid);
            change.relinked.push(record);
        }
    }
    for lost in &plan.lost {
        if let Some(wanted) = survey.wanted.get(*lost) {
            changes
                .entry(wanted.mailbox)
                .or_default()
                .lost
                .push(wanted.uid);
        }
    }
    for &(at, home) in homes {
        let mapped = plan.mapped.get(at);
        let found = mapped.and_then(|mapped| survey.scan.found.get(mapped.found));
        if let (Some(mapped), Some(found)) = (mapped, found) {
            let change = changes.entry(home).or_default();
            change.restored.push((mapped.map_uid, found.guid));
        }
    }
    changes
}

/// Brings one mailbox in line: one transaction, if there is anything to say.
fn change_box(open: &OpenBox, change: &BoxChange, uid_validity: u32) -> Result<(), Error> {
    let is_ours = open
        .header()
        .is_some_and(|header| header.map_uid_validity == uid_validity);
    // One that somebody is making is his: Dovecot waits for the map while it holds its lock.
    let is_ours = is_ours || (open.header().is_none() && open.state.is_empty());
    let is_idle =
        change.relinked.is_empty() && change.lost.is_empty() && change.restored.is_empty();
    if is_idle && is_ours && !open.state.header().is_repaired() {
        return Ok(());
    }
    let mut sync = open.index.begin_sync()?;
    let transaction = box_transaction(&sync, change, uid_validity);
    sync.commit(&transaction)?;
    sync.finish()?;
    Ok(())
}

fn box_transaction(sync: &IndexSync<'_>, change: &BoxChange, uid_validity: u32) -> Transaction {
    let state = sync.state();
    let mut transaction = Transaction::external();
    transaction.make_durable();
    let header = state.ext_header(crate::mailbox_ext::MDBOX_HDR);
    let header = header.and_then(BoxHeader::decode);
    let header = BoxHeader {
        map_uid_validity: uid_validity,
        guid: header.map_or_else(mailbox::Guid::generate, |header| header.guid),
        flags: header.map_or(0, |header| header.flags),
    };
    let extension = transaction.extension(&MDBOX_HDR_SPEC);
    extension.set_header(0, &header.encode());
    for &(uid, map_uid, guid) in &change.relinked {
        let seq = Uid::new(uid).and_then(|uid| state.seq(uid));
        let known = seq.and_then(|seq| Reference::of(state, seq));
        let save_date = known.map_or_else(temp::now, |known| known.record.save_date);
        let record = BoxRecord { map_uid, save_date };
        let extension = transaction.extension(&MDBOX_SPEC);
        extension.set_record(uid, &record.encode());
        transaction.extension(&GUID_SPEC).set_record(uid, &guid.0);
    }
    for &uid in &change.lost {
        transaction.expunge(uid, [0; 16]);
    }
    for (uid, &(map_uid, guid)) in (state.header().next_uid()..u32::MAX).zip(&change.restored) {
        let record = BoxRecord {
            map_uid,
            save_date: temp::now(),
        };
        transaction.append(uid, 0);
        let mdbox = transaction.extension(&MDBOX_SPEC);
        mdbox.set_record(uid, &record.encode());
        transaction.extension(&GUID_SPEC).set_record(uid, &guid.0);
    }
    if state.header().is_repaired() {
        let flags = state.header().get(field::FLAGS) & !REPAIRED;
        transaction.set_header(field::FLAGS, flags);
    }
    transaction
}

/// Counts are lowered, and records without a message go.
fn settle_map(map: &mut LockedMap<'_>, plan: &Plan) -> Result<(), Failed> {
    let lowered = plan
        .mapped
        .iter()
        .filter(|m| !m.is_new && m.references < m.had);
    let lowered: BTreeMap<MapUid, u16> = lowered.map(|m| (m.map_uid, m.references)).collect();
    map.set_counts(&lowered)?;
    map.relocate(&[], &plan.unmapped)?;
    match plan.is_empty() {
        true => Ok(()),
        false => map.count_rebuild(),
    }
}
