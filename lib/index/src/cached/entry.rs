//! What is cached about one message of a view.

use index_cache::{FieldId, SentDate, decode_u32, decode_u64};
use mailbox::{Asked, Lacks, Lesson, MailCache, MailDate, Seq};
use message::date::Date;

use super::CacheView;

/// See [`MailCache`]; and what formats ask for themselves.
#[derive(Debug)]
pub struct CacheEntry<'v> {
    view: &'v mut CacheView,
    seq: Seq,
}

impl<'v> CacheEntry<'v> {
    /// Of this message.
    #[must_use]
    pub fn new(view: &'v mut CacheView, seq: Seq) -> Self {
        Self { view, seq }
    }

    /// A client asks. `None`: it is not cached.
    pub fn get(&mut self, id: FieldId) -> Option<&[u8]> {
        self.view.get(self.seq, id)
    }

    /// The same, of a size.
    pub fn size(&mut self, id: FieldId) -> Option<u64> {
        self.get(id).and_then(decode_u64)
    }

    /// The same, of a date.
    pub fn date(&mut self, id: FieldId) -> Option<MailDate> {
        let seconds = self.get(id).and_then(decode_u32)?;
        Some(MailDate::local(seconds.into()))
    }

    /// What [`CacheEntry::get`] did not know.
    pub fn learn(&mut self, id: FieldId, value: &[u8]) {
        self.view.learn(self.seq, id, value.to_vec());
    }

    /// The same, of a date; UNIX time, seconds.
    pub fn learn_date(&mut self, id: FieldId, seconds: i64) {
        if let Ok(seconds) = u32::try_from(seconds) {
            self.learn(id, &seconds.to_le_bytes());
        }
    }

    fn fields(&mut self, asked: &Asked<'_>) -> Vec<FieldId> {
        match asked {
            Asked::Envelope => vec![FieldId::IMAP_ENVELOPE],
            Asked::Body => vec![FieldId::IMAP_BODY],
            Asked::BodyStructure => vec![FieldId::IMAP_BODYSTRUCTURE],
            Asked::Sent => vec![FieldId::DATE_SENT],
            Asked::Fields(names) => {
                let fields = self.view.fields(names);
                fields.map_or_else(Vec::new, |fields| {
                    fields.iter().map(|(id, _)| *id).collect()
                })
            }
        }
    }
}

impl MailCache for CacheEntry<'_> {
    fn ask(&mut self, asked: Asked<'_>) -> Option<Vec<u8>> {
        match asked {
            Asked::Envelope => self.view.envelope(self.seq),
            Asked::Body => self.view.body(self.seq),
            Asked::BodyStructure => self.view.body_structure(self.seq),
            Asked::Fields(names) => self.view.header_section(self.seq, names),
            Asked::Sent => self.get(FieldId::DATE_SENT).map(<[u8]>::to_vec),
        }
    }

    fn sent(&mut self) -> Option<Date> {
        let sent = SentDate::decode(self.get(FieldId::DATE_SENT)?)?;
        Some(Date {
            unix: sent.time.into(),
            offset_minutes: sent.zone_minutes,
        })
    }

    fn lacks(&mut self) -> Lacks {
        self.view.lacks(self.seq)
    }

    fn learn(&mut self, lesson: &Lesson<'_>, asked: &[Asked<'_>]) {
        let mut ids = self.view.wanted(self.seq);
        for id in asked.iter().flat_map(|asked| self.fields(asked)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        self.view.learn_from(self.seq, lesson, &ids);
    }
}
