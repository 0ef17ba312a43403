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
use index::log::record::Toggle;
use index::{IndexSync, Transaction};
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
}

/// A message that waits in a mail file for the commit.
struct Pending {
    written: Written,
    guid: Guid,
    flags: u8,
    keywords: Vec<Keyword>,
    save_date: u32,
}

/// Messages on their way into one mailbox. What is not committed vanishes.
pub(crate) struct Saving {
    mdbox: Arc<Mdbox>,
    outputs: Outputs,
    pending: Vec<Pending>,
}

impl Saving {
    /// Begins a transaction.
    pub fn begin(mdbox: Arc<Mdbox>) -> Self {
        Self {
            outputs: Outputs::new(&mdbox.storage),
            mdbox,
            pending: Vec::new(),
        }
    }

    fn write(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        let mut head = Vec::new();
        let read = Read::take(&mut *body, HEAD).read_to_end(&mut head);
        let size = read.map_err(Error::Input)? as u64;
        let mut body = Cursor::new(head).chain(body);
        let (guid, now) = (guid_text(mail), temp::now());
        let received = mail.internal_date.map_or(now.into(), |date| date.seconds);
        let mailbox = self.mdbox.stored_name().to_owned();
        let storage = &self.mdbox.storage;
        let format = BodyFormat {
            line_ends: storage.settings.common.line_ends,
            encoding: storage.settings.encoding,
        };
        let written = self.outputs.write(size, None, &mut |writer| {
            writer.save(&mut body, format, &mut |sizes| {
                metadata(sizes, received, &guid, &mailbox)
            })
        })?;
        self.pending.push(Pending {
            written,
            guid: guid::from_text(guid.as_bytes()),
            flags: mail.flags.without(Flags::RECENT).index_bits(),
            keywords: mail.keywords.clone(),
            save_date: now,
        });
        Ok(())
    }

    fn commit(mut self) -> Result<Appended, Error> {
        if !self.pending.is_empty() {
            self.outputs.sync()?;
        }
        let mdbox = Arc::clone(&self.mdbox);
        let mut map = mdbox.storage.lock_map()?;
        let mut sync = mdbox.lock()?;
        let written: Vec<Written> = self.pending.iter().map(|pending| pending.written).collect();
        let places = self.outputs.place(&mut map, &written);
        let places = places.map_err(Failed::into_error)?;
        let map_uids = match map.append(&places) {
            Ok(map_uids) => map_uids,
            Err(Failed::Nothing(error)) => return Err(error),
            Err(Failed::Maybe(error)) => {
                self.outputs.keep();
                return Err(error);
            }
        };
        self.outputs.keep();
        let records: Vec<NewRecord> = map_uids
            .into_iter()
            .zip(&self.pending)
            .map(|(map_uid, pending)| NewRecord {
                map_uid,
                guid: Some(pending.guid),
                flags: pending.flags,
                keywords: pending.keywords.clone(),
                save_date: pending.save_date,
            })
            .collect();
        let appended = mdbox.append(&mut map, &mut sync, &records)?;
        // The mail files are unlocked before the map is.
        drop(self);
        mdbox.finish_both(sync, map);
        Ok(appended)
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
    /// failure their references are taken back.
    pub(crate) fn append(
        &self,
        map: &mut LockedMap<'_>,
        sync: &mut IndexSync<'_>,
        records: &[NewRecord],
    ) -> Result<Appended, Error> {
        match append_records(sync, records) {
            Ok(appended) => Ok(appended),
            // The mailbox may refer to them.
            Err(Failed::Maybe(error)) => Err(error),
            Err(Failed::Nothing(error)) => {
                let mut counts = BTreeMap::new();
                for record in records {
                    *counts.entry(record.map_uid).or_insert(0) -= 1;
                }
                if let Err(failed) = map.count(&counts) {
                    let error = failed.into_error();
                    tracing::warn!("{}: references stay counted: {error}", self.name());
                }
                Err(error)
            }
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
}

fn append_records(sync: &mut IndexSync<'_>, records: &[NewRecord]) -> Result<Appended, Failed> {
    let header = sync.state().header();
    let first = header.next_uid();
    let uid_validity = UidValidity::new(header.uid_validity());
    let too_many = Failed::Nothing(Error::Limit {
        what: "No more UIDs in this mailbox",
    });
    let uids = (first..u32::MAX).map_while(Uid::new);
    let uids: Vec<Uid> = uids.take(records.len()).collect();
    let (Some(uid_validity), true) = (uid_validity, uids.len() == records.len()) else {
        return Err(too_many);
    };
    if !records.is_empty() {
        let mut transaction = append_transaction(&uids, records);
        transaction.make_durable();
        sync.commit(&transaction)?;
    }
    Ok(Appended { uid_validity, uids })
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
