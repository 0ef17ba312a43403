//! The fields that can be fetched.

use imap_proto::Args;
use imap_proto::fetch::{FetchItem, FieldName, SectionText};
use mailbox::MailDate;
use message::{Envelope, FieldNames, Section, What};

use super::header::HeaderField;
use super::reader::{Reader, Trouble};
use super::{Facts, preview, utf8};
use crate::failure::Failure;
use crate::mail::session::Session;

/// What can be fetched.
#[derive(Debug, PartialEq)]
pub enum Field {
    /// `user`
    User,
    /// What the store knows.
    Fact(Fact),
    /// `hdr.NAME`
    HeaderField(HeaderField),
    /// `date.sent` and `date.sent.unixtime`
    Sent(DateForm),
    /// `hdr`
    Header,
    /// `body`
    Body,
    /// `text`
    Text,
    /// `text.utf8`
    Utf8,
    /// `body.SECTION`
    Section(Section),
    /// `binary.SECTION`
    Binary(Section),
    /// `body.preview`, `body.snippet`
    Preview,
    /// `size.physical`
    SizePhysical,
    /// `imap.envelope`
    Envelope,
    /// `imap.body`
    Structure,
    /// `imap.bodystructure`
    FullStructure,
}

/// Known without reading the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Mailbox,
    MailboxGuid,
    Seq,
    Uid,
    Guid,
    Flags,
    Modseq,
    SizeVirtual,
    Received,
    ReceivedUnix,
    Saved,
    SavedUnix,
    Pop3Uidl,
    Pop3Order,
    Refcount,
    StorageId,
}

/// How a date is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateForm {
    /// `2007-04-13 00:00:00 (+0200)`, local time and the sender's zone.
    Local,
    /// Seconds since 1970.
    Unix,
}

/// In Dovecot's order.
const NAMES: [&str; 29] = [
    "user",
    "mailbox",
    "mailbox-guid",
    "seq",
    "uid",
    "guid",
    "flags",
    "modseq",
    "hdr",
    "body",
    "body.preview",
    "body.snippet",
    "text",
    "text.utf8",
    "size.physical",
    "size.virtual",
    "date.received",
    "date.sent",
    "date.saved",
    "date.received.unixtime",
    "date.sent.unixtime",
    "date.saved.unixtime",
    "imap.envelope",
    "imap.body",
    "imap.bodystructure",
    "pop3.uidl",
    "pop3.order",
    "refcount",
    "storageid",
];

impl Field {
    /// From its name, in lower case.
    pub fn parse(name: &str) -> Result<Self, Failure> {
        if let Some(fact) = fact(name) {
            return Ok(Self::Fact(fact));
        }
        Ok(match name {
            "user" => Self::User,
            "hdr" => Self::Header,
            "body" => Self::Body,
            "body.preview" | "body.snippet" => Self::Preview,
            "text" => Self::Text,
            "text.utf8" => Self::Utf8,
            "size.physical" => Self::SizePhysical,
            "date.sent" => Self::Sent(DateForm::Local),
            "date.sent.unixtime" => Self::Sent(DateForm::Unix),
            "imap.envelope" => Self::Envelope,
            "imap.body" => Self::Structure,
            "imap.bodystructure" => Self::FullStructure,
            name => return Self::parse_part(name),
        })
    }

    fn parse_part(name: &str) -> Result<Self, Failure> {
        if let Some(field) = name.strip_prefix("hdr.") {
            return HeaderField::parse(field).map(Self::HeaderField);
        }
        let (text, binary) = match (name.strip_prefix("body."), name.strip_prefix("binary.")) {
            (Some(text), _) => (text, false),
            (None, Some(text)) => (text, true),
            (None, None) => return Err(unknown(&format!("Unknown fetch field: {name}"))),
        };
        let section =
            section(text).ok_or_else(|| unknown(&format!("Unknown fetch section: {text}")))?;
        Ok(match binary {
            true => Self::Binary(section),
            false => Self::Section(section),
        })
    }

    /// Is it something that only some formats know?
    pub fn asks_backend(&self) -> bool {
        let backend = [
            Fact::Pop3Uidl,
            Fact::Pop3Order,
            Fact::Refcount,
            Fact::StorageId,
        ];
        matches!(self, Self::Fact(fact) if backend.contains(fact))
    }

    /// Prints its value.
    pub fn print(
        &self,
        session: &mut Session<'_>,
        facts: &Facts,
        mail: &mut Reader<'_>,
    ) -> Result<(), Trouble> {
        let user = session.user.clone();
        let rows = &mut *session.rows;
        let value = match self {
            Self::User => user.into_bytes(),
            Self::Fact(fact) => fact.value(facts).into_bytes(),
            Self::HeaderField(field) => field.value(mail)?,
            Self::Sent(form) => sent(mail, *form)?.into_bytes(),
            Self::SizePhysical => mail.size()?.to_string().into_bytes(),
            Self::Preview => preview::of(mail)?.into_bytes(),
            Self::Envelope => inner(Envelope::read(mail.start()?).map(|e| e.to_wire()))?,
            Self::Structure => {
                let mut out = Vec::new();
                mail.message()?
                    .write_body(&mut out)
                    .map_err(Trouble::Read)?;
                inner(Ok(out))?
            }
            Self::FullStructure => {
                let mut out = Vec::new();
                let message = mail.message()?;
                message
                    .write_body_structure(&mut out)
                    .map_err(Trouble::Read)?;
                inner(Ok(out))?
            }
            Self::Header => return mail.print_header(rows),
            Self::Body => return mail.print_body(rows),
            Self::Text => return mail.print_all(rows),
            Self::Utf8 => return utf8::print(mail, rows),
            Self::Section(section) => return mail.print_section(section, rows),
            Self::Binary(section) => return mail.print_binary(section, rows),
        };
        rows.value(&value).map_err(Trouble::Output)
    }
}

