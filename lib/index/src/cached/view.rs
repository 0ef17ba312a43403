//! The cache as one session sees it: of one picture of the index.

use std::sync::Arc;

use index_cache::{
    Cache, CachedMail, Decision, ENVELOPE_FIELDS, EXT_NAME, Facts, FieldId, Policy, Reader, Source,
    decode_link,
};
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
        self.ask(seq, id);
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
        if self.mail(seq).has(id, &value) || self.knows(uid, id) {
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

    /// What follows `ENVELOPE `. A client asks.
    pub fn envelope(&mut self, seq: Seq) -> Option<Vec<u8>> {
        let asked = self.envelope_fields();
        asked.iter().for_each(|id| self.ask(seq, *id));
        let fields = self.envelope_headers();
        self.mail(seq).envelope(&fields)
    }

    /// What follows `BODYSTRUCTURE `. A client asks.
    pub fn body_structure(&mut self, seq: Seq) -> Option<Vec<u8>> {
        self.ask(seq, FieldId::IMAP_BODYSTRUCTURE);
        self.mail(seq).body_structure()
    }

    /// What follows `BODY `. A client asks.
    pub fn body(&mut self, seq: Seq) -> Option<Vec<u8>> {
        self.ask(seq, FieldId::IMAP_BODY);
        self.mail(seq).body()
    }

    /// Header fields, by name without `hdr.`, in their order in the message; line ends LF, no empty
    /// line. A client asks.
    pub fn header_fields(&mut self, seq: Seq, names: &[&str]) -> Option<Vec<u8>> {
        let field = |name: &&str| self.cache.field(&format!("hdr.{name}"));
        let fields = names.iter().map(field).collect::<Option<Vec<_>>>()?;
        fields.iter().for_each(|id| self.ask(seq, *id));
        self.mail(seq).header_fields(&fields)
    }

    /// Learns fields of a message that had to be read: those that somebody asked for in vain, and
    /// those that are [`CacheView::wanted`]. Instead of ENVELOPE, if that is never cached, its header
    /// fields.
    pub fn learn_from(&mut self, seq: Seq, source: &Source<'_>, ids: &[FieldId]) {
        let mut ids = ids.to_vec();
        if ids.contains(&FieldId::IMAP_ENVELOPE) {
            ids.retain(|id| *id != FieldId::IMAP_ENVELOPE);
            ids.extend(self.envelope_fields());
        }
        for (id, value) in source.values(&self.cache.named(&ids)) {
            self.learn(seq, id, value);
        }
    }

    /// Where ENVELOPE is cached.
    fn envelope_fields(&self) -> Vec<FieldId> {
        let never = Policy {
            decision: Decision::No,
            forced: true,
        };
        let policy = self.cache.policy(FieldId::IMAP_ENVELOPE);
        if policy.is_none_or(|(_, policy)| policy != never) {
            return vec![FieldId::IMAP_ENVELOPE];
        }
        self.envelope_headers()
    }

    fn envelope_headers(&self) -> Vec<FieldId> {
        let fields = ENVELOPE_FIELDS.iter();
        fields.filter_map(|name| self.cache.field(name)).collect()
    }

    fn ask(&self, seq: Seq, id: FieldId) {
        if let Some(uid) = self.state.uid(seq) {
            self.cache.asked(id, uid, &self.facts);
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
