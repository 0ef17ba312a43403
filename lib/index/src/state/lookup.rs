//! What a session asks a state.

use mailbox::{Flags, KeywordSet, Seq, Uid};

use super::{Extension, RecordRef, State};

impl State {
    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.records.len()
    }

    /// No message?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record of a message.
    #[must_use]
    pub fn record(&self, seq: Seq) -> Option<RecordRef<'_>> {
        self.records.get(seq.get())
    }

    /// The record of the message with this UID.
    #[must_use]
    pub fn record_of(&self, uid: Uid) -> Option<RecordRef<'_>> {
        self.record(self.seq(uid)?)
    }

    /// All records, ascending.
    pub fn records(&self) -> impl Iterator<Item = RecordRef<'_>> {
        self.records.iter()
    }

    /// UID of a message.
    #[must_use]
    pub fn uid(&self, seq: Seq) -> Option<Uid> {
        Uid::new(self.record(seq)?.uid())
    }

    /// Where a message stands.
    #[must_use]
    pub fn seq(&self, uid: Uid) -> Option<Seq> {
        Seq::new(self.records.seq_of(uid.get())?)
    }

    /// First message whose UID is at least `uid`.
    #[must_use]
    pub fn seq_at_least(&self, uid: Uid) -> Option<Seq> {
        let seq = self.records.seq_at_least(uid.get());
        Seq::new(seq).filter(|_| seq <= self.len())
    }

    /// System flags of a message, without `\Recent`.
    #[must_use]
    pub fn flags(&self, seq: Seq) -> Option<Flags> {
        Some(Flags::from_index_bits(self.record(seq)?.flags()))
    }

    /// Keywords of a message; bit n is number n of [`State::keywords`].
    #[must_use]
    pub fn keyword_set(&self, seq: Seq) -> Option<KeywordSet> {
        Some(self.keywords_of(self.record(seq)?))
    }

    /// Modseq of a message: at least 1, at most [`State::highest_modseq`].
    #[must_use]
    pub fn modseq(&self, seq: Seq) -> Option<u64> {
        Some(self.modseq_of(self.record(seq)?))
    }

    /// Highest modseq, at least 1.
    #[must_use]
    pub fn highest_modseq(&self) -> u64 {
        self.highest_modseq.max(1)
    }

    /// An extension, if the index has it.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&Extension> {
        Some(self.extensions.get(self.extension_id(name)?)?)
    }

    /// Header data of an extension.
    #[must_use]
    pub fn ext_header(&self, name: &str) -> Option<&[u8]> {
        Some(&self.extension(name)?.header)
    }

    /// A message's bytes of an extension. In a loop, look the extension up once and use
    /// [`Extension::bytes_of`].
    #[must_use]
    pub fn ext_record(&self, seq: Seq, name: &str) -> Option<&[u8]> {
        self.extension(name)?.bytes_of(self.record(seq)?)
    }

    /// Messages with `\Seen`.
    #[must_use]
    pub fn seen(&self) -> u32 {
        self.header.get(super::field::SEEN).min(self.len())
    }

    /// Messages with `\Deleted`.
    #[must_use]
    pub fn deleted(&self) -> u32 {
        self.header.get(super::field::DELETED).min(self.len())
    }

    /// First message without `\Seen`; reads no record below the low-water.
    #[must_use]
    pub fn first_unseen(&self) -> Option<Seq> {
        if self.seen() == self.len() {
            return None;
        }
        let low = self.header.get(super::field::FIRST_UNSEEN_LOW);
        let from = self.records.seq_at_least(low);
        let unseen =
            |record: &RecordRef<'_>| !Flags::from_index_bits(record.flags()).contains(Flags::SEEN);
        let records = self.records.iter_from(from);
        let behind = records.take_while(|record| !unseen(record)).count();
        let seq = from.checked_add(u32::try_from(behind).ok()?)?;
        Seq::new(seq).filter(|_| seq <= self.len())
    }

    /// Messages from [`super::Header::first_recent_uid`] on.
    #[must_use]
    pub fn recent(&self) -> u32 {
        let first = self.records.seq_at_least(self.header.first_recent_uid());
        (self.len() + 1).saturating_sub(first)
    }

    pub(crate) fn extension_id(&self, name: &str) -> Option<usize> {
        self.extensions
            .iter()
            .position(|extension| extension.name == name)
    }
}

impl Extension {
    /// Its bytes of a message; `None` without bytes in records.
    #[must_use]
    pub fn bytes_of<'r>(&self, record: RecordRef<'r>) -> Option<&'r [u8]> {
        self.of_record(record.bytes())
    }
}
