//! One message of a view, read from its file.

use std::sync::Arc;

use dbox::{DboxFile, Key, Message, VirtualSize};
use index::cache::FieldId;
use index::state::State;
use index::{CacheEntry, CacheView};
use mailbox::{Error, Mail, MailCache, MailDate, ReadSeek, Seq, Uid};

use crate::name;
use crate::sdbox::Sdbox;

/// A message; its file is opened when something is asked that neither index nor cache know.
pub(crate) struct SdboxMail<'v> {
    sdbox: &'v Arc<Sdbox>,
    state: Arc<State>,
    seq: Seq,
    uid: Uid,
    cache: Option<CacheEntry<'v>>,
    opened: Option<(DboxFile, Message)>,
}

impl<'v> SdboxMail<'v> {
    pub fn new(
        sdbox: &'v Arc<Sdbox>,
        state: &Arc<State>,
        seq: Seq,
        cache: Option<&'v mut CacheView>,
    ) -> Result<Self, Error> {
        Ok(Self {
            sdbox,
            uid: state.uid(seq).ok_or(Error::Expunged)?,
            state: Arc::clone(state),
            seq,
            cache: cache.map(|view| CacheEntry::new(view, seq)),
            opened: None,
        })
    }

    fn opened(&mut self) -> Result<&(DboxFile, Message), Error> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => self.sdbox.open_mail(self.uid)?,
        };
        Ok(self.opened.insert(opened))
    }

    /// Very old versions wrote no V.
    fn count(&mut self) -> Result<u64, Error> {
        let mut size = VirtualSize::default();
        let mut chunk = vec![0; 64 * 1024];
        let path = self.opened()?.0.path().to_owned();
        let mut body = self.body()?;
        loop {
            match body.read(&mut chunk) {
                Ok(0) => return Ok(size.bytes),
                Ok(read) => size.add(chunk.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let call = "read";
                    return Err(Error::Syscall { call, path, source });
                }
            }
        }
    }

    /// RFC822.SIZE as the index has it: one more than it is, 0 for unknown. FORMATS.md §1.10.
    fn known_size(&self) -> Option<u64> {
        let bytes = self.state.ext_record(self.seq, "vsize")?.first_chunk()?;
        u32::from_le_bytes(*bytes).checked_sub(1).map(u64::from)
    }

    fn learn(&mut self, id: FieldId, value: &[u8]) {
        if let Some(cache) = &mut self.cache {
            cache.learn(id, value);
        }
    }

    fn cached_date(&mut self, id: FieldId) -> Option<MailDate> {
        self.cache.as_mut()?.date(id)
    }

    fn learn_date(&mut self, id: FieldId, seconds: i64) -> MailDate {
        if let Some(cache) = &mut self.cache {
            cache.learn_date(id, seconds);
        }
        MailDate::local(seconds)
    }
}

impl Mail for SdboxMail<'_> {
    fn size(&mut self) -> Result<u64, Error> {
        if let Some(size) = self.known_size() {
            return Ok(size);
        }
        let cache = self.cache.as_mut();
        if let Some(size) = cache.and_then(|cache| cache.size(FieldId::SIZE_VIRTUAL)) {
            return Ok(size);
        }
        let told = self.opened()?.1.virtual_size();
        let size = match told {
            Some(size) => size,
            None => self.count()?,
        };
        self.learn(FieldId::SIZE_VIRTUAL, &size.to_le_bytes());
        Ok(size)
    }

    fn internal_date(&mut self) -> Result<MailDate, Error> {
        if let Some(date) = self.cached_date(FieldId::DATE_RECEIVED) {
            return Ok(date);
        }
        let (file, message) = self.opened()?;
        let seconds = match message.received() {
            Some(received) => received,
            None => file.file().stat()?.mtime.sec,
        };
        Ok(self.learn_date(FieldId::DATE_RECEIVED, seconds))
    }

    fn save_date(&mut self) -> Result<Option<MailDate>, Error> {
        if let Some(date) = self.cached_date(FieldId::DATE_SAVE) {
            return Ok(Some(date));
        }
        let changed = self.opened()?.0.file().stat()?.ctime.sec;
        Ok(Some(self.learn_date(FieldId::DATE_SAVE, changed)))
    }

    fn guid(&mut self) -> Result<String, Error> {
        let cache = self.cache.as_mut();
        let cached = cache.and_then(|cache| cache.get(FieldId::GUID));
        if let Some(guid) = cached.filter(|guid| !guid.is_empty()) {
            return Ok(String::from_utf8_lossy(guid).into_owned());
        }
        let text = self.opened()?.1.guid().unwrap_or_default().to_vec();
        self.learn(FieldId::GUID, &text);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn backend(&mut self) -> Result<mailbox::Backend, Error> {
        let (file, message) = self.opened()?;
        let text = |key| {
            let value = message.metadata.get(key)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        Ok(mailbox::Backend {
            pop3_uidl: text(Key::POP3_UIDL),
            pop3_order: text(Key::POP3_ORDER).and_then(|order| order.parse().ok()),
            refcount: Some(file.file().stat()?.nlink),
            storage_id: None,
        })
    }

    fn cache(&mut self) -> Option<&mut dyn MailCache> {
        Some(self.cache.as_mut()?)
    }

    fn body(&mut self) -> Result<Box<dyn ReadSeek + '_>, Error> {
        let attachments = self.sdbox.attachments(&self.state, self.uid);
        let (file, message) = self.opened()?;
        Ok(Box::new(file.body(message, attachments.as_ref())?))
    }
}

impl Sdbox {
    /// Opens a message's file, primary or ALT.
    ///
    /// # Errors
    /// [`Error::Expunged`] when there is none; [`Error::Corrupted`].
    pub(crate) fn open_mail(&self, uid: Uid) -> Result<(DboxFile, Message), Error> {
        let Some((mut file, _)) = self.places.open(&self.context.fs, &name::of_mail(uid))? else {
            return Err(self.missing(uid));
        };
        let message = file.only_message()?;
        Ok((file, message))
    }

    /// Somebody else has removed it, or somebody has removed its file.
    fn missing(&self, uid: Uid) -> Error {
        let is_listed = self
            .synced()
            .is_ok_and(|state| state.record_of(uid).is_some());
        if is_listed {
            tracing::error!(
                "{}/{}: the file is gone, but not from the index",
                self.context.place.mail.display(),
                name::of_mail(uid)
            );
            if let Err(error) = self.check_files() {
                tracing::error!("not repaired: {error}");
            }
        }
        Error::Expunged
    }
}
