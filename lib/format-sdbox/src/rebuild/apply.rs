//! Doing what was planned. Files first, then the index: killed in between, the next look plans the rest.

use dbox::Key;
use index::log::record::Toggle;
use index::state::{ExtSpec, field};
use index::{IndexSync, State, Transaction};
use mailbox::{Error, Guid, Uid, UidSet};

use super::examine::Verdict;
use super::plan::Plan;
use super::put_header;
use crate::header::SPEC;
use crate::name;
use crate::placed::Temp;
use crate::sdbox::Sdbox;
use crate::sync::IN_ALT;

/// Extensions that are not copied: the log makes them itself, or they point into a cache.
const NOT_COPIED: [&str; 4] = ["keywords", "modseq", "cache", SPEC.name];

impl Sdbox {
    pub(super) fn apply(&self, sync: &mut IndexSync<'_>, plan: &Plan) -> Result<(), Error> {
        for (uid, _) in &plan.mended {
            self.mend(*uid)?;
        }
        for uid in plan.quarantined.keys() {
            self.quarantine(*uid)?;
        }
        let next = sync.state().header().next_uid();
        let is_in_order = plan.adopted.iter().all(|uid| uid.get() >= next);
        let mut transaction = match is_in_order {
            true => added(plan),
            false => anew(sync.state(), plan),
        };
        let mut header = plan.header;
        header.rebuild_count = header.rebuild_count.saturating_add(1);
        put_header(&mut transaction, sync, header);
        transaction.make_durable();
        let written = match is_in_order {
            true => sync.commit(&transaction),
            false => sync.start_over(&transaction),
        };
        written?;
        Ok(())
    }

    /// Writes a whole file in place of a damaged one, which is kept beside it.
    fn mend(&self, uid: Uid) -> Result<(), Error> {
        let Some(Verdict::Damaged(file, message, _)) = self.verdict(uid)? else {
            return Ok(());
        };
        let (fs, settings) = (&self.context.fs, &self.context.settings);
        let mut metadata = message.metadata.clone();
        if message.guid().is_none() {
            metadata.set(Key::GUID, Guid::generate().to_string().as_bytes());
        }
        if message.received().is_none() {
            let changed = file.file().stat()?.mtime.sec;
            metadata.set_number(Key::RECEIVED, u64::try_from(changed).unwrap_or(0));
        }
        let path = file.path().to_owned();
        let dir = path.parent().unwrap_or(&path);
        let mut writer = dbox::Writer::create(fs, dir, settings.file_mode)?;
        let mut temp = Temp::new(fs.clone(), writer.file().path().to_owned());
        writer.copy(&file, &message, &metadata)?;
        settings.durability.sync_data(writer.file())?;
        fs.link(&path, &name::quarantine(&path))?;
        temp.place(&path)?;
        Ok(settings.durability.sync_dir(fs, dir)?)
    }

    /// Moves the files of a UID out of the way.
    fn quarantine(&self, uid: Uid) -> Result<(), Error> {
        let fs = &self.context.fs;
        for (_, dir) in self.places.dirs() {
            let path = dir.join(name::of_mail(uid));
            match fs.rename(&path, &name::quarantine(&path)) {
                Err(error) if error.is_not_found() => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// The changes on top of what is there.
fn added(plan: &Plan) -> Transaction {
    let mut transaction = Transaction::external();
    for uid in &plan.adopted {
        transaction.append(uid.get(), plan.flags(*uid));
    }
    put_old_keywords(&mut transaction, plan);
    for (uid, place) in &plan.located {
        let uids = UidSet::from_iter([*uid]);
        match place {
            dbox::Place::Alt => transaction.update_flags(&uids, IN_ALT, 0),
            dbox::Place::Primary => transaction.update_flags(&uids, 0, IN_ALT),
        }
    }
    for uid in &plan.dropped {
        transaction.expunge(uid.get(), [0; 16]);
    }
    transaction
}

/// All of the index again, with the adopted messages among the others.
pub(super) fn anew(state: &State, plan: &Plan) -> Transaction {
    let mut transaction = Transaction::external();
    let header = state.header();
    transaction.set_uid_validity(header.uid_validity());
    for extension in state.extensions() {
        if NOT_COPIED.contains(&extension.name.as_str()) {
            continue;
        }
        let spec = ExtSpec {
            name: &extension.name,
            header_size: u32::try_from(extension.header.len()).unwrap_or(0),
            record_size: extension.record_size,
            record_align: extension.record_align,
        };
        let change = transaction.extension(&spec).introduce();
        change.generation(extension.reset_id);
        if !extension.header.is_empty() {
            change.set_header(0, &extension.header);
        }
        for record in kept(state, plan) {
            if let Some(bytes) = extension.bytes_of(record) {
                change.set_record(record.uid(), bytes);
            }
        }
    }
    let mut messages: Vec<(u32, u8)> = kept(state, plan)
        .map(|record| (record.uid(), record.flags()))
        .collect();
    let adopted = plan.adopted.iter();
    messages.extend(adopted.map(|uid| (uid.get(), plan.flags(*uid))));
    messages.sort_unstable();
    for (uid, flags) in messages {
        transaction.append(uid, flags);
    }
    put_keywords(&mut transaction, state, plan);
    put_old_keywords(&mut transaction, plan);
    transaction.set_next_uid(header.next_uid());
    transaction.set_header_after(field::FIRST_RECENT, header.first_recent_uid());
    transaction
}

fn put_keywords(transaction: &mut Transaction, state: &State, plan: &Plan) {
    for (bit, name) in state.keywords().iter().enumerate() {
        let uids = kept(state, plan).filter_map(|record| {
            let uid = Uid::new(record.uid())?;
            let set = state.keyword_set(state.seq(uid)?)?;
            set.contains(bit).then_some(uid)
        });
        transaction.update_keyword(Toggle::Add, name, &uids.collect());
    }
}

/// Keywords of adopted messages, as far as an older checkpoint knows them.
fn put_old_keywords(transaction: &mut Transaction, plan: &Plan) {
    let Some(old) = &plan.old else {
        return;
    };
    for (bit, name) in old.keywords().iter().enumerate() {
        let uids = plan.adopted.iter().copied().filter(|uid| {
            let set = old.seq(*uid).and_then(|seq| old.keyword_set(seq));
            set.is_some_and(|set| set.contains(bit))
        });
        transaction.update_keyword(Toggle::Add, name, &uids.collect());
    }
}

/// Messages that stay.
fn kept<'s>(state: &'s State, plan: &'s Plan) -> impl Iterator<Item = index::RecordRef<'s>> {
    state.records().filter(|record| {
        let uid = Uid::new(record.uid());
        uid.is_some_and(|uid| plan.dropped.binary_search(&uid).is_err())
    })
}
