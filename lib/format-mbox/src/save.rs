//! Saving messages: appended to the file, all of a transaction or none.
//!
//! Each message is complete before anything is locked. Under the lock the first one goes in with a NUL for
//! the F of its `From_` line: whatever is behind it is no message until that F is written, last of all.
//! Order: messages → synced → F → synced → index. Who finds the NUL cuts it off.

use std::io::Read;
use std::sync::Arc;

use index::cache::FieldId;
use index::log::record::Toggle;
use index::{Learnt, State, Transaction};
use mailbox::{Appended, Error, Keyword, LineEnds, NewMail, Save, Uid, UidSet, UidValidity};
use sys::fs::{FsFile, FsResult};

use crate::compose::{PADDING, Wanted, line_end};
use crate::ext::{self, SyncHeader};
use crate::from_line;
use crate::incoming::{Incoming, Part};
use crate::marks::{Base, HIGHEST_CLAIM};
use crate::mbox::Mbox;
use crate::scan::UNFINISHED;
use crate::spool::Spool;
use crate::update::{Extent, LAST_UID};
use crate::work::Work;

/// Bytes read from the sender, and written to the file, at once.
const CHUNK: usize = 64 * 1024;

/// A message that waits for the commit.
struct Pending {
    mail: NewMail,
    received: i64,
    /// Header and body, one behind the other.
    spool: Spool,
    header_len: u64,
    md5: [u8; 16],
    /// For the cache.
    known: Vec<(FieldId, Vec<u8>)>,
}

/// A transaction under way.
pub struct Saving {
    mbox: Arc<Mbox>,
    pending: Vec<Pending>,
}

impl Saving {
    /// Nothing saved yet, nothing locked.
    #[must_use]
    pub fn begin(mbox: Arc<Mbox>) -> Self {
        Self {
            mbox,
            pending: Vec::new(),
        }
    }
}

impl Save for Saving {
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        let context = &self.mbox.context;
        let mut spool = Spool::new(&context.fs, self.mbox.index_dir().clone());
        let mut incoming = Incoming::new(context.settings.line_ends, self.mbox.settings.md5);
        let mut header_len = 0;
        let mut line_feeds = 0;
        let mut watch = self.mbox.opened()?.cached.watch();
        let empty_line = line_end(context.settings.line_ends);
        let mut put = |part: Part<'_>| -> FsResult<()> {
            let (Part::Header(bytes) | Part::Body(bytes)) = part;
            line_feeds += memchr::memchr_iter(b'\n', bytes).count() as u64;
            match part {
                Part::Header(bytes) => header_len += bytes.len() as u64,
                Part::Body(bytes) if spool.len() == header_len && !bytes.is_empty() => {
                    watch.see(empty_line);
                }
                Part::Body(_) => {}
            }
            watch.see(bytes);
            spool.append(bytes)
        };
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Input(error)),
            };
            incoming.read(chunk.get(..read).unwrap_or_default(), &mut put)?;
        }
        let md5 = incoming.finish(&mut put)?;
        let received = mail
            .internal_date
            .map_or_else(crate::clock::now, |date| date.seconds);
        // The empty line, and a CR for each LF that has none.
        let size = spool.len()
            + match context.settings.line_ends {
                LineEnds::Lf => line_feeds + 2,
                LineEnds::Crlf => 2,
            };
        if spool.len() == header_len {
            watch.see(empty_line);
        }
        let date = |seconds: i64| u32::try_from(seconds).unwrap_or(0).to_le_bytes().to_vec();
        let known = watch.finish(vec![
            (FieldId::DATE_SAVE, date(crate::clock::now())),
            (FieldId::DATE_RECEIVED, date(received)),
            (FieldId::SIZE_VIRTUAL, size.to_le_bytes().to_vec()),
        ]);
        self.pending.push(Pending {
            mail: mail.clone(),
            received,
            spool,
            header_len,
            md5,
            known,
        });
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Appended, Error> {
        let mbox = &self.mbox;
        mbox.work(&mbox.settings, |work| {
            work.must_write()?;
            let state = work.settle(Extent::Tail)?;
            if work.has_stale_pseudo_message(&state)? {
                // Without the index, nobody would believe the new X-UID.
                work.flush(&UidSet::default())?;
            }
            work.append(&self.pending)
        })
    }
}

