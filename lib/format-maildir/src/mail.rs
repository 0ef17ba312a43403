//! One message of a view, read from its file.

use std::io::{self, Read};
use std::sync::Arc;

use index::cache::FieldId;
use index::{CacheEntry, CacheView, State};
use mailbox::{Backend, Error, Mail, MailCache, MailDate, ReadSeek, Seq, Uid};
use sys::fs::{FsError, FsFile};

use crate::lines::CrlfCounter;
use crate::maildir::Maildir;
use crate::name::Sizes;
use crate::packed::Body;
use crate::record::Record;

/// A message; its file is opened when something is asked that neither index nor cache nor name tell.
pub struct MaildirMail<'v> {
    maildir: &'v Arc<Maildir>,
    state: Arc<State>,
    seq: Seq,
    uid: Uid,
    cache: Option<CacheEntry<'v>>,
    file: Option<FsFile>,
}

impl Maildir {
    pub(crate) fn open_message(&self, state: &State, uid: Uid) -> Result<FsFile, Error> {
        self.with_path((state, uid), |path| self.fs.open_read(path))
    }

    /// What a message's line and name say.
    fn with_record<T>(
        &self,
        (state, uid): (&State, Uid),
        ask: impl FnOnce(&Record) -> T,
    ) -> Result<T, Error> {
        let mut files = self.files();
        if files.record(uid.get()).is_none() {
            self.read_list(&mut files, state)?;
        }
        files.record(uid.get()).map(ask).ok_or(Error::Expunged)
    }
}

impl<'v> MaildirMail<'v> {
    pub(crate) fn new(
        maildir: &'v Arc<Maildir>,
        (state, seq): (&Arc<State>, Seq),
        cache: Option<&'v mut CacheView>,
    ) -> Result<Self, Error> {
        Ok(Self {
            maildir,
            uid: state.uid(seq).ok_or(Error::Expunged)?,
            state: Arc::clone(state),
            seq,
            cache: cache.map(|view| CacheEntry::new(view, seq)),
            file: None,
        })
    }

    fn file(&mut self) -> Result<&FsFile, Error> {
        if self.file.is_none() {
            let file = self.maildir.open_message(&self.state, self.uid)?;
            self.check_size(&file)?;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or(Error::Expunged)
    }

    fn record<T>(&self, ask: impl FnOnce(&Record) -> T) -> Result<T, Error> {
        self.maildir.with_record((&self.state, self.uid), ask)
    }

    /// A name that lies about the size: count, once.
    fn check_size(&mut self, file: &FsFile) -> Result<(), Error> {
        let real = file.stat()?.size;
        if self.counted().is_some() {
            return Ok(());
        }
        let told = self.record(|record| Sizes::of(record.base()).physical)?;
        // A compressed file's name tells the size that the mail had before.
        if told.is_some_and(|told| told != real) && Body::method_of(file)?.is_none() {
            tracing::warn!(
                "{}: has {real} bytes, not what its name says",
                file.path().display()
            );
            self.count(file)?;
        }
        Ok(())
    }

    fn counted(&self) -> Option<u64> {
        self.maildir.files().counted.get(&self.uid.get()).copied()
    }

    fn count(&mut self, file: &FsFile) -> Result<u64, Error> {
        let mut counter = CrlfCounter::default();
        let mut chunk = vec![0; 64 * 1024];
        let mut body = Body::open(file)?;
        loop {
            match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => counter.add(chunk.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(file, error)),
            }
        }
        let uid = self.uid.get();
        self.maildir.files().counted.insert(uid, counter.bytes);
        self.learn(FieldId::SIZE_VIRTUAL, &counter.bytes.to_le_bytes());
        Ok(counter.bytes)
    }

    /// RFC822.SIZE as the index has it: one more than it is, 0 for unknown. FORMATS.md §1.10.
    fn indexed_size(&self) -> Option<u64> {
        let bytes = self.state.ext_record(self.seq, "vsize")?.first_chunk()?;
        u32::from_le_bytes(*bytes).checked_sub(1).map(u64::from)
    }

    fn known_size(&mut self) -> Result<Option<u64>, Error> {
        if let Some(size) = self.counted().or_else(|| self.indexed_size()) {
            return Ok(Some(size));
        }
        let cached = self.cache.as_mut();
        if let Some(size) = cached.and_then(|cache| cache.size(FieldId::SIZE_VIRTUAL)) {
            return Ok(Some(size));
        }
        self.record(Record::size)
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

fn read_error(file: &FsFile, source: io::Error) -> Error {
    FsError {
        call: "read",
        path: file.path().to_owned(),
        source,
    }
    .into()
}

impl Mail for MaildirMail<'_> {
    fn size(&mut self) -> Result<u64, Error> {
        if let Some(size) = self.known_size()? {
            return Ok(size);
        }
        let file = self.file()?.clone();
        self.count(&file)
    }

    fn internal_date(&mut self) -> Result<MailDate, Error> {
        if let Some(date) = self.cached_date(FieldId::DATE_RECEIVED) {
            return Ok(date);
        }
        let received = self.file()?.stat()?.mtime.sec;
        Ok(self.learn_date(FieldId::DATE_RECEIVED, received))
    }

    fn save_date(&mut self) -> Result<Option<MailDate>, Error> {
        if let Some(date) = self.cached_date(FieldId::DATE_SAVE) {
            return Ok(Some(date));
        }
        let changed = self.file()?.stat()?.ctime.sec;
        Ok(Some(self.learn_date(FieldId::DATE_SAVE, changed)))
    }

    fn guid(&mut self) -> Result<String, Error> {
        self.record(|record| String::from_utf8_lossy(record.guid()).into_owned())
    }

    fn backend(&mut self) -> Result<Backend, Error> {
        let links = self.file()?.stat()?.nlink;
        self.record(|record| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let value = |key| crate::uidlist::value(record.extra(), key).map(text);
            Backend {
                pop3_uidl: value(b'P'),
                pop3_order: value(b'O').and_then(|order| order.parse().ok()),
                refcount: Some(links),
                storage_id: Some(text(record.base())),
            }
        })
    }

    fn cache(&mut self) -> Option<&mut dyn MailCache> {
        Some(self.cache.as_mut()?)
    }

    fn body(&mut self) -> Result<Box<dyn ReadSeek + '_>, Error> {
        Ok(Box::new(Body::open(self.file()?)?))
    }
}
