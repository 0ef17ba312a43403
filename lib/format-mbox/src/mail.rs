//! One message of a view, read from the file.
//!
//! The file is locked only while a piece of it is read: a slow client keeps nobody from delivering. Before
//! each piece we look whether the file is as it was, and if not, find the message again.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use index::cache::FieldId;
use index::{CacheEntry, CacheView, State};
use mailbox::{Error, Mail, MailCache, MailDate, ReadSeek, Seq, Uid};
use sys::fs::{FsFile, Stat};

use crate::ext::{Records, SyncHeader};
use crate::from_line;
use crate::lock::{Locked, Purpose};
use crate::mbox::Mbox;
use crate::scan::{Message, Next, Scanner};
use crate::update::{Extent, not_mbox};

/// Bytes read under one lock.
const PIECE: u64 = 256 * 1024;

/// Where a message was, and what it was.
#[derive(Clone, Debug)]
struct Located {
    /// Of the file then.
    stat: Stat,
    /// What clients see of it: offsets in the file, first and behind the last, ascending.
    parts: Vec<(u64, u64)>,
    /// Bytes of all parts.
    len: u64,
    received: i64,
    sender: Vec<u8>,
    md5: [u8; 16],
}

/// A message; the file is read when something is asked that neither index nor cache know.
pub struct MboxMail<'v> {
    mbox: Arc<Mbox>,
    state: Arc<State>,
    seq: Seq,
    uid: Uid,
    cache: Option<CacheEntry<'v>>,
    located: Option<Located>,
}

impl<'v> MboxMail<'v> {
    pub(crate) fn new(
        mbox: &Arc<Mbox>,
        (state, seq): (&Arc<State>, Seq),
        cache: Option<&'v mut CacheView>,
    ) -> Result<Self, Error> {
        Ok(Self {
            mbox: Arc::clone(mbox),
            uid: state.uid(seq).ok_or(Error::Expunged)?,
            state: Arc::clone(state),
            seq,
            cache: cache.map(|view| CacheEntry::new(view, seq)),
            located: None,
        })
    }

    fn located(&mut self) -> Result<&Located, Error> {
        let (mbox, uid) = (&self.mbox, self.uid);
        let located = match self.located.take() {
            Some(located) => located,
            None => mbox.reading(|file, stat, state| locate(mbox, uid, (file, stat, state)))?,
        };
        Ok(self.located.insert(located))
    }

    fn reader(&mut self) -> Result<Body, Error> {
        let (mbox, uid) = (&self.mbox, self.uid);
        let (located, first) = match self.located.take() {
            Some(located) => (located, Vec::new()),
            // Found and read under one lock.
            None => mbox.reading(|file, stat, state| {
                let Some(located) = locate(mbox, uid, (file, stat, state))? else {
                    return Ok(None);
                };
                let first = read_parts(file, &located.parts, 0)?;
                Ok(Some((located, first)))
            })?,
        };
        self.located = Some(located.clone());
        Ok(Body {
            mbox: Arc::clone(mbox),
            uid,
            located,
            at: 0,
            piece: (0, first),
        })
    }

