//! What is known of one mail: first what costs nothing, then more and more, until the search is decided.

use std::io::{self, Seek as _};

use mailbox::cache::Taken;
use mailbox::{Asked, FlagState, Lacks, Mail, MailCache, MailDate, Mailbox, Seq};
use message::search::{Scope, find};
use message::{date, field, words};

use crate::plan::Search;

/// Why a mail could not be searched.
#[derive(Debug)]
pub enum Trouble {
    /// The store said no.
    Store(mailbox::Error),
    /// After the store had opened it.
    Read(io::Error),
}

impl From<mailbox::Error> for Trouble {
    fn from(error: mailbox::Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// What is known of a mail.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its place in the view.
    pub seq: Seq,
    /// What the view says.
    pub flags: FlagState,
    /// INTERNALDATE.
    pub received: Option<MailDate>,
    /// When it was saved; `Some(None)`: nobody knows.
    pub saved: Option<Option<MailDate>>,
    /// RFC822.SIZE.
    pub size: Option<u64>,
    /// Its GUID.
    pub guid: Option<String>,
    /// What its header says.
    pub header: Option<Header>,
    /// For each BODY key.
    pub bodies: Option<Vec<bool>>,
    /// For each TEXT key.
    pub texts: Option<Vec<bool>>,
}

/// What a mail without a Date: was sent at.
const EPOCH: date::Date = date::Date {
    unix: 0,
    offset_minutes: 0,
};

/// What a header says.
#[derive(Debug)]
pub(crate) struct Header {
    /// For each header key.
    pub fields: Vec<bool>,
    /// The first Date:; where it is missing or none, 1970, as in Dovecot.
    pub sent: date::Date,
}

impl Search {
    /// Does this mail match?
    ///
    /// # Errors
    /// [`Trouble`]: of the store, or of reading what it gave.
    pub fn matches(&self, mailbox: &mut dyn Mailbox, seq: Seq) -> Result<bool, Trouble> {
        let Some(flags) = mailbox.flags(seq) else {
            return Ok(false);
        };
        let mut known = Known {
            seq,
            flags,
            received: None,
            saved: None,
            size: None,
            guid: None,
            header: None,
            bodies: None,
            texts: None,
        };
        if let Some(result) = self.test.decide(&known) {
            return Ok(result);
        }
        let mut mail = mailbox.mail(seq)?;
        self.learn_facts(&mut known, &mut *mail)?;
        if let Some(result) = self.test.decide(&known) {
            return Ok(result);
        }
        known.header = Some(self.learn_header(&mut *mail)?);
        if let Some(result) = self.test.decide(&known) {
            return Ok(result);
        }
        let mut file = mail.body()?;
        let message = message::parse(&mut file)?;
        known.bodies = Some(find(&mut file, &message, Scope::Body, &self.bodies)?);
        if let Some(result) = self.test.decide(&known) {
            return Ok(result);
        }
        known.texts = Some(find(&mut file, &message, Scope::Text, &self.texts)?);
        Ok(self.test.decide(&known).unwrap_or(false))
    }

    fn learn_facts(&self, known: &mut Known, mail: &mut dyn Mail) -> Result<(), Trouble> {
        if self.needs.received {
            known.received = Some(mail.internal_date()?);
        }
        if self.needs.saved {
            known.saved = Some(mail.save_date()?);
        }
        if self.needs.size {
            known.size = Some(mail.size()?);
        }
        if self.needs.guid {
            known.guid = Some(mail.guid()?);
        }
        Ok(())
    }

    fn learn_header(&self, mail: &mut dyn Mail) -> Result<Header, Trouble> {
        if self.headers.is_empty() && !self.needs.sent {
            return Ok(Header {
                fields: Vec::new(),
                sent: EPOCH,
            });
        }
        if let Some(header) = mail.cache().and_then(|cache| self.cached_header(cache)) {
            return Ok(header);
        }
        let mut file = mail.body()?;
        let Some(taken) = Taken::read(&mut file, Lacks::Header)? else {
            file.rewind()?;
            return Ok(self.header(&mut file)?);
        };
        drop(file);
        if let Some(cache) = mail.cache() {
            let names = self.names.as_deref().filter(|names| !names.is_empty());
            let sent = self.needs.sent.then_some(Asked::Sent);
            let asked: Vec<Asked<'_>> = names.map(Asked::Fields).into_iter().chain(sent).collect();
            cache.learn(&taken.lesson(), &asked);
        }
        Ok(self.header(&mut taken.header.as_slice())?)
    }

    /// `None`: not all of it is cached.
    fn cached_header(&self, cache: &mut dyn MailCache) -> Option<Header> {
        let names = self.names.as_deref()?;
        let fields = match names.is_empty() {
            true => Vec::new(),
            false => cache.ask(Asked::Fields(names))?,
        };
        let header = self.header(&mut fields.as_slice()).ok()?;
        match self.needs.sent {
            true => Some(Header {
                sent: cache.sent()?,
                ..header
            }),
            false => Some(header),
        }
    }

    fn header(&self, file: &mut (impl io::Read + ?Sized)) -> io::Result<Header> {
        let wanted = |name: &[u8]| {
            name.eq_ignore_ascii_case(b"Date") || self.headers.iter().any(|key| key.is_named(name))
        };
        let mut header = Header {
            fields: vec![false; self.headers.len()],
            sent: EPOCH,
        };
        let fields = field::read(file, wanted)?;
        for field in &fields {
            let text = words::decode(&field.value);
            for (found, key) in header.fields.iter_mut().zip(&self.headers) {
                *found = *found || (key.is_named(&field.name) && key.needle.is_in(&text));
            }
        }
        let sent = fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(b"Date"));
        let sent = sent.and_then(|field| date::parse(&field.value));
        header.sent = sent.unwrap_or(EPOCH);
        Ok(header)
    }
}
