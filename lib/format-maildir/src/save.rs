//! Saving messages. FORMATS.md §4.4: file in `tmp/`, synced → lock → rename → sync of the
//! directory → uidlist → unlock. One transaction, all or none; memory does not grow with a message.

use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use compress::Method;
use mailbox::{Appended, Error, Flags, Keyword, MailDate, NewMail, Uid};
use sys::fs::dotlock::Dotlock;
use sys::fs::{FsFile, How, Time, join};

use crate::lines::LineWriter;
use crate::maildir::Maildir;
use crate::name::{self, Letters};
use crate::packed::Sink;
use crate::record::{Place, Record};
use crate::stamp::OwnChange;
use crate::state::State;
use crate::unique;

/// Bytes read from the sender at once.
const CHUNK: usize = 64 * 1024;

/// A message that waits in `tmp/` for the commit.
struct Pending {
    tmp: PathBuf,
    /// Without info; may be taken in this mailbox.
    base: Vec<u8>,
    /// A copied message keeps it, whatever its name.
    guid: Option<Vec<u8>>,
    flags: Flags,
    keywords: Vec<Keyword>,
}

/// Where a pending message goes.
struct Placed {
    tmp: PathBuf,
    to: PathBuf,
    record: Record,
}

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
        });
    }

    /// The last message is a copy of one with this name and GUID.
    pub(crate) fn name_last(&mut self, base: &[u8], guid: &[u8]) {
        if let Some(last) = self.pending.last_mut() {
            last.base = base.to_vec();
            last.guid = Some(guid.to_vec());
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
        if let Some(date) = mail.internal_date {
            file.set_mtime(mtime(date))?;
        }
        self.maildir.settings.durability.sync_all(&file)?;
        if let Some(last) = self.pending.last_mut() {
            let sizes = format!(",S={},W={}", sizes.on_disk, sizes.with_crlf);
            last.base.extend_from_slice(sizes.as_bytes());
        }
        Ok(())
    }

    /// Makes the messages visible and durable.
    ///
    /// # Errors
    /// None of the messages is there.
    pub fn commit(mut self) -> Result<Appended, Error> {
        let maildir = Arc::clone(&self.maildir);
        let mut state = maildir.state();
        let lock = maildir.lock()?;
        maildir.update_for_append(&mut state, &lock)?;
        maildir.make_room(&mut state, self.pending.len())?;
        let placed = self.place(&mut state, &lock)?;
        let uids = placed
            .iter()
            .filter_map(|placed| Uid::new(placed.record.uid))
            .collect();
        maildir.publish(&mut state, placed, &lock)?;
        // They are no longer in tmp/.
        self.pending.clear();
        let uid_validity = maildir.uid_validity(&state)?;
        drop(lock);
        Ok(Appended { uid_validity, uids })
    }

    fn place(&mut self, state: &mut State, lock: &Dotlock) -> Result<Vec<Placed>, Error> {
        let mut placed = Vec::with_capacity(self.pending.len());
        // Only copies bring names along.
        let copies = self.pending.iter().any(|pending| pending.guid.is_some());
        let mut taken: HashSet<Vec<u8>> = HashSet::new();
        if copies {
            taken.extend(state.records.iter().map(|record| record.base().to_vec()));
        }
        for (uid, pending) in (state.next_uid..).zip(&self.pending) {
            let (letters, left_out) =
                self.maildir
                    .letters_that_fit(state, &pending.keywords, lock)?;
            if left_out {
                tracing::warn!(
                    "{}: no room for more keywords",
                    self.maildir.dir().display()
                );
            }
            let record = record(uid, pending, letters, &taken);
            taken.insert(record.base().to_vec());
            let to = record.path(self.maildir.dir()).unwrap_or_default();
            placed.push(Placed {
                tmp: pending.tmp.clone(),
                to,
                record,
            });
        }
        Ok(placed)
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

impl Maildir {
    /// From `tmp/` into the mailbox, or back where something fails.
    fn publish(&self, state: &mut State, placed: Vec<Placed>, lock: &Dotlock) -> Result<(), Error> {
        let places = placed.iter().filter_map(|placed| placed.record.file());
        let places: Vec<Place> = places.map(|file| file.place).collect();
        let own = OwnChange::begin(self, state, places)?;
        let mut moved = Vec::new();
        let mut records = Vec::new();
        let mut result = Ok(());
        for Placed { tmp, to, record } in placed {
            // Counted as moved before it is tried: what fails may have happened.
            moved.push(to.clone());
            records.push(record);
            result = self.move_file(&tmp, &to).map_err(|error| self.gone(error));
            if result.is_err() {
                break;
            }
        }
        result = result.and_then(|()| self.sync_dirs(&records));
        result = result.and_then(|()| self.add_records(state, records, lock));
        if result.is_err() {
            // Nothing was acknowledged: leave nothing that the next scan would take for new mail.
            for path in moved {
                if let Err(error) = self.fs.unlink_if_exists(&path) {
                    tracing::error!("{error}; the message will appear though its save failed");
                }
            }
        }
        own.end(self, state);
        result
    }

    fn sync_dirs(&self, records: &[Record]) -> Result<(), Error> {
        for place in [Place::New, Place::Cur] {
            let used = |record: &Record| record.file().is_some_and(|file| file.place == place);
            if records.iter().any(used) {
                self.settings
                    .durability
                    .sync_dir(&self.fs, &self.dir().join(place.dir()))?;
            }
        }
        Ok(())
    }
}

/// The line of a message about to be placed; its base name is one that this mailbox never had.
fn record(uid: u64, pending: &Pending, letters: Letters, taken: &HashSet<Vec<u8>>) -> Record {
    let taken = pending.guid.is_some() && taken.contains(&pending.base);
    let mut base = pending.base.clone();
    if taken {
        base = unique::base_name().into_bytes();
        let sizes = memchr::memchr(b',', &pending.base);
        base.extend_from_slice(
            sizes
                .and_then(|at| pending.base.get(at..))
                .unwrap_or_default(),
        );
    }
    let mut extra = Vec::new();
    if let Some(guid) = &pending.guid
        && *guid != base
    {
        crate::uidlist::set_value(&mut extra, b'G', guid);
    }
    let plain = pending.flags == Flags::empty() && letters == Letters::default();
    let (place, file_name) = if plain && pending.guid.is_none() {
        (Place::New, base.clone())
    } else {
        (Place::Cur, name::with_flags(&base, pending.flags, letters))
    };
    // The caller made room: it fits.
    let uid = u32::try_from(uid).unwrap_or(u32::MAX);
    let mut record = Record::of_file(uid, place, file_name.into());
    record.set_extra(&extra);
    record
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
        for pending in &self.pending {
            // What stays is garbage in tmp/, which is cleaned up after 36 hours.
            let _ = self.maildir.fs.unlink_if_exists(&pending.tmp);
        }
    }
}

fn mtime(date: MailDate) -> Time {
    Time {
        sec: date.seconds,
        nsec: 0,
    }
}

/// Path of a message, for the log and for opening it.
pub(crate) fn tmp_path(maildir: &Maildir, base: &str) -> PathBuf {
    join(&maildir.dir().join("tmp"), base.as_bytes())
}