    fn count(&mut self) -> Result<u64, Error> {
        let path = self.mbox.path().to_owned();
        let mut reader = self.reader()?;
        let (mut size, mut last) = (0, 0);
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let read = match reader.read(&mut chunk) {
                Ok(0) => return Ok(size),
                Ok(read) => read,
                Err(source) => {
                    let call = "read";
                    return Err(expunged(source).unwrap_or_else(|source| Error::Syscall {
                        call,
                        path,
                        source,
                    }));
                }
            };
            for byte in chunk.get(..read).unwrap_or_default() {
                size += 1 + u64::from(*byte == b'\n' && last != b'\r');
                last = *byte;
            }
        }
    }

    /// RFC822.SIZE as the index has it: one more than it is, 0 for unknown. FORMATS.md §1.10.
    fn known_size(&self) -> Option<u64> {
        let bytes = self.state.ext_record(self.seq, "vsize")?.first_chunk()?;
        u32::from_le_bytes(*bytes).checked_sub(1).map(u64::from)
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

impl Mail for MboxMail<'_> {
    fn size(&mut self) -> Result<u64, Error> {
        if let Some(size) = self.known_size() {
            return Ok(size);
        }
        let cache = self.cache.as_mut();
        if let Some(size) = cache.and_then(|cache| cache.size(FieldId::SIZE_VIRTUAL)) {
            return Ok(size);
        }
        let size = self.count()?;
        if let Some(cache) = &mut self.cache {
            cache.learn(FieldId::SIZE_VIRTUAL, &size.to_le_bytes());
        }
        Ok(size)
    }

    fn internal_date(&mut self) -> Result<MailDate, Error> {
        if let Some(date) = self.cached_date(FieldId::DATE_RECEIVED) {
            return Ok(date);
        }
        let received = self.located()?.received;
        Ok(self.learn_date(FieldId::DATE_RECEIVED, received))
    }

    /// The file does not tell: it is as old as somebody first asked, if nobody wrote it down.
    fn save_date(&mut self) -> Result<Option<MailDate>, Error> {
        if let Some(date) = self.cached_date(FieldId::DATE_SAVE) {
            return Ok(Some(date));
        }
        Ok(Some(
            self.learn_date(FieldId::DATE_SAVE, crate::clock::now()),
        ))
    }

    fn guid(&mut self) -> Result<String, Error> {
        let known = self
            .state
            .record(self.seq)
            .and_then(|record| Records::of(&self.state).md5(record));
        let md5 = match known {
            Some(md5) => md5,
            None => self.located()?.md5,
        };
        Ok(mailbox::Guid(md5).to_string())
    }

    fn envelope_sender(&mut self) -> Result<Option<String>, Error> {
        let sender = &self.located()?.sender;
        Ok(Some(String::from_utf8_lossy(sender).into_owned()))
    }

    fn cache(&mut self) -> Option<&mut dyn MailCache> {
        Some(self.cache.as_mut()?)
    }

    fn body(&mut self) -> Result<Box<dyn ReadSeek + '_>, Error> {
        Ok(Box::new(self.reader()?))
    }
}

/// What a body's reader could say only as an I/O error.
fn expunged(error: io::Error) -> Result<Error, io::Error> {
    error.downcast::<Error>()
}

