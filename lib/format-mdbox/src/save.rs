//! Saving messages. FORMATS.md §2.5: written and synced → map locked → mailbox locked → new files get
//! their numbers → map → mailbox → unlocked. One transaction, all or none; memory does not grow with a
//! message.
//!
//! A kill before the map knows leaves bytes that the next writer cuts off, or a file that nobody knows;
//! one between map and mailbox leaves messages that are counted but never seen.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use dbox::{BodyFormat, Key, Metadata, Sizes, temp};
use index::cache::FieldId;
use index::log::record::Toggle;
use index::{IndexSync, Learnt, Transaction};
use mailbox::{Appended, Error, Flags, Guid, Keyword, NewMail, Uid, UidSet, UidValidity};

use crate::guid;
use crate::mailbox_ext::{GUID_SPEC, MDBOX_SPEC};
use crate::map::LockedMap;
use crate::map::locked::Failed;
use crate::mdbox::Mdbox;
use crate::number::MapUid;
use crate::output::{Outputs, Written};
use crate::record::BoxRecord;

/// So much of a message is read before a file is chosen for it, bytes.
const HEAD: u64 = 64 * 1024;

/// A message as the mailbox's index is to have it.
#[derive(Debug, Clone)]
pub(crate) struct NewRecord {
    pub map_uid: MapUid,
    pub guid: Option<Guid>,
    /// Bits of the index.
    pub flags: u8,
    pub keywords: Vec<Keyword>,
    pub save_date: u32,
    /// For the cache.
    pub known: Known,
}

/// Values of cached fields.
pub(crate) type Known = Vec<(FieldId, Vec<u8>)>;

/// A message that waits in a mail file for the commit.
pub(crate) struct Pending {
    pub written: Written,
    guid: Guid,
    flags: u8,
    keywords: Vec<Keyword>,
    save_date: u32,
    known: Known,
}

impl Pending {
    /// What the mailbox's index is to have of it.
    pub fn record(&self, map_uid: MapUid) -> NewRecord {
        NewRecord {
            map_uid,
            guid: Some(self.guid),
            flags: self.flags,
            keywords: self.keywords.clone(),
            save_date: self.save_date,
            known: self.known.clone(),
        }
    }
}

/// What a transaction has written, and not yet committed.
pub(crate) struct Work {
    pub outputs: Outputs,
    pub pending: Vec<Pending>,
}

/// Messages on their way into one mailbox. What is not committed vanishes.
pub(crate) struct Saving {
    mdbox: Arc<Mdbox>,
    work: Work,
}

impl Saving {
    /// Begins a transaction.
    pub fn begin(mdbox: Arc<Mdbox>) -> Self {
        let work = Work {
            outputs: Outputs::new(&mdbox.storage),
            pending: Vec::new(),
        };
        Self { mdbox, work }
    }

    fn write(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        let mut head = Vec::new();
        let read = Read::take(&mut *body, HEAD).read_to_end(&mut head);
        let size = read.map_err(Error::Input)? as u64;
        let mut body = Cursor::new(head).chain(body);
        let (guid, now) = (guid_text(mail), temp::now());
        let received = mail.internal_date.map_or(now.into(), |date| date.seconds);
        let mailbox = self.mdbox.stored_name();
        let storage = &self.mdbox.storage;
        let format = BodyFormat {
            line_ends: storage.settings.common.line_ends,
            encoding: storage.settings.encoding,
        };
        let mut watch = self.mdbox.opened()?.cached.watch();
        let mut virtual_size = 0;
        let written = self.work.outputs.write(size, None, &mut |writer| {
            let mut describe = |sizes: &Sizes| {
                virtual_size = sizes.virtual_size;
                metadata(sizes, received, &guid, &mailbox)
            };
            let mut see = |bytes: &[u8]| watch.see(bytes);
            writer.save(&mut body, format, &mut see, &mut describe)
        })?;
        let date = |seconds: i64| u32::try_from(seconds).unwrap_or(0).to_le_bytes().to_vec();
        self.work.pending.push(Pending {
            written,
            guid: guid::from_text(guid.as_bytes()),
            flags: mail.flags.without(Flags::RECENT).index_bits(),
            keywords: mail.keywords.clone(),
            save_date: now,
            known: watch.finish(vec![
                (FieldId::DATE_RECEIVED, date(received)),
                (FieldId::SIZE_VIRTUAL, virtual_size.to_le_bytes().to_vec()),
            ]),
        });
        Ok(())
    }

    fn commit(self) -> Result<Appended, Error> {
        if !self.work.pending.is_empty() {
            self.work.outputs.sync()?;
        }
        self.mdbox.commit(self.work)
    }
}

/// A copy keeps its GUID, whatever text it is.
fn guid_text(mail: &NewMail) -> String {
    let given = mail.guid.as_ref();
    let is_value =
        |guid: &&String| (1..=255).contains(&guid.len()) && !guid.contains(char::is_control);
    match given.filter(is_value) {
        Some(guid) => guid.clone(),
        None => Guid::generate().to_string(),
    }
}

/// Lines in Dovecot's order: Z R V G B.
fn metadata(sizes: &Sizes, received: i64, guid: &str, mailbox: &str) -> Metadata {
    let mut metadata = sizes.metadata(received);
    metadata.set(Key::GUID, guid.as_bytes());
    metadata.set(Key::MAILBOX, mailbox.as_bytes());
    metadata
}

