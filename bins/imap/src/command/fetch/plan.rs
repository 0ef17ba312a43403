//! What a FETCH wants of each mail, in the order in which Dovecot answers: small things first, sections behind them.

use imap_proto::fetch::{FetchItem, FieldName, Partial, Rfc822, Section as Asked, SectionText};
use message::{FieldNames, Section, What};

use crate::session::By;

/// What to answer for each mail.
pub struct Plan {
    /// All but sections, each once.
    pub items: Vec<FetchItem>,
    /// Sections, each once.
    pub sections: Vec<Wanted>,
    /// Does fetching set `\Seen`?
    pub sets_seen: bool,
}

/// One section.
#[derive(PartialEq)]
pub struct Wanted {
    /// What stands in front of the literal: `BODY[TEXT]<0>`.
    pub label: Vec<u8>,
    /// What it is.
    pub section: Section,
    /// Which bytes of it.
    pub partial: Option<Partial>,
    /// The header fields that it consists of, if it is nothing else.
    fields: Option<Vec<String>>,
}

impl Plan {
    /// Sorts out what was asked for. UID FETCH always tells the UID. RFC 3501 §6.4.8.
    pub fn new(asked: Vec<FetchItem>, by: By) -> Self {
        let sets_seen = asked.iter().any(FetchItem::sets_seen);
        let mut plan = Self {
            items: Vec::new(),
            sections: Vec::new(),
            sets_seen,
        };
        if by == By::Uid {
            plan.items.push(FetchItem::Uid);
        }
        for item in asked {
            match Wanted::new(&item) {
                Some(wanted) if plan.sections.contains(&wanted) => {}
                Some(wanted) => plan.sections.push(wanted),
                None if plan.items.contains(&item) => {}
                None => plan.items.push(item),
            }
        }
        plan
    }

    /// Must the size of the mail be known, for itself or to find the end of something?
    pub fn needs_size(&self) -> bool {
        let to_the_end = |wanted: &Wanted| wanted.section.path.is_empty() && !wanted.is_header();
        self.wants(&FetchItem::Size) || self.sections.iter().any(to_the_end)
    }

    /// Must the mail be read?
    pub fn reads_bytes(&self) -> bool {
        let parsed = [
            FetchItem::Envelope,
            FetchItem::Body,
            FetchItem::BodyStructure,
        ];
        !self.sections.is_empty() || parsed.iter().any(|item| self.wants(item))
    }

    /// Is this asked for?
    pub fn wants(&self, item: &FetchItem) -> bool {
        self.items.contains(item)
    }
}

impl Wanted {
    fn new(item: &FetchItem) -> Option<Self> {
        let old = |label: &str, what| {
            Some(Self {
                label: label.into(),
                section: whole(what),
                partial: None,
                fields: None,
            })
        };
        match item {
            FetchItem::Rfc822(Rfc822::Full) => old("RFC822", What::All),
            FetchItem::Rfc822(Rfc822::Header) => old("RFC822.HEADER", What::Header),
            FetchItem::Rfc822(Rfc822::Text) => old("RFC822.TEXT", What::Text),
            FetchItem::Section(item) => Some(Self {
                label: label(&item.section, item.partial),
                section: Section {
                    path: item.section.part.clone(),
                    what: what(&item.section.text),
                },
                partial: item.partial,
                fields: fields(&item.section),
            }),
            _ => None,
        }
    }

    /// Which bytes of a section of this size are wanted: the first, and how many.
    pub fn part_of(&self, size: u64) -> (u64, u64) {
        let start = self.partial.map_or(0, |partial| partial.start).min(size);
        let count = self.partial.map_or(u64::MAX, |partial| partial.count);
        (start, count.min(size - start))
    }

    /// As the cache is asked for it.
    pub fn asked(&self) -> Option<mailbox::Asked<'_>> {
        self.fields.as_deref().map(mailbox::Asked::Fields)
    }

    /// Is it a header or a part of one? The log counts them apart from bodies.
    pub fn is_header(&self) -> bool {
        matches!(
            self.section.what,
            What::Header | What::Fields(_) | What::Mime
        )
    }
}

fn whole(what: What) -> Section {
    Section {
        path: Vec::new(),
        what,
    }
}

fn what(text: &SectionText) -> What {
    match text {
        SectionText::All => What::All,
        SectionText::Header => What::Header,
        SectionText::Fields(fields) => {
            What::Fields(FieldNames::only(fields.iter().map(FieldName::bytes)))
        }
        SectionText::FieldsNot(fields) => {
            What::Fields(FieldNames::not(fields.iter().map(FieldName::bytes)))
        }
        SectionText::Text => What::Text,
        SectionText::Mime => What::Mime,
    }
}

/// The names of `HEADER.FIELDS` of the message itself; those that are no text nobody caches.
fn fields(section: &Asked) -> Option<Vec<String>> {
    let SectionText::Fields(fields) = &section.text else {
        return None;
    };
    let mut names: Vec<String> = Vec::new();
    for field in fields.iter().filter(|_| section.part.is_empty()) {
        let name = String::from_utf8(field.bytes().to_vec()).ok()?;
        if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    Some(names).filter(|names| !names.is_empty())
}

fn label(section: &Asked, partial: Option<Partial>) -> Vec<u8> {
    let mut label = b"BODY[".to_vec();
    section.write(&mut label);
    label.push(b']');
    if let Some(partial) = partial {
        label.extend_from_slice(format!("<{}>", partial.start).as_bytes());
    }
    label
}
