//! Saving messages. FORMATS.md §4.4: file in `tmp/`, synced → lock → rename → sync of the
//! directory → uidlist → log → unlock. One transaction, all or none; memory does not grow with a message.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use compress::Method;
use index::cache::FieldId;
use mailbox::{Appended, Error, Flags, NewMail};
use sys::fs::{FsFile, How, Time, join};

use crate::batch::Pending;
use crate::lines::LineWriter;
use crate::maildir::Maildir;
use crate::packed::Sink;
use crate::unique;

/// Bytes read from the sender at once.
const CHUNK: usize = 64 * 1024;

/// Messages on their way into one mailbox. What is not committed vanishes.
pub struct Saving {
    maildir: Arc<Maildir>,
    pending: Vec<Pending>,
}

impl Saving {
    /// Begins a transaction.
    #[must_use]
    pub fn begin(maildir: Arc<Maildir>) -> Self {
        Self {
            maildir,
            pending: Vec::new(),
        }
    }

    /// The mailbox.
    pub(crate) fn maildir(&self) -> &Maildir {
        &self.maildir
    }

    /// A file in `tmp/` that nobody else has, and its base name. Gone if the transaction is.
    pub(crate) fn new_file(&mut self, mail: &NewMail) -> Result<FsFile, Error> {
        let maildir = Arc::clone(&self.maildir);
        loop {
            let base = unique::base_name();
            let tmp = maildir.dir().join("tmp").join(&base);
            match maildir
                .fs
                .open(&tmp, How::CreateNew, maildir.settings.file_mode)
            {
                Ok(file) => {
                    let guid = mail.guid.as_deref().filter(|guid| is_line_value(guid));
                    self.add(tmp, base.into_bytes(), guid.map(str::as_bytes), mail);
                    return Ok(file);
                }
                Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) if error.is_not_found() => self.restore_tmp(error.into())?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Adds a file that is in `tmp/` already.
    pub(crate) fn add(&mut self, tmp: PathBuf, base: Vec<u8>, guid: Option<&[u8]>, mail: &NewMail) {
        self.pending.push(Pending {
            tmp,
            base,
            guid: guid.map(<[u8]>::to_vec),
            flags: Flags::from_index_bits(mail.flags.index_bits()),
            keywords: mail.keywords.clone(),
            known: Vec::new(),
        });
        self.know_last(FieldId::DATE_SAVE, unique::seconds());
    }

    /// The last message is a copy of one with this name and GUID.
    pub(crate) fn name_last(&mut self, base: &[u8], guid: &[u8]) {
        if let Some(last) = self.pending.last_mut() {
            last.base = base.to_vec();
            last.guid = Some(guid.to_vec());
        }
    }

    /// A UNIX time of the last message that the cache may have.
    fn know_last(&mut self, id: FieldId, seconds: i64) {
        if let (Some(last), Ok(seconds)) = (self.pending.last_mut(), u32::try_from(seconds)) {
            last.known.push((id, seconds.to_le_bytes().to_vec()));
        }
    }

    /// Some tools remove an empty `tmp/`.
    fn restore_tmp(&self, error: Error) -> Result<(), Error> {
        let maildir = &self.maildir;
        let tmp = maildir.dir().join("tmp");
        if maildir.fs.stat_opt(&maildir.dir().join("cur"))?.is_none() {
            return Err(maildir.not_found());
        }
        if maildir.fs.stat_opt(&tmp)?.is_some() {
            return Err(error);
        }
        Ok(maildir.fs.mkdir_all(&tmp, maildir.settings.dir_mode)?)
    }

    fn write(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        let file = self.new_file(mail)?;
        let settings = &self.maildir.settings;
        let sink = Sink::new(&file, settings.compression)?;
        let mut writer = LineWriter::new(sink, settings.line_ends);
        let mut first = First::default();
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Input(error)),
            };
            let read = chunk.get(..read).unwrap_or_default();
            first.check(read)?;
            writer.write(read)?;
        }
        let sizes = writer.finish()?;
        let received = mail.internal_date.map(|date| date.seconds);
        let received = received.unwrap_or_else(unique::seconds);
        file.set_mtime(Time {
            sec: received,
            nsec: 0,
        })?;
        self.maildir.settings.durability.sync_all(&file)?;
        if let Some(last) = self.pending.last_mut() {
            let text = format!(",S={},W={}", sizes.on_disk, sizes.with_crlf);
            last.base.extend_from_slice(text.as_bytes());
            let size = sizes.with_crlf.to_le_bytes().to_vec();
            last.known.push((FieldId::SIZE_VIRTUAL, size));
        }
        self.know_last(FieldId::DATE_RECEIVED, received);
        Ok(())
    }

    /// Makes the messages visible and durable.
    ///
    /// # Errors
    /// None of the messages is there.
    pub fn commit(mut self) -> Result<Appended, Error> {
        let maildir = Arc::clone(&self.maildir);
        // What is still in tmp/ after a failure goes with this.
        let left: Vec<PathBuf> = self.pending.iter().map(|p| p.tmp.clone()).collect();
        let committed = maildir.commit(std::mem::take(&mut self.pending));
        if committed.is_err() {
            remove(&maildir, &left);
        }
        committed
    }
}

/// Can a line of the uidlist hold it?
fn is_line_value(guid: &str) -> bool {
    (1..=255).contains(&guid.len()) && guid.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The first bytes of a message. One that is compressed already would come back as another one.
#[derive(Default)]
struct First(Vec<u8>);

impl First {
    fn check(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let missing = Method::MAGIC_LEN.saturating_sub(self.0.len());
        if missing == 0 {
            return Ok(());
        }
        self.0
            .extend_from_slice(bytes.get(..missing).unwrap_or(bytes));
        match Method::recognise(&self.0) {
            None => Ok(()),
            Some(_) => Err(Error::NotPossible {
                why: "Saving mails compressed by client isn't supported",
            }),
        }
    }
}

impl mailbox::Save for Saving {
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        self.write(mail, body)
    }

    fn commit(self: Box<Self>) -> Result<Appended, Error> {
        Self::commit(*self)
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        let left: Vec<PathBuf> = self.pending.iter().map(|p| p.tmp.clone()).collect();
        remove(&self.maildir, &left);
    }
}

fn remove(maildir: &Maildir, tmp: &[PathBuf]) {
    for path in tmp {
        // What stays is garbage in tmp/, which is cleaned up after 36 hours.
        let _ = maildir.fs.unlink_if_exists(path);
    }
}

/// Path of a message, for the log and for opening it.
pub(crate) fn tmp_path(maildir: &Maildir, base: &str) -> PathBuf {
    join(&maildir.dir().join("tmp"), base.as_bytes())
}
