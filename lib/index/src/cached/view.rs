//! The cache as one session sees it: of one picture of the index.

use std::sync::Arc;

use index_cache::{Cache, CachedMail, EXT_NAME, Facts, FieldId, Reader, decode_link};
use mailbox::{Seq, Uid};

use super::{Cached, Learnt, facts, reset_id};
use crate::State;

/// So much is kept back before it is written, bytes and messages.
const BATCH_BYTES: usize = 128 * 1024;
const BATCH_MESSAGES: usize = 1000;

/// Looks fields up, and remembers what had to be read out of messages. Take another one with each
/// new state; dropped, it forgets what was not flushed.
#[derive(Debug)]
pub struct CacheView {
    cached: Arc<Cached>,
    cache: Arc<Cache>,
    state: Arc<State>,
    facts: Facts,
    reader: Option<Reader>,
    /// The message that was last looked at.
    mail: CachedMail,
    of: Option<Seq>,
    learnt: Vec<Learnt>,
    bytes: usize,
}

impl CacheView {
    /// Of this state.
    #[must_use]
    pub fn new(cached: &Arc<Cached>, state: &Arc<State>) -> Self {
        let cache = cached.cache(state);
        Self {
            cached: Arc::clone(cached),
            reader: cache.reader(reset_id(state)),
            cache,
            state: Arc::clone(state),
            facts: facts(state),
            mail: CachedMail::default(),
            of: None,
            learnt: Vec::new(),
            bytes: 0,
        }
    }

    /// The field of this name; header fields are `hdr.` and their name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldId> {
        self.cache.field(name)
    }

    /// A client asks for a field of a message. `None`: it is not cached.
    pub fn get(&mut self, seq: Seq, id: FieldId) -> Option<&[u8]> {
        if let Some(uid) = self.state.uid(seq) {
            self.cache.asked(id, uid, &self.facts);
        }
        self.mail(seq).get(id)
    }

    /// Everything that is cached of a message; says nothing about what clients ask for.
    pub fn mail(&mut self, seq: Seq) -> &CachedMail {
        if self.of != Some(seq) {
            let link = self.state.ext_record(seq, EXT_NAME).and_then(decode_link);
            match &mut self.reader {
                Some(reader) => reader.read(link, &mut self.mail),
                None => self.mail = CachedMail::default(),
            }
            self.of = Some(seq);
        }
        &self.mail
    }

    /// Fields that are worth extracting from a message that is being read anyway, and are not there
    /// yet.
    pub fn wanted(&mut self, seq: Seq) -> Vec<FieldId> {
        let Some(uid) = self.state.uid(seq) else {
            return Vec::new();
        };
        let mut wanted = self.cache.wanted(uid, &self.facts);
        let mail = self.mail(seq);
        wanted.retain(|id| mail.get(*id).is_none());
        wanted
    }

    /// The value of a field that [`CacheView::get`] did not find.
    pub fn learn(&mut self, seq: Seq, id: FieldId, value: Vec<u8>) {
        let Some(uid) = self.state.uid(seq) else {
            return;
        };
        if self.mail(seq).get(id).is_some() || self.knows(uid, id) {
            return;
        }
        if self.bytes + value.len() > BATCH_BYTES || self.learnt.len() >= BATCH_MESSAGES {
            self.flush();
        }
        self.bytes += value.len();
        match self.learnt.last_mut().filter(|last| last.uid == uid) {
            Some(last) => last.values.push((id, value)),
            None => self.learnt.push(Learnt {
                uid,
                values: vec![(id, value)],
            }),
        }
    }

    fn knows(&self, uid: Uid, id: FieldId) -> bool {
        let last = self.learnt.last().filter(|last| last.uid == uid);
        last.is_some_and(|last| last.values.iter().any(|(known, _)| *known == id))
    }

    /// Writes what was learnt. The log must not be locked by this thread. What was written is seen by
    /// views of later states.
    pub fn flush(&mut self) {
        if !self.learnt.is_empty() {
            self.cached.learn(&self.state, &self.learnt);
            self.learnt.clear();
            self.bytes = 0;
        }
    }

    /// The end of a session: what is left to be written, and what was decided about fields.
    pub fn close(mut self) {
        self.flush();
        if let Err(refused) = self.cache.flush() {
            tracing::debug!("not cached: {refused}");
        }
    }
}
