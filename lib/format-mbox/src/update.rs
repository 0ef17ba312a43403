//! Bringing the index in line with the file: what came, what went, whose flags others changed.
//! FORMATS.md §5.4.
//!
//! Messages are matched by X-UID, else by the sum of their headers. Where a record is dirty (0x80), the
//! index knows better than the file; otherwise the file does.

use std::collections::BTreeSet;

use index::log::record::{Toggle, UidRange};
use index::{RecordRef, State, Transaction};
use mailbox::{Error, Keyword, Seq, Uid, UidSet};

use crate::digest::NO_HEADERS;
use crate::ext::{self, DIRTY, Records, SyncHeader};
use crate::keywords::Keywords;
use crate::marks::{Course, Disorder, Marks, Trust};
use crate::scan::{Message, Next, ScanError, Scanner};

/// UIDs end here: the few behind are left for emergencies.
pub const LAST_UID: u32 = 0xffff_fff0;

/// Client's bits of flags.
const FLAGS: u8 = 0x1f;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// From the last message that the index knows.
    Tail,
    /// Everything.
    All,
}

/// What was found out.
pub struct Updated {
    /// What to write.
    pub transaction: Transaction,
    /// As X-IMAPbase tells it.
    pub uid_validity: Option<u32>,
    /// Where an unfinished message begins, if there is one at the end: its `From_` line.
    pub unfinished: Option<u64>,
}

/// Compares file and index, message by message.
pub struct Update<'u> {
    state: &'u State,
    records: Records<'u>,
    /// Clients' changes that nobody has seen to yet, by UID.
    requested: BTreeSet<u32>,
    course: Course,
    transaction: Transaction,
    /// The next record of the index.
    seq: u32,
    /// Highest UID that is not `\Recent`.
    last_old: u32,
}

impl<'u> Update<'u> {
    /// Nothing compared yet.
    pub fn new(state: &'u State, requested: impl IntoIterator<Item = u32>) -> Self {
        let names = state
            .keywords()
            .iter()
            .filter_map(|name| Keyword::new(name).ok());
        let trust = match state.header().uid_validity() {
            0 => Trust::Any,
            uid_validity => Trust::Only(uid_validity),
        };
        Self {
            state,
            records: Records::of(state),
            requested: requested.into_iter().collect(),
            course: Course::new(state.header().next_uid(), Keywords::new(names), trust),
            transaction: Transaction::external(),
            seq: 1,
            last_old: 0,
        }
    }

    /// Reads the file. `None`: from the tail alone the file cannot be understood.
    ///
    /// # Errors
    /// It is no mbox; it cannot be read.
    pub fn run(
        mut self,
        scanner: &mut Scanner<'_>,
        extent: Extent,
    ) -> Result<Option<Updated>, Error> {
        let mut next = scanner.begin().map_err(not_mbox)?;
        self.judge_head(scanner, next)?;
        if extent == Extent::Tail {
            match self.skip_to_tail(scanner, next)? {
                Some(tail) => {
                    self.note_requested();
                    next = tail;
                }
                None => return Ok(None),
            }
        }
        let unfinished = loop {
            match next {
                Next::Message(separator, from) => {
                    let message = scanner.message(separator, from).map_err(not_mbox)?;
                    let marks = self.course.read(&message);
                    if extent == Extent::Tail && marks.disorder == Disorder::Uid {
                        return Ok(None);
                    }
                    if !marks.is_pseudo {
                        self.take(&message, &marks)?;
                    }
                    next = message.next;
                }
                Next::End => break None,
                Next::Unfinished(from) => break Some(from),
            }
        };
        self.finish(unfinished).map(Some)
    }

    /// A stranger's message may stand first until its header is rewritten.
    fn judge_head(&mut self, scanner: &mut Scanner<'_>, first: Next) -> Result<(), Error> {
        let (Trust::Only(ours), Next::Message(separator, from)) = (self.course.trust, first) else {
            return Ok(());
        };
        let is_known = match self.record(1) {
            None => true,
            Some(record) if record.flags() & DIRTY != 0 => {
                let message = scanner.message(separator, from).map_err(not_mbox)?;
                self.records.separator(record) == Some(0)
                    && self.records.md5(record) == Some(message.md5)
            }
            Some(_) => false,
        };
        if is_known {
            self.course.trust = Trust::Stranger(ours);
        }
        Ok(())
    }

