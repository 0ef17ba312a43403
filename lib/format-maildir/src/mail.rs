//! One message of a view, read from its file.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use mailbox::{Backend, Error, Mail, MailDate, ReadSeek};
use sys::fs::{FsError, FsFile, FsResult};

use crate::lines::CrlfCounter;
use crate::maildir::Maildir;
use crate::name::Sizes;
use crate::packed::Body;
use crate::state::State;

impl Maildir {
    /// Does something with a message's path; if the file is not there, looks for it once.
    ///
    /// # Errors
    /// [`Error::Expunged`]; what `act` failed with.
    pub(crate) fn with_path<T>(
        &self,
        uid: u32,
        mut act: impl FnMut(&Path) -> FsResult<T>,
    ) -> Result<T, Error> {
        let path = self.path(&self.state(), uid)?;
        match act(&path) {
            Err(error) if error.is_not_found() => {}
            other => return Ok(other?),
        }
        let path = {
            let mut state = self.state();
            state.cur.forget();
            self.update(&mut state)?;
            self.path(&state, uid)?
        };
        act(&path).map_err(expunged)
    }

    pub(crate) fn open_message(&self, uid: u32) -> Result<FsFile, Error> {
        self.with_path(uid, |path| self.fs.open_read(path))
    }

    fn path(&self, state: &State, uid: u32) -> Result<std::path::PathBuf, Error> {
        state
            .record(uid)
            .and_then(|record| record.path(self.dir()))
            .ok_or(Error::Expunged)
    }
}

fn expunged(error: FsError) -> Error {
    if error.is_not_found() {
        Error::Expunged
    } else {
        error.into()
    }
}

/// A message; its file is opened when something beyond its name is asked for.
pub struct MaildirMail {
    maildir: Arc<Maildir>,
    uid: u32,
    file: Option<FsFile>,
}

impl MaildirMail {
    pub(crate) fn new(maildir: Arc<Maildir>, uid: u32) -> Self {
        Self {
            maildir,
            uid,
            file: None,
        }
    }

    fn file(&mut self) -> Result<&FsFile, Error> {
        if self.file.is_none() {
            let file = self.maildir.open_message(self.uid)?;
            self.check_size(&file)?;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or(Error::Expunged)
    }

    /// A name that lies about the size: count, once.
    fn check_size(&self, file: &FsFile) -> Result<(), Error> {
        let real = file.stat()?.size;
        let told = {
            let state = self.maildir.state();
            let counted = state.counted.contains_key(&self.uid);
            let record = state.record(self.uid).filter(|_| !counted);
            record.and_then(|record| Sizes::of(record.base()).physical)
        };
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

    fn count(&self, file: &FsFile) -> Result<u64, Error> {
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
        let mut state = self.maildir.state();
        state.counted.insert(self.uid, counter.bytes);
        // The next time that the list is written it goes along: counted once and for all.
        if let Some(record) = state.record_mut(self.uid)
            && Sizes::of(record.base()) == Sizes::default()
        {
            let mut extra = record.extra().to_vec();
            crate::uidlist::set_value(&mut extra, b'W', counter.bytes.to_string().as_bytes());
            record.set_extra(&extra);
        }
        Ok(counter.bytes)
    }

    fn known_size(&self) -> Result<Option<u64>, Error> {
        let state = self.maildir.state();
        if let Some(&size) = state.counted.get(&self.uid) {
            return Ok(Some(size));
        }
        let record = state.record(self.uid).filter(|record| record.has_file());
        Ok(record.ok_or(Error::Expunged)?.size())
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

impl Mail for MaildirMail {
    fn size(&mut self) -> Result<u64, Error> {
        if let Some(size) = self.known_size()? {
            return Ok(size);
        }
        let file = self.file()?.clone();
        self.count(&file)
    }

    fn internal_date(&mut self) -> Result<MailDate, Error> {
        Ok(MailDate::local(self.file()?.stat()?.mtime.sec))
    }

    fn save_date(&mut self) -> Result<Option<MailDate>, Error> {
        Ok(Some(MailDate::local(self.file()?.stat()?.ctime.sec)))
    }

    fn guid(&mut self) -> Result<String, Error> {
        let state = self.maildir.state();
        let record = state.record(self.uid).ok_or(Error::Expunged)?;
        Ok(String::from_utf8_lossy(record.guid()).into_owned())
    }

    fn backend(&mut self) -> Result<Backend, Error> {
        let links = self.file()?.stat()?.nlink;
        let state = self.maildir.state();
        let record = state.record(self.uid).ok_or(Error::Expunged)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = |key| crate::uidlist::value(record.extra(), key).map(text);
        Ok(Backend {
            pop3_uidl: value(b'P'),
            pop3_order: value(b'O').and_then(|order| order.parse().ok()),
            refcount: Some(links),
            storage_id: Some(text(record.base())),
        })
    }

    fn body(&mut self) -> Result<Box<dyn ReadSeek + '_>, Error> {
        Ok(Box::new(Body::open(self.file()?)?))
    }
}