impl Work<'_> {
    fn append(&mut self, pending: &[Pending]) -> Result<Appended, Error> {
        let state = self.state();
        let uid_validity = UidValidity::new(state.header().uid_validity());
        let uid_validity = uid_validity.ok_or(Error::NotPossible {
            why: "No UIDVALIDITY",
        })?;
        let mut appended = Appended {
            uid_validity,
            uids: Vec::new(),
        };
        if pending.is_empty() {
            return Ok(appended);
        }
        let file = self.locked.file().clone();
        let size = file.stat()?.size;
        let mut transaction = Transaction::external();
        transaction.make_durable();
        let written = self.write_all(pending, (&file, size), &mut transaction, &mut appended);
        if let Err(error) = written {
            // What is left of it is cut off by who comes next.
            let _ = file.truncate(size);
            return Err(error);
        }
        let header = SyncHeader::of(&state).with(&file.stat()?);
        header.put(&mut transaction);
        if let Ok(opened) = self.mbox.opened() {
            let learnt = learnt(&state, pending);
            opened.cached.stage(&self.sync, &mut transaction, &learnt);
        }
        if let Err(error) = self.sync.commit(&transaction) {
            if !matches!(error, index::Error::NotDurable(_)) {
                let _ = file.truncate(size);
            }
            return Err(error.into());
        }
        Ok(appended)
    }

    fn write_all(
        &self,
        pending: &[Pending],
        (file, size): (&FsFile, u64),
        transaction: &mut Transaction,
        appended: &mut Appended,
    ) -> Result<(), Error> {
        let durability = self.mbox.context.settings.durability;
        let state = self.state();
        let mut out = Out::new(file, size);
        // A last line without an end gets one.
        if !ends_line(file, size)? {
            out.put(b"\n")?;
        }
        let first = out.at();
        for (uid, message) in (state.header().next_uid()..).zip(pending) {
            if uid >= LAST_UID {
                return Err(Error::Limit {
                    what: "The mailbox has run out of UIDs",
                });
            }
            let separator = out.at().saturating_sub(1);
            let is_first = out.at() == first;
            self.write(message, (uid, is_first), &mut out)?;
            note(transaction, message, (uid, separator));
            appended.uids.extend(Uid::new(uid));
        }
        out.flush()?;
        durability.sync_data(file)?;
        file.write_all_at(b"F", first)?;
        durability.sync_data(file)?;
        Ok(())
    }

    fn write(
        &self,
        message: &Pending,
        (uid, is_first): (u32, bool),
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let mbox = self.mbox;
        let state = self.state();
        let line_ends = mbox.context.settings.line_ends;
        let sender = message
            .mail
            .envelope_sender
            .as_deref()
            .unwrap_or(&mbox.settings.sender);
        let mut from = from_line::compose(sender.as_bytes(), message.received);
        if line_ends == LineEnds::Crlf {
            from.insert(from.len() - 1, b'\r');
        }
        if is_first {
            from.splice(..UNFINISHED.len(), UNFINISHED.iter().copied());
        }
        let base = Base {
            uid_validity: state.header().uid_validity(),
            last_uid: uid.min(HIGHEST_CLAIM),
        };
        let known: Vec<Keyword> = state
            .keywords()
            .iter()
            .filter_map(|name| Keyword::new(name).ok())
            .collect();
        let names = message.mail.keywords.iter().map(Keyword::as_str).collect();
        let len = message.spool.len();
        let wanted = Wanted {
            base: (out.at() == 0).then_some((base, &known[..])),
            uid: Some(uid),
            flags: message.mail.flags,
            keywords: Some(names),
            content_length: Some(len - message.header_len),
            line_ends,
            ..Wanted::default()
        };
        let block = wanted.block(wanted.block(0).len() + PADDING);
        out.put(&from)?;
        message
            .spool
            .read((0, message.header_len), &mut |bytes| out.put(bytes))?;
        out.put(&block)?;
        out.put(line_end(line_ends))?;
        message
            .spool
            .read((message.header_len, len), &mut |bytes| out.put(bytes))?;
        out.put(line_end(line_ends))?;
        Ok(())
    }
}

/// What the index is told of a message.
fn note(transaction: &mut Transaction, message: &Pending, (uid, separator): (u32, u64)) {
    transaction.append(uid, message.mail.flags.index_bits());
    ext::put_separator(transaction, uid, separator);
    transaction
        .extension(&ext::MD5)
        .set_record(uid, &message.md5);
    let uids: UidSet = Uid::new(uid).into_iter().collect();
    for keyword in &message.mail.keywords {
        transaction.update_keyword(Toggle::Add, keyword.as_str(), &uids);
    }
}

/// What is to be cached about new messages.
fn learnt(state: &State, pending: &[Pending]) -> Vec<Learnt> {
    let uids = (state.header().next_uid()..).map_while(Uid::new);
    let learnt = uids.zip(pending).map(|(uid, message)| Learnt {
        uid,
        values: message.known.clone(),
    });
    learnt.filter(|learnt| !learnt.values.is_empty()).collect()
}

fn ends_line(file: &FsFile, size: u64) -> FsResult<bool> {
    let mut last = [b'\n'];
    if size > 0 {
        file.read_at(&mut last, size - 1)?;
    }
    Ok(last == *b"\n")
}

/// Writes at the end of the file, in large pieces.
struct Out<'o> {
    file: &'o FsFile,
    /// Where the buffer goes.
    at: u64,
    buffer: Vec<u8>,
}

impl<'o> Out<'o> {
    fn new(file: &'o FsFile, at: u64) -> Self {
        Self {
            file,
            at,
            buffer: Vec::new(),
        }
    }

    fn at(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    fn put(&mut self, bytes: &[u8]) -> FsResult<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> FsResult<()> {
        self.file.write_all_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