impl Mdbox {
    /// Gives messages that the map counts already a place in this mailbox; durable when it returns. On
    /// failure they are not there, and their references are taken back.
    pub(crate) fn append<'m>(
        &'m self,
        map: &mut LockedMap<'_>,
        mut sync: IndexSync<'m>,
        records: &[NewRecord],
    ) -> Result<(Appended, IndexSync<'m>), Error> {
        match self.append_records(&mut sync, records) {
            Ok(appended) => Ok((appended, sync)),
            Err((uids, failed)) => {
                let withdrawn = match &failed {
                    Failed::Nothing(_) => Ok(()),
                    Failed::Maybe(_) => {
                        drop(sync);
                        self.withdraw(&uids)
                    }
                };
                match withdrawn {
                    Ok(()) => self.uncount(map, records),
                    Err(also) => tracing::error!("{}: refused, but there: {also}", self.name()),
                }
                Err(failed.into_error())
            }
        }
    }

    /// Messages that are in the log, but nobody knows whether for good, are refused: they go again.
    fn withdraw(&self, uids: &[Uid]) -> Result<(), Error> {
        let mut sync = self.lock()?;
        let mut transaction = Transaction::external();
        for uid in uids {
            transaction.expunge(uid.get(), [0; 16]);
        }
        transaction.make_durable();
        sync.commit(&transaction)
            .map_err(|error| self.told(error))?;
        Ok(())
    }

    fn uncount(&self, map: &mut LockedMap<'_>, records: &[NewRecord]) {
        let mut counts = BTreeMap::new();
        for record in records {
            *counts.entry(record.map_uid).or_insert(0) -= 1;
        }
        if let Err(failed) = map.count(&counts) {
            let error = failed.into_error();
            tracing::warn!("{}: references stay counted: {error}", self.name());
        }
    }

    /// Everything is in the logs: what fails now is for the next one to do.
    pub(crate) fn finish_both(&self, sync: IndexSync<'_>, map: LockedMap<'_>) {
        for result in [self.finish(sync), map.finish()] {
            if let Err(error) = result {
                tracing::warn!("{}: {error}", self.name());
            }
        }
    }

    fn append_records(
        &self,
        sync: &mut IndexSync<'_>,
        records: &[NewRecord],
    ) -> Result<Appended, (Vec<Uid>, Failed)> {
        let header = sync.state().header();
        let first = header.next_uid();
        let uid_validity = UidValidity::new(header.uid_validity());
        let uids = (first..u32::MAX).map_while(Uid::new);
        let uids: Vec<Uid> = uids.take(records.len()).collect();
        let (Some(uid_validity), true) = (uid_validity, uids.len() == records.len()) else {
            let error = Error::Limit {
                what: "No more UIDs in this mailbox",
            };
            return Err((Vec::new(), Failed::Nothing(error)));
        };
        if records.is_empty() {
            return Ok(Appended { uid_validity, uids });
        }
        let mut transaction = append_transaction(&uids, records);
        transaction.make_durable();
        self.stage(sync, &mut transaction, (&uids, records));
        match sync.commit(&transaction) {
            Ok(_) => Ok(Appended { uid_validity, uids }),
            Err(error) => Err((uids, error.into())),
        }
    }

    /// What is to be cached of new messages.
    fn stage(
        &self,
        sync: &IndexSync<'_>,
        transaction: &mut Transaction,
        (uids, records): (&[Uid], &[NewRecord]),
    ) {
        let Ok(opened) = self.opened() else {
            return;
        };
        let learnt = uids.iter().zip(records).map(|(uid, record)| Learnt {
            uid: *uid,
            values: record.known.clone(),
        });
        let learnt = learnt.filter(|learnt| !learnt.values.is_empty());
        let learnt: Vec<Learnt> = learnt.collect();
        opened.cached.stage(sync, transaction, &learnt);
    }
}

fn append_transaction(uids: &[Uid], records: &[NewRecord]) -> Transaction {
    let mut transaction = Transaction::external();
    let mut keywords: Vec<(&Keyword, Vec<Uid>)> = Vec::new();
    for (uid, record) in uids.iter().zip(records) {
        transaction.append(uid.get(), record.flags);
        let reference = BoxRecord {
            map_uid: record.map_uid,
            save_date: record.save_date,
        };
        let mdbox = transaction.extension(&MDBOX_SPEC);
        mdbox.set_record(uid.get(), &reference.encode());
        if let Some(guid) = record.guid {
            let extension = transaction.extension(&GUID_SPEC);
            extension.set_record(uid.get(), &guid.0);
        }
        for keyword in &record.keywords {
            match keywords.iter_mut().find(|(known, _)| *known == keyword) {
                Some((_, uids)) => uids.push(*uid),
                None => keywords.push((keyword, vec![*uid])),
            }
        }
    }
    for (keyword, uids) in keywords {
        let uids: UidSet = uids.into_iter().collect();
        transaction.update_keyword(Toggle::Add, keyword.as_str(), &uids);
    }
    transaction
}

impl mailbox::Save for Saving {
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        self.write(mail, body)
    }

    fn commit(self: Box<Self>) -> Result<Appended, Error> {
        Self::commit(*self)
    }
}
