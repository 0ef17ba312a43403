//! What changed between two states.

use super::records::Cursor;
use super::{RecordRef, State};

/// Differences, as a session has to be told them: first expunges, then flags, then what is new.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Number in the old state and UID of what is gone, ascending.
    pub expunged: Vec<(u32, u32)>,
    /// Numbers in the new state of messages with other flags or keywords, ascending.
    pub changed: Vec<u32>,
    /// Messages at the end of the new state that the old one had not.
    pub appended: u32,
}

impl Changes {
    /// Nothing has changed?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expunged.is_empty() && self.changed.is_empty() && self.appended == 0
    }
}

impl State {
    /// What changed since `old`, an earlier state of the same index. Chunks that both share are passed
    /// over.
    #[must_use]
    pub fn changes_since(&self, old: &Self) -> Changes {
        let mut changes = Changes::default();
        let (mut was, mut is) = (Cursor::new(&old.records), Cursor::new(&self.records));
        loop {
            was.skip_shared(&mut is);
            let Some(before) = was.record() else {
                break;
            };
            match is.record() {
                Some(now) if now.uid() == before.uid() => {
                    if self.differs(now, old, before) {
                        changes.changed.push(is.seq());
                    }
                    is.step();
                }
                Some(now) if now.uid() < before.uid() => {
                    // Not the same index any more: from here on all is new.
                    while let Some(before) = was.record() {
                        changes.expunged.push((was.seq(), before.uid()));
                        was.step();
                    }
                    break;
                }
                _ => changes.expunged.push((was.seq(), before.uid())),
            }
            was.step();
        }
        changes.appended = (self.len() + 1).saturating_sub(is.seq());
        changes
    }

    fn differs(&self, now: RecordRef<'_>, old: &Self, before: RecordRef<'_>) -> bool {
        if now.bytes() == before.bytes() {
            return false;
        }
        let client = |flags: u8| flags & super::modseq::CLIENT_FLAGS;
        client(now.flags()) != client(before.flags())
            || self.keywords_of(now) != old.keywords_of(before)
    }

    /// This state, and in it the messages that `old` has and this one has no more: what a session sees
    /// that must not be told of expunges yet.
    #[must_use]
    pub fn with_expunged_of(&self, old: &Self, expunged: &[(u32, u32)]) -> Self {
        let mut held = self.clone();
        let moved: Vec<Vec<u8>> = expunged
            .iter()
            .filter_map(|(seq, _)| old.records.get(*seq))
            .map(|record| self.adopt(old, record))
            .collect();
        held.records.insert(&moved);
        held.recount();
        held
    }

    /// A record of another state, with this one's layout.
    fn adopt(&self, other: &Self, record: RecordRef<'_>) -> Vec<u8> {
        let mut adopted = vec![0; self.records.record_size()];
        let fixed = record.bytes().iter().take(5);
        for (to, from) in adopted.iter_mut().zip(fixed) {
            *to = *from;
        }
        for extension in &self.extensions {
            let bytes = other
                .extension(&extension.name)
                .and_then(|e| e.bytes_of(record));
            if let (Some(to), Some(from)) = (extension.of_record_mut(&mut adopted), bytes) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        adopted
    }
}