impl Mbox {
    /// Size and time of a file have a second's blur: after a power cut the index may believe that it knows a
    /// file that is another one. Looks at the last message, once, and at everything if it is not there.
    pub(crate) fn check_once(&self) -> Result<(), Error> {
        if self.is_checked.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let state = self.synced()?;
        let Some(last) = Seq::new(state.len()).and_then(|seq| state.uid(seq)) else {
            return Ok(());
        };
        match self.reading(|file, stat, state| locate(self, last, (file, stat, state))) {
            Ok(_) | Err(Error::Expunged) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Does something with the file while nobody writes it and the index knows it.
    fn reading<T>(
        &self,
        act: impl Fn(&FsFile, &Stat, &State) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let state = self.synced()?;
        let done = {
            let _turn = self.turn();
            let locked =
                Locked::acquire(&self.context.fs, self.path(), &self.settings, Purpose::Read)?;
            act_on(self, &locked, &state, &act)?
        };
        if let Some(done) = done {
            return Ok(done);
        }
        // Somebody wrote before we had the lock, or the index is wrong. Whoever tried again could meet the next
        // writer: now under the lock of those.
        self.work(&self.settings, |work| {
            let state = work.settle(Extent::All)?;
            if let Some(done) = act_on(self, &work.locked, &state, &act)? {
                return Ok(done);
            }
            work.look_again()?;
            let done = act_on(self, &work.locked, &work.state(), &act)?;
            done.ok_or_else(|| work.mismatch())
        })
    }
}

/// `Ok(None)`: the index does not know the file.
fn act_on<T>(
    mbox: &Mbox,
    locked: &Locked,
    state: &State,
    act: impl Fn(&FsFile, &Stat, &State) -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let stat = locked.file().stat()?;
    if SyncHeader::of(state).matches(&stat) && !mbox.journal().exists()? {
        act(locked.file(), &stat, state)
    } else {
        Ok(None)
    }
}

/// `Ok(None)`: it is not where the index says.
fn locate(
    mbox: &Mbox,
    uid: Uid,
    (file, stat, state): (&FsFile, &Stat, &State),
) -> Result<Option<Located>, Error> {
    let record = state.record_of(uid).ok_or(Error::Expunged)?;
    let records = Records::of(state);
    let Some(separator) = records.separator(record) else {
        return Ok(None);
    };
    let mut scanner = Scanner::new(file, stat.size, mbox.settings.md5);
    let Some(Next::Message(at, from)) = scanner.at_separator(separator).map_err(not_mbox)? else {
        return Ok(None);
    };
    let message = scanner.message(at, from).map_err(not_mbox)?;
    if !crate::flush::is_message(&message, record, &records) {
        return Ok(None);
    }
    let parts = visible(&message);
    let mut line = vec![0; from_line::LONGEST];
    let read = file.read_at(&mut line, message.from)?;
    line.truncate(read);
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(Some(Located {
        stat: *stat,
        len: parts.iter().map(|(from, to)| to - from).sum(),
        parts,
        received: message.received,
        sender: from_line::parse(line).map_or_else(Vec::new, |line| line.sender.to_vec()),
        md5: message.md5,
    }))
}

/// All but the managed fields.
fn visible(message: &Message) -> Vec<(u64, u64)> {
    let mut parts: Vec<(u64, u64)> = Vec::new();
    let mut at = message.header;
    let ends = message.fields.iter().map(|field| (field.start, field.end));
    for (start, end) in ends.chain([(message.end, message.end)]) {
        if start > at {
            parts.push((at, start));
        }
        at = at.max(end);
    }
    parts
}

/// The bytes of a message, as clients see them.
pub struct Body {
    mbox: Arc<Mbox>,
    uid: Uid,
    located: Located,
    at: u64,
    /// What was read last, and where it begins.
    piece: (u64, Vec<u8>),
}

impl Body {
    fn held(&self) -> &[u8] {
        let skip = self
            .at
            .checked_sub(self.piece.0)
            .and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.piece.1.get(skip..))
            .unwrap_or_default()
    }

    fn load(&mut self) -> Result<(), Error> {
        let (uid, at) = (self.uid, self.at);
        let known = &self.located;
        let mbox = &self.mbox;
        let (located, bytes) = mbox.reading(|file, stat, state| {
            let located = if is_as_it_was(&known.stat, stat) {
                known.clone()
            } else {
                let Some(found) = locate(mbox, uid, (file, stat, state))? else {
                    return Ok(None);
                };
                // The same message, wherever it is now.
                if (found.md5, found.len) != (known.md5, known.len) {
                    return Err(Error::Expunged);
                }
                found
            };
            let bytes = read_parts(file, &located.parts, at)?;
            Ok(Some((located, bytes)))
        })?;
        if bytes.is_empty() {
            return Err(Error::Expunged);
        }
        self.located = located;
        self.piece = (at, bytes);
        Ok(())
    }
}

fn is_as_it_was(then: &Stat, now: &Stat) -> bool {
    (then.dev, then.ino, then.size, then.mtime, then.ctime)
        == (now.dev, now.ino, now.size, now.mtime, now.ctime)
}

fn read_parts(file: &FsFile, parts: &[(u64, u64)], at: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut skip = at;
    for &(from, to) in parts {
        let len = to - from;
        if skip >= len {
            skip -= len;
            continue;
        }
        let mut place = from + std::mem::take(&mut skip);
        while place < to && (bytes.len() as u64) < PIECE {
            let want = (to - place).min(PIECE - bytes.len() as u64);
            let held = bytes.len();
            bytes.resize(held + usize::try_from(want).unwrap_or(0), 0);
            let read = file.read_at(bytes.get_mut(held..).unwrap_or_default(), place)?;
            bytes.truncate(held + read);
            if read == 0 {
                return Ok(bytes);
            }
            place += read as u64;
        }
    }
    Ok(bytes)
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.located.len || buf.is_empty() {
            return Ok(0);
        }
        if self.held().is_empty() {
            self.load().map_err(io::Error::other)?;
        }
        let held = self.held();
        let count = held.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..count), held.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Body {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.located.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
