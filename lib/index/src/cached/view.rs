//! The cache as one session sees it: of one picture of the index.

use std::sync::Arc;

use index_cache::{
    Cache, CachedMail, Decision, ENVELOPE_FIELDS, EXT_NAME, Facts, FieldId, Policy, Reader,
    decode_link,
};
use mailbox::{Lacks, Lesson, Seq, Uid};

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
    /// Of ENVELOPE; looked up once.
    envelope: Envelope,
    /// The header fields that were asked for last.
    headers: Headers,
}

/// Header fields and their names, as the cache calls them.
type Fields = Arc<[(FieldId, String)]>;

/// How ENVELOPE is cached.
#[derive(Debug)]
struct Envelope {
    /// The fields that somebody who asks for it asks for.
    asked: Vec<FieldId>,
    /// The header fields that it can be made of.
    headers: Fields,
}

/// Names that somebody asked for, and what they are; `None`: one of them cannot be cached.
#[derive(Debug, Default)]
struct Headers {
    names: Vec<String>,
    fields: Option<Fields>,
}

impl CacheView {
    /// Of this state.
    #[must_use]
    pub fn new(cached: &Arc<Cached>, state: &Arc<State>) -> Self {
        let cache = cached.cache(state);
        Self {
            cached: Arc::clone(cached),
            reader: cache.reader(reset_id(state)),
            state: Arc::clone(state),
            facts: facts(state),
            mail: CachedMail::default(),
            of: None,
            learnt: Vec::new(),
            bytes: 0,
            envelope: Envelope::of(&cache),
            headers: Headers::default(),
            cache,
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
        self.envelope.asked.iter().for_each(|id| self.ask(seq, *id));
        let fields = Arc::clone(&self.envelope.headers);
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

    /// What `BODY[HEADER.FIELDS (…)]` sends, by names without `hdr.`. A client asks.
    pub fn header_section(&mut self, seq: Seq, names: &[String]) -> Option<Vec<u8>> {
        let fields = self.fields(names)?;
        fields.iter().for_each(|(id, _)| self.ask(seq, *id));
        self.mail(seq).header_section(&fields)
    }

    /// The fields of header fields; `None`: one of them cannot be cached.
    pub(super) fn fields(&mut self, names: &[String]) -> Option<Fields> {
        if self.headers.names != names {
            let field = |name: &String| {
                let name = format!("hdr.{name}");
                Some((self.cache.field(&name)?, name))
            };
            self.headers = Headers {
                names: names.to_vec(),
                fields: names.iter().map(field).collect(),
            };
        }
        self.headers.fields.clone()
    }

    /// Learns fields of a message that had to be read: those that somebody asked for in vain, and
    /// those that are [`CacheView::wanted`]. Instead of ENVELOPE, if that is never cached, its header
    /// fields.
    pub fn learn_from(&mut self, seq: Seq, lesson: &Lesson<'_>, ids: &[FieldId]) {
        let mut ids = ids.to_vec();
        if ids.contains(&FieldId::IMAP_ENVELOPE) {
            ids.retain(|id| *id != FieldId::IMAP_ENVELOPE);
            ids.extend(&self.envelope.asked);
        }
        for (id, value) in index_cache::values(lesson, &self.cache.named(&ids)) {
            self.learn(seq, id, value);
        }
    }

    /// How much of the message must be read for what is [`CacheView::wanted`].
    pub fn lacks(&mut self, seq: Seq) -> Lacks {
        let wanted = self.wanted(seq);
        let mail = self.mail(seq);
        let lacks = |id: FieldId| match id {
            FieldId::IMAP_BODY if mail.body().is_some() => Lacks::Nothing,
            FieldId::IMAP_BODYSTRUCTURE if mail.body_structure().is_some() => Lacks::Nothing,
            id => id.read_from(),
        };
        let lacks = wanted.into_iter().map(lacks);
        lacks.max().unwrap_or(Lacks::Nothing)
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

impl Envelope {
    fn of(cache: &Cache) -> Self {
        let never = Policy {
            decision: Decision::No,
            forced: true,
        };
        let names = ENVELOPE_FIELDS.iter();
        let headers: Fields = names
            .filter_map(|name| Some((cache.field(name)?, (*name).to_owned())))
            .collect();
        let policy = cache.policy(FieldId::IMAP_ENVELOPE);
        let asked = match policy {
            Some((_, policy)) if policy == never => headers.iter().map(|(id, _)| *id).collect(),
            _ => vec![FieldId::IMAP_ENVELOPE],
        };
        Self { asked, headers }
    }
}
