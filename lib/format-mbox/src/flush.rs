//! Writing into the file what the index knows better, and taking messages out: one rewrite for all of it.
//!
//! A header grows into its own spaces first, then into those of the messages behind it; only what is left
//! moves the rest of the file.

use std::collections::BTreeSet;

use index::{RecordRef, State, Transaction};
use mailbox::{Error, LineEnds, Seq, Uid, UidSet};
use sys::fs::FsFile;

use crate::compose::{PADDING, Wanted, pseudo_message};
use crate::digest::NO_HEADERS;
use crate::ext::{self, DIRTY, Records, SyncHeader};
use crate::field::{Field, Kind};
use crate::keywords::Keywords;
use crate::marks::{Base, Course, HIGHEST_CLAIM, Marks, Trust};
use crate::mbox::uids_of;
use crate::rewrite::{Plan, Splice};
use crate::scan::{Message, Next, Scanner};
use crate::update::{Extent, not_mbox};
use crate::work::Work;

/// What the file shall be.
struct Flush<'f> {
    state: &'f State,
    records: Records<'f>,
    file: &'f FsFile,
    scanner: Scanner<'f>,
    expunge: BTreeSet<u32>,
    base: Base,
    keywords: Keywords,
    line_ends: LineEnds,
    plan: Plan,
    /// How far what follows moves up (or down, if negative).
    shift: i64,
    /// No message or pseudo message stays before the next one.
    at_head: bool,
    /// What is dirty no more.
    cleaned: Vec<Uid>,
    transaction: Transaction,
}

/// The file is not what the index says: read all of it.
struct Mismatch;

impl Work<'_> {
    /// Removes these messages, and writes what is dirty.
    ///
    /// # Errors
    /// The mailbox is read-only; what cannot be written. What was begun is completed later.
    pub(crate) fn flush(&mut self, expunge: &UidSet) -> Result<(), Error> {
        self.must_write()?;
        self.update(Extent::All)?;
        for _ in 0..2 {
            let state = self.state();
            let expunge: BTreeSet<u32> = uids_of(&state, expunge).into_iter().collect();
            let is_dirty = state.records().any(|record| record.flags() & DIRTY != 0);
            if expunge.is_empty() && !is_dirty && !self.has_stale_pseudo_message(&state)? {
                return Ok(());
            }
            let gone = expunge.iter().filter_map(|uid| Uid::new(*uid)).collect();
            match self.planned(&state, expunge)? {
                Ok(planned) => return self.carry_out(planned, gone),
                Err(Mismatch) => self.look_again()?,
            }
        }
        Err(self.mismatch())
    }

    /// In a file without messages, is the last UID out of date? Somebody else took the last message out.
    pub(crate) fn has_stale_pseudo_message(&self, state: &State) -> Result<bool, Error> {
        if !state.is_empty() {
            return Ok(false);
        }
        let file = self.locked.file();
        let mut scanner = Scanner::new(file, file.stat()?.size, self.mbox.settings.md5);
        let Next::Message(separator, from) = scanner.begin().map_err(not_mbox)? else {
            return Ok(false);
        };
        let message = scanner.message(separator, from).map_err(not_mbox)?;
        let mut course = Course::new(u32::MAX, Keywords::default(), Trust::Any);
        course.read(&message);
        let given = state.header().next_uid() - 1;
        Ok(course
            .base
            .is_some_and(|base| base.last_uid < given.min(HIGHEST_CLAIM)))
    }

    pub(crate) fn mismatch(&self) -> Error {
        Error::Corrupted {
            path: self.mbox.path().to_owned(),
            offset: 0,
            what: "messages are not where they were a moment ago".to_owned(),
        }
    }

    /// The index believed that it knew the file.
    pub(crate) fn look_again(&mut self) -> Result<(), Error> {
        self.distrust()?;
        self.update(Extent::All)
    }

    /// What the index says of the file is nothing, on disk too.
    pub(crate) fn distrust(&mut self) -> Result<(), Error> {
        let mut transaction = Transaction::external();
        transaction.make_durable();
        SyncHeader {
            size: 0,
            mtime: 0,
            ..SyncHeader::of(&self.state())
        }
        .put(&mut transaction);
        self.sync.commit(&transaction)?;
        Ok(())
    }

    fn planned(
        &self,
        state: &State,
        expunge: BTreeSet<u32>,
    ) -> Result<Result<(Plan, Transaction), Mismatch>, Error> {
        let file = self.locked.file();
        let size = file.stat()?.size;
        let header = state.header();
        let flush = Flush {
            state,
            records: Records::of(state),
            file,
            scanner: Scanner::new(file, size, self.mbox.settings.md5),
            expunge,
            base: Base {
                uid_validity: header.uid_validity(),
                last_uid: (header.next_uid() - 1).min(HIGHEST_CLAIM),
            },
            keywords: Keywords::new(
                state
                    .keywords()
                    .iter()
                    .filter_map(|name| mailbox::Keyword::new(name).ok()),
            ),
            line_ends: self.mbox.context.settings.line_ends,
            plan: Plan::new(size),
            shift: 0,
            at_head: true,
            cleaned: Vec::new(),
            transaction: Transaction::external(),
        };
        flush.run()
    }

    fn carry_out(
        &mut self,
        (plan, mut transaction): (Plan, Transaction),
        gone: Vec<Uid>,
    ) -> Result<(), Error> {
        let before = self.state();
        let context = &self.mbox.context;
        // Of an index elsewhere nothing else may be in there.
        context
            .fs
            .mkdir_all(&context.place.control, context.settings.dir_mode)?;
        let file = self.locked.file();
        let journal = self.mbox.journal();
        journal.run(file, &plan)?;
        let header = SyncHeader::of(&self.state()).with(&file.stat()?);
        SyncHeader {
            is_dirty: false,
            ..header
        }
        .put(&mut transaction);
        // What it said before may fit the new file by size and time, but for where messages are.
        transaction.make_durable();
        self.sync.commit(&transaction)?;
        journal.remove()?;
        if let Ok(opened) = self.mbox.opened() {
            opened.cached.expunged(&before, gone);
        }
        Ok(())
    }
}