impl Fact {
    fn value(self, facts: &Facts) -> String {
        let unix = |date: Option<MailDate>| date.map_or(0, |date| date.seconds).to_string();
        match self {
            Self::Mailbox => facts.mailbox.clone(),
            Self::MailboxGuid => facts.mailbox_guid.clone(),
            Self::Seq => facts.seq.to_string(),
            Self::Uid => facts.uid.to_string(),
            Self::Guid => facts.guid.clone(),
            Self::Flags => facts.flags.clone(),
            Self::Modseq => facts.modseq.clone(),
            Self::SizeVirtual => facts.size.to_string(),
            Self::Received => local(facts.received.map_or(0, |date| date.seconds)),
            Self::ReceivedUnix => unix(facts.received),
            Self::Saved => local(facts.saved.map_or(0, |date| date.seconds)),
            Self::SavedUnix => unix(facts.saved),
            Self::Pop3Uidl => facts.backend.pop3_uidl.clone(),
            Self::Pop3Order => facts.backend.pop3_order.clone(),
            Self::Refcount => facts.backend.refcount.clone(),
            Self::StorageId => facts.backend.storage_id.clone(),
        }
    }
}

fn fact(name: &str) -> Option<Fact> {
    Some(match name {
        "mailbox" => Fact::Mailbox,
        "mailbox-guid" => Fact::MailboxGuid,
        "seq" => Fact::Seq,
        "uid" => Fact::Uid,
        "guid" => Fact::Guid,
        "flags" => Fact::Flags,
        "modseq" => Fact::Modseq,
        "size.virtual" => Fact::SizeVirtual,
        "date.received" => Fact::Received,
        "date.received.unixtime" => Fact::ReceivedUnix,
        "date.saved" => Fact::Saved,
        "date.saved.unixtime" => Fact::SavedUnix,
        "pop3.uidl" => Fact::Pop3Uidl,
        "pop3.order" => Fact::Pop3Order,
        "refcount" => Fact::Refcount,
        "storageid" => Fact::StorageId,
        _ => return None,
    })
}

/// What IMAP puts into parentheses.
fn inner(list: std::io::Result<Vec<u8>>) -> Result<Vec<u8>, Trouble> {
    let list = list.map_err(Trouble::Read)?;
    let inner = list
        .strip_prefix(b"(")
        .and_then(|list| list.strip_suffix(b")"));
    Ok(inner.map_or_else(|| list.clone(), <[u8]>::to_vec))
}

fn sent(mail: &mut Reader<'_>, form: DateForm) -> Result<String, Trouble> {
    let date = mail.fields(b"Date")?.into_iter().next();
    let date = date.and_then(|value| message::date::parse(&value));
    let unix = date.map_or(0, |date| date.unix);
    let zone = date.map_or(0, |date| date.offset_minutes);
    Ok(match form {
        DateForm::Unix => unix.to_string(),
        DateForm::Local => {
            let sign = if zone < 0 { '-' } else { '+' };
            let (hours, minutes) = (zone.abs() / 60, zone.abs() % 60);
            format!("{} ({sign}{hours:02}{minutes:02})", local(unix))
        }
    })
}

/// As the clock on the wall here showed.
fn local(unix: i64) -> String {
    MailDate::local(unix).wall_clock()
}

/// As in IMAP, with commas for the spaces of HEADER.FIELDS (…).
fn section(text: &str) -> Option<Section> {
    let asked = format!("BODY.PEEK[{}]", text.replace(',', " "));
    let mut args = Args::new(asked.as_bytes());
    let item = FetchItem::take(&mut args).ok()?;
    let FetchItem::Section(item) = item else {
        return None;
    };
    if !args.is_empty() || item.partial.is_some() {
        return None;
    }
    let names = |fields: &[FieldName], make: fn(std::vec::IntoIter<Vec<u8>>) -> FieldNames| {
        let names: Vec<Vec<u8>> = fields.iter().map(|name| name.bytes().to_vec()).collect();
        What::Fields(make(names.into_iter()))
    };
    Some(Section {
        path: item.section.part.clone(),
        what: match &item.section.text {
            SectionText::All => What::All,
            SectionText::Header => What::Header,
            SectionText::Text => What::Text,
            SectionText::Mime => What::Mime,
            SectionText::Fields(fields) => names(fields, FieldNames::only),
            SectionText::FieldsNot(fields) => names(fields, FieldNames::not),
        },
    })
}

fn unknown(what: &str) -> Failure {
    eprintln!(
        "Available fetch fields: hdr.<name> body.<section> binary.<section> {}",
        NAMES.join(" ")
    );
    Failure::Temporary(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_field() {
        for name in NAMES {
            assert!(Field::parse(name).is_ok(), "{name}");
        }
        for name in [
            "hdr.subject",
            "hdr.from.utf8",
            "hdr.to.address_name.utf8",
            "body.1.2.mime",
            "body.header.fields,(subject,from)",
            "binary.2",
        ] {
            assert!(Field::parse(name).is_ok(), "{name}");
        }
        for name in [
            "foo",
            "hdr.subject.foo",
            "body.1.x",
            "body.1<5>",
            "body.mime",
        ] {
            assert!(Field::parse(name).is_err(), "{name}");
        }
    }
}