    /// Reads X-IMAPbase, then goes to the last message that the index knows.
    fn skip_to_tail(
        &mut self,
        scanner: &mut Scanner<'_>,
        first: Next,
    ) -> Result<Option<Next>, Error> {
        let Next::Message(separator, from) = first else {
            return Ok(None);
        };
        let message = scanner.message(separator, from).map_err(not_mbox)?;
        self.course.read(&message);
        let last = Seq::new(self.state.len()).and_then(|seq| self.state.record(seq));
        let Some(last) = last.filter(|_| self.course.base.is_some()) else {
            return Ok(None);
        };
        let Some(separator) = self.records.separator(last) else {
            return Ok(None);
        };
        if separator == 0 {
            // The first is the last: read it again as the first.
            self.course.messages = 0;
        }
        let Ok(Some(tail @ Next::Message(separator, from))) = scanner.at_separator(separator)
        else {
            return Ok(None);
        };
        let message = scanner.message(separator, from).map_err(not_mbox)?;
        let mut course = self.course.clone();
        course.last_uid = last.uid().saturating_sub(1);
        let marks = course.read(&message);
        let is_it = match marks.uid {
            Some(uid) => uid == last.uid(),
            None => self.records.md5(last) == Some(message.md5),
        };
        self.course.last_uid = last.uid().saturating_sub(1);
        self.seq = self.state.len();
        Ok(is_it.then_some(tail))
    }

    /// Requests about messages that are passed over: the file gets what they ask for when it is rewritten.
    fn note_requested(&mut self) {
        let passed = self.requested.range(..=self.course.last_uid);
        let passed = passed.filter_map(|uid| Uid::new(*uid)).collect();
        self.transaction.update_flags(&passed, DIRTY, 0);
    }