type Step = Result<Result<(), Mismatch>, Error>;

impl Flush<'_> {
    fn run(mut self) -> Result<Result<(Plan, Transaction), Mismatch>, Error> {
        if self.head()?.is_err() {
            return Ok(Err(Mismatch));
        }
        for seq in (1..=self.state.len()).filter_map(Seq::new) {
            if self.message(seq)?.is_err() {
                return Ok(Err(Mismatch));
            }
        }
        if self.at_head {
            self.plan = Plan::new(self.plan.old_len());
            let now = crate::clock::now();
            let put = pseudo_message(self.base, self.keywords.names(), now);
            let cut = self.plan.old_len();
            self.splice(Splice { at: 0, cut, put });
        }
        let cleaned = self.cleaned.into_iter().collect();
        self.transaction.update_flags(&cleaned, 0, DIRTY);
        Ok(Ok((self.plan, self.transaction)))
    }

    /// A pseudo message stays at the head.
    fn head(&mut self) -> Step {
        let first = Seq::new(1).and_then(|seq| self.state.record(seq));
        let separator = first.and_then(|first| self.records.separator(first));
        if separator == Some(0) {
            return Ok(Ok(()));
        }
        let Next::Message(0, from) = self.scanner.begin().map_err(not_mbox)? else {
            return Ok(Err(Mismatch));
        };
        let message = self.scanner.message(0, from).map_err(not_mbox)?;
        let marks = self.marks(&message, 1);
        if !marks.is_pseudo {
            return Ok(Err(Mismatch));
        }
        self.at_head = false;
        let keywords = self.keywords.clone();
        let wanted = Wanted {
            base: Some((self.base, keywords.names())),
            flags: marks.flags,
            is_old: marks.is_old,
            ..Wanted::default()
        };
        self.rewrite(&message, &wanted)?;
        Ok(Ok(()))
    }

    fn message(&mut self, seq: Seq) -> Step {
        let Some(record) = self.state.record(seq) else {
            return Ok(Err(Mismatch));
        };
        let Some(separator) = self.records.separator(record) else {
            return Ok(Err(Mismatch));
        };
        let goes = self.expunge.contains(&record.uid());
        let is_dirty = record.flags() & DIRTY != 0;
        let message = if goes || is_dirty || self.at_head || self.shift > 0 {
            match self.scanner.at_separator(separator).map_err(not_mbox)? {
                Some(Next::Message(at, from)) => {
                    Some(self.scanner.message(at, from).map_err(not_mbox)?)
                }
                _ => return Ok(Err(Mismatch)),
            }
        } else {
            None
        };
        // Nothing is cut or written by an offset alone.
        if let Some(message) = &message
            && !is_message(message, record, &self.records)
        {
            return Ok(Err(Mismatch));
        }
        match message {
            Some(message) if goes => self.remove(&message, record.uid(), seq),
            Some(message) if is_dirty || self.at_head => self.keep(&message, seq, is_dirty)?,
            Some(message) => {
                self.move_to(separator, record.uid());
                self.absorb(&message)?;
            }
            None => self.move_to(separator, record.uid()),
        }
        Ok(Ok(()))
    }

    fn remove(&mut self, message: &Message, uid: u32, seq: Seq) {
        let record = self.state.record(seq);
        let guid = record
            .and_then(|record| self.records.md5(record))
            .unwrap_or_default();
        self.transaction.expunge(uid, guid);
        // At the head the line end behind a message goes with it, else the one before it.
        let (from, to) = match message.next {
            Next::Message(_, next) if self.at_head => (message.from, next),
            _ if self.at_head => (message.from, self.plan.old_len()),
            _ => (message.separator, message.end),
        };
        self.splice(Splice {
            at: from,
            cut: to - from,
            put: Vec::new(),
        });
    }

    fn keep(&mut self, message: &Message, seq: Seq, is_dirty: bool) -> Result<(), Error> {
        let uid = self.state.uid(seq).map_or(0, mailbox::Uid::get);
        let at_head = std::mem::replace(&mut self.at_head, false);
        if at_head {
            self.put_separator(uid, message.separator, 0);
        } else {
            self.move_to(message.separator, uid);
        }
        let marks = self.marks(message, if message.separator == 0 { 1 } else { 2 });
        let keywords = self.keywords.clone();
        let names = self.wanted_keywords(seq, is_dirty, &marks);
        let has_keywords_line = message
            .fields
            .iter()
            .any(|field| field.kind == Kind::Keywords);
        let flags = match is_dirty {
            true => self.state.flags(seq).unwrap_or_default(),
            false => marks.flags,
        };
        let [strange, x_strange] = &marks.strange;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = Wanted {
            base: at_head.then(|| (self.base, keywords.names())),
            uid: Some(uid),
            flags,
            is_old: marks.is_old || uid < self.state.header().first_recent_uid(),
            keywords: (has_keywords_line || !names.is_empty()).then_some(names),
            content_length: Some(message.end - message.body),
            strange: [strange, x_strange],
            line_ends: self.line_ends_of(message)?,
        };
        self.rewrite(message, &wanted)?;
        if is_dirty {
            self.cleaned.extend(Uid::new(uid));
        }
        Ok(())
    }

    fn wanted_keywords(&self, seq: Seq, is_dirty: bool, marks: &Marks) -> Vec<String> {
        if !is_dirty {
            let names = Wanted::names(&self.keywords, &marks.keywords);
            return names.into_iter().map(str::to_owned).collect();
        }
        let set = self.state.keyword_set(seq).unwrap_or_default();
        let names = set.iter().filter_map(|bit| self.state.keywords().get(bit));
        names
            .filter(|name| self.keywords.number(name).is_some())
            .cloned()
            .collect()
    }

    /// What the message says, whatever it may say about UIDs.
    fn marks(&self, message: &Message, number: u32) -> Marks {
        let mut course = Course::new(u32::MAX, self.keywords.clone(), Trust::Any);
        course.messages = number - 1;
        course.read(message)
    }

    fn line_ends_of(&self, message: &Message) -> Result<LineEnds, Error> {
        let mut bytes = [0; 2];
        let at = message.header.saturating_sub(2);
        let read = self.file.read_at(&mut bytes, at)?;
        Ok(match bytes {
            [b'\r', b'\n'] if read == 2 => LineEnds::Crlf,
            [_, b'\n'] if read == 2 => LineEnds::Lf,
            _ => self.line_ends,
        })
    }

    /// All managed fields become one block, where the last of them stood, or at the end of the header.
    fn rewrite(&mut self, message: &Message, wanted: &Wanted<'_>) -> Result<(), Error> {
        let old: u64 = message
            .fields
            .iter()
            .map(|field| field.end - field.start)
            .sum();
        let old = usize::try_from(old).unwrap_or(usize::MAX);
        let least = wanted.block(0).len();
        let length = if least <= old {
            let spare = usize::try_from(self.shift.max(0)).unwrap_or(usize::MAX);
            old - spare.min(old - least)
        } else {
            least + PADDING
        };
        let mut block = wanted.block(length);
        let Some((last, others)) = message.fields.split_last() else {
            if !self.is_line_start(message)? {
                block.insert(0, b'\n');
            }
            self.splice(Splice {
                at: message.empty_line,
                cut: 0,
                put: block,
            });
            return Ok(());
        };
        for field in others {
            let cut = field.end - field.start;
            self.splice(Splice {
                at: field.start,
                cut,
                put: Vec::new(),
            });
        }
        self.splice(Splice {
            at: last.start,
            cut: last.end - last.start,
            put: block,
        });
        Ok(())
    }

    /// Does the header, or the From_ line before an empty one, end with a line end?
    fn is_line_start(&self, message: &Message) -> Result<bool, Error> {
        let mut byte = [0];
        let at = message.empty_line.saturating_sub(1);
        Ok(self.file.read_at(&mut byte, at)? == 1 && byte == *b"\n")
    }

    /// Spaces of a message that stays as it is make room for what grew before it.
    fn absorb(&mut self, message: &Message) -> Result<(), Error> {
        let may =
            |field: &&Field| matches!(field.kind, Kind::Uid | Kind::Keywords | Kind::ImapBase);
        for field in message.fields.iter().filter(may) {
            let value = field.value.as_deref().unwrap_or_default();
            let spaces = value.iter().rev().take_while(|byte| **byte == b' ').count() as u64;
            let cut = spaces.min(u64::try_from(self.shift).unwrap_or(0));
            let mut end = [0; 2];
            let read = self.file.read_at(&mut end, field.end.saturating_sub(2))?;
            let line_end = match end {
                [b'\r', b'\n'] => 2,
                [_, b'\n'] if read == 2 => 1,
                _ => continue,
            };
            if cut > 0 {
                self.splice(Splice {
                    at: field.end - line_end - cut,
                    cut,
                    put: Vec::new(),
                });
            }
        }
        Ok(())
    }

    fn splice(&mut self, splice: Splice) {
        let (cut, put) = (splice.cut.cast_signed(), splice.put.len() as u64);
        if self.plan.push(splice) {
            self.shift += put.cast_signed() - cut;
        }
    }

    fn move_to(&mut self, separator: u64, uid: u32) {
        if self.shift != 0 {
            self.put_separator(uid, separator, separator.saturating_add_signed(self.shift));
        }
    }

    fn put_separator(&mut self, uid: u32, old: u64, new: u64) {
        if old != new {
            ext::put_separator(&mut self.transaction, uid, new);
        }
    }
}

/// Is it the message of this record?
pub(crate) fn is_message(message: &Message, record: RecordRef<'_>, records: &Records<'_>) -> bool {
    let mut uids = message
        .fields
        .iter()
        .filter(|field| field.kind == Kind::Uid);
    let told = uids.find_map(|field| {
        let text = std::str::from_utf8(field.value.as_deref()?).ok()?;
        text.trim().parse::<u32>().ok()
    });
    let is_dirty = record.flags() & DIRTY != 0;
    told == Some(record.uid())
        || match records.md5(record) {
            // Sums of nothing are all alike.
            Some(md5) => md5 == message.md5 && (md5 != NO_HEADERS || is_dirty),
            None => is_dirty,
        }
}
