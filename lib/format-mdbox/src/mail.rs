//! One message of a view.

use std::sync::Arc;

use dbox::{DboxFile, Key, Message, VirtualSize};
use index::cache::FieldId;
use index::{CacheEntry, CacheView, State};
use mailbox::{Backend, Error, Guid, Mail, MailCache, MailDate, ReadSeek, Seq, Uid};

use crate::guid;
use crate::mailbox_ext::{GUID, MDBOX};
use crate::mdbox::Mdbox;
use crate::number::MapUid;
use crate::record::BoxRecord;

/// What a mailbox's record says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference {
    /// In the mailbox.
    pub uid: Uid,
    /// In the map, and since when.
    pub record: BoxRecord,
    /// `None`: the record has none.
    pub guid: Option<Guid>,
}

/// Of a record that names no message.
const NO_RECORD: BoxRecord = BoxRecord {
    map_uid: MapUid(0),
    save_date: 0,
};

impl Reference {
    /// Of a message in a picture of the mailbox; `None`: it is not there. A record that names no message is
    /// damaged: it says map UID 0, and reading it finds the message by its GUID.
    pub fn of(state: &State, seq: Seq) -> Option<Self> {
        let record = state.record(seq)?;
        let bytes = |name| state.extension(name)?.bytes_of(record);
        Some(Self {
            uid: Uid::new(record.uid())?,
            record: bytes(MDBOX)
                .and_then(BoxRecord::decode)
                .unwrap_or(NO_RECORD),
            guid: bytes(GUID).and_then(guid::from_record),
        })
    }
}

/// A message of a view; read when it is asked for.
pub(crate) struct MdboxMail<'v> {
    mdbox: &'v Arc<Mdbox>,
    reference: Reference,
    cache: Option<CacheEntry<'v>>,
    /// From the index, for quota; `None`: it does not say.
    known_size: Option<u64>,
    read: Option<(DboxFile, Message)>,
}

impl<'v> MdboxMail<'v> {
    pub fn new(
        mdbox: &'v Arc<Mdbox>,
        (state, seq): (&State, Seq),
        cache: Option<&'v mut CacheView>,
    ) -> Option<Self> {
        Some(Self {
            mdbox,
            cache: cache.map(|view| CacheEntry::new(view, seq)),
            reference: Reference::of(state, seq)?,
            known_size: known_size(state, seq),
            read: None,
        })
    }

    fn read(&mut self) -> Result<&(DboxFile, Message), Error> {
        let read = match self.read.take() {
            Some(read) => read,
            None => self.mdbox.read(&self.reference)?,
        };
        Ok(self.read.insert(read))
    }
}

impl Mail for MdboxMail<'_> {
    fn size(&mut self) -> Result<u64, Error> {
        if let Some(size) = self.known_size {
            return Ok(size);
        }
        let cache = self.cache.as_mut();
        if let Some(size) = cache.and_then(|cache| cache.size(FieldId::SIZE_VIRTUAL)) {
            return Ok(size);
        }
        let told = self.read()?.1.virtual_size();
        let size = match told {
            Some(size) => size,
            None => self.count()?,
        };
        if let Some(cache) = &mut self.cache {
            cache.learn(FieldId::SIZE_VIRTUAL, &size.to_le_bytes());
        }
        Ok(size)
    }

    fn internal_date(&mut self) -> Result<MailDate, Error> {
        let cache = self.cache.as_mut();
        if let Some(date) = cache.and_then(|cache| cache.date(FieldId::DATE_RECEIVED)) {
            return Ok(date);
        }
        let saved = i64::from(self.reference.record.save_date);
        let received = self.read()?.1.received().unwrap_or(saved);
        if let Some(cache) = &mut self.cache {
            cache.learn_date(FieldId::DATE_RECEIVED, received);
        }
        Ok(MailDate::local(received))
    }

    fn save_date(&mut self) -> Result<Option<MailDate>, Error> {
        let date = self.reference.record.save_date;
        Ok((date != 0).then(|| MailDate::local(date.into())))
    }

    fn guid(&mut self) -> Result<String, Error> {
        let read = self.read.as_ref();
        let own = read.and_then(|(_, message)| message.guid());
        if let Some(guid) = own.map(guid::from_text).or(self.reference.guid) {
            return Ok(guid.to_string());
        }
        let text = self.read()?.1.guid().unwrap_or_default();
        Ok(guid::from_text(text).to_string())
    }

    fn backend(&mut self) -> Result<Backend, Error> {
        let map_uid = self.reference.record.map_uid;
        let picture = self.mdbox.storage.map.last_picture()?;
        let stored = picture.stored(map_uid);
        let (_, message) = self.read()?;
        let text = |key| {
            let value = message.metadata.get(key)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        Ok(Backend {
            pop3_uidl: text(Key::POP3_UIDL),
            pop3_order: text(Key::POP3_ORDER).and_then(|order| order.parse().ok()),
            refcount: stored.map(|stored| stored.references.into()),
            storage_id: Some(map_uid.to_string()),
        })
    }

    fn cache(&mut self) -> Option<&mut dyn MailCache> {
        Some(self.cache.as_mut()?)
    }

    fn body(&mut self) -> Result<Box<dyn ReadSeek + '_>, Error> {
        let attachments = self.mdbox.attachments().cloned();
        let (file, message) = self.read()?;
        Ok(Box::new(file.body(message, attachments.as_ref())?))
    }
}

/// Extension "vsize" has the size plus one. FORMATS.md §1.10.
fn known_size(state: &State, seq: Seq) -> Option<u64> {
    let bytes = state.ext_record(seq, "vsize")?.first_chunk()?;
    u32::from_le_bytes(*bytes).checked_sub(1).map(u64::from)
}

impl MdboxMail<'_> {
    /// Ancient versions wrote no V.
    fn count(&mut self) -> Result<u64, Error> {
        let mut size = VirtualSize::default();
        let mut chunk = vec![0; 64 * 1024];
        let mut body = self.body()?;
        loop {
            let read = body.read(&mut chunk).map_err(Error::Input)?;
            if read == 0 {
                return Ok(size.bytes);
            }
            size.add(chunk.get(..read).unwrap_or_default());
        }
    }
}