    fn record(&self, seq: u32) -> Option<RecordRef<'u>> {
        self.state.record(Seq::new(seq)?)
    }

    fn take(&mut self, message: &Message, marks: &Marks) -> Result<(), Error> {
        let matched = match marks.uid {
            Some(uid) => self.by_uid(uid),
            None => self.by_md5(message.md5),
        };
        match matched {
            Match::Known(record) => {
                self.course.gave(record.uid());
                self.compare(message, marks, record);
                self.seq += 1;
            }
            Match::New(uid) => self.append(message, marks, uid),
            Match::None => {
                let uid = self.course.next_uid.max(self.state.header().next_uid());
                if uid >= LAST_UID {
                    return Err(Error::Limit {
                        what: "The mailbox has run out of UIDs",
                    });
                }
                self.course.gave(uid);
                self.append(message, marks, uid);
            }
        }
        Ok(())
    }

    fn by_uid(&mut self, uid: u32) -> Match<'u> {
        while let Some(record) = self.record(self.seq) {
            if record.uid() == uid {
                return Match::Known(record);
            }
            if record.uid() > uid {
                break;
            }
            self.expunge(record);
        }
        if uid >= self.state.header().next_uid() {
            return Match::New(uid);
        }
        tracing::warn!("a message with UID {uid}, which was expunged, is in the file again");
        Match::None
    }

    fn by_md5(&mut self, md5: [u8; 16]) -> Match<'u> {
        let mut seqs = self.seq..=self.state.len();
        // UIDs ascend with the file: whoever stands behind a new message is new, too.
        let may_be = |record: &RecordRef<'_>| record.uid() > self.course.last_uid;
        let has_it = |seq: &u32| {
            let record = self.record(*seq).filter(may_be);
            record.is_some_and(|record| self.records.md5(record) == Some(md5))
        };
        let found = if md5 == NO_HEADERS {
            // It says nothing: only of a message in its turn that has no X-UID yet.
            let next = self.record(self.seq).map_or(0, RecordRef::flags);
            let is_expected = next & DIRTY != 0 && !self.course.is_foreign;
            Some(self.seq).filter(|seq| is_expected && has_it(seq))
        } else {
            seqs.find(has_it)
        };
        let Some(found) = found else {
            return Match::None;
        };
        while self.seq < found {
            match self.record(self.seq) {
                Some(record) => self.expunge(record),
                None => return Match::None,
            }
        }
        self.record(found).map_or(Match::None, Match::Known)
    }

    fn expunge(&mut self, record: RecordRef<'_>) {
        let guid = self.records.md5(record).unwrap_or_default();
        self.transaction.expunge(record.uid(), guid);
        self.seq += 1;
    }

    fn append(&mut self, message: &Message, marks: &Marks, uid: u32) {
        let dirty = if marks.uid == Some(uid) { 0 } else { DIRTY };
        self.transaction
            .append(uid, marks.flags.index_bits() | dirty);
        self.note_old(marks, uid);
        ext::put_separator(&mut self.transaction, uid, message.separator);
        // Where the file has no UID, the sum tells which it is.
        self.transaction
            .extension(&ext::MD5)
            .set_record(uid, &message.md5);
        for number in &marks.keywords {
            self.set_keyword(Toggle::Add, *number, uid);
        }
    }

    fn compare(&mut self, message: &Message, marks: &Marks, record: RecordRef<'_>) {
        let uid = record.uid();
        self.note_old(marks, uid);
        if self.records.separator(record) != Some(message.separator) {
            ext::put_separator(&mut self.transaction, uid, message.separator);
        }
        if self.records.md5(record) != Some(message.md5) {
            self.transaction
                .extension(&ext::MD5)
                .set_record(uid, &message.md5);
        }
        let is_dirty = record.flags() & DIRTY != 0;
        let knows_better = is_dirty || self.requested.contains(&uid);
        if !knows_better {
            let (ours, theirs) = (record.flags() & FLAGS, marks.flags.index_bits());
            if ours != theirs {
                self.change_flags(uid, theirs & !ours, ours & !theirs);
            }
            self.compare_keywords(marks, uid);
        }
        // Without X-UID, and X-IMAPbase before all, UIDs would go with the index.
        let lacks_base = self.seq == 1 && self.lacks_base();
        if !is_dirty && (knows_better || lacks_base || marks.uid.is_none()) {
            self.change_flags(uid, DIRTY, 0);
        }
    }

    /// Is X-IMAPbase missing, or has it fallen behind?
    fn lacks_base(&self) -> bool {
        let given = self.state.header().next_uid() - 1;
        self.course.base.is_none_or(|base| base.last_uid < given)
    }

    fn compare_keywords(&mut self, marks: &Marks, uid: u32) {
        let ours: BTreeSet<usize> = Uid::new(uid)
            .and_then(|uid| self.state.keyword_set(self.state.seq(uid)?))
            .map(|set| {
                set.iter()
                    .filter_map(|bit| self.number_of_bit(bit))
                    .collect()
            })
            .unwrap_or_default();
        let theirs: BTreeSet<usize> = marks.keywords.iter().copied().collect();
        for number in theirs.difference(&ours) {
            self.set_keyword(Toggle::Add, *number, uid);
        }
        for number in ours.difference(&theirs) {
            self.set_keyword(Toggle::Remove, *number, uid);
        }
    }

    fn number_of_bit(&self, bit: usize) -> Option<usize> {
        self.course.keywords.number(self.state.keywords().get(bit)?)
    }

    fn set_keyword(&mut self, change: Toggle, number: usize, uid: u32) {
        let uids: UidSet = Uid::new(uid).into_iter().collect();
        if let Some(name) = self.course.keywords.names().get(number) {
            self.transaction
                .update_keyword(change, name.as_str(), &uids);
        }
    }

    fn change_flags(&mut self, uid: u32, add: u8, remove: u8) {
        let range = UidRange {
            first: uid,
            last: uid,
        };
        self.transaction.update_flags_of(range, add, remove);
    }

    fn note_old(&mut self, marks: &Marks, uid: u32) {
        if marks.is_old {
            self.last_old = self.last_old.max(uid);
        }
    }

    fn finish(mut self, unfinished: Option<u64>) -> Result<Updated, Error> {
        while let Some(record) = self.record(self.seq) {
            self.expunge(record);
        }
        let header = self.state.header();
        if self.course.next_uid > header.next_uid() {
            self.transaction.set_next_uid(self.course.next_uid);
        }
        if self.last_old >= header.first_recent_uid() {
            self.transaction.set_first_recent_uid(self.last_old + 1);
        }
        let uid_validity = self.course.base.map(|base| base.uid_validity);
        Ok(Updated {
            transaction: self.transaction,
            uid_validity,
            unfinished,
        })
    }
}

enum Match<'r> {
    Known(RecordRef<'r>),
    /// Not in the index, with a UID that is free.
    New(u32),
    None,
}

/// The header for the end of a sync.
#[must_use]
pub fn with_guid(header: SyncHeader) -> SyncHeader {
    match header.guid {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => SyncHeader {
            guid: mailbox::Guid::generate().0,
            ..header
        },
        _ => header,
    }
}

/// As storage says it.
pub fn not_mbox(error: ScanError) -> Error {
    match error {
        ScanError::Fs(error) => error.into(),
        ScanError::NotMbox => Error::NotPossible {
            why: "Mailbox isn't a valid mbox file",
        },
        ScanError::Lost(offset) => Error::Corrupted {
            path: std::path::PathBuf::new(),
            offset,
            what: "no message where one was".to_owned(),
        },
    }
}
