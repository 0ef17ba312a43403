//! FETCH's data items. RFC 3501 §6.4.5.

use crate::args::{Args, SyntaxError};
use crate::write;

/// One thing to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// `UID`
    Uid,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `RFC822.SIZE`
    Size,
    /// `ENVELOPE`
    Envelope,
    /// `BODY`: the structure without extension data.
    Body,
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `BODY[…]`, `BODY.PEEK[…]`
    Section(SectionItem),
    /// `RFC822`, `RFC822.HEADER`, `RFC822.TEXT`
    Rfc822(Rfc822),
}

/// The old names of sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rfc822 {
    /// `RFC822`, as `BODY[]`.
    Full,
    /// `RFC822.HEADER`, as `BODY.PEEK[HEADER]`.
    Header,
    /// `RFC822.TEXT`, as `BODY[TEXT]`.
    Text,
}

/// A section of a message, whole or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionItem {
    /// Does fetching it set `\Seen`?
    pub seen: Seen,
    /// Which section.
    pub section: Section,
    /// Which octets of it; `None` for all.
    pub partial: Option<Partial>,
}

/// Does fetching a section set `\Seen`?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// `BODY[…]`
    Sets,
    /// `BODY.PEEK[…]`
    Keeps,
}

/// `<start.count>`; Dovecot takes `<start>` as well, up to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// First octet, from 0.
    pub start: u64,
    /// At most so many octets.
    pub count: u64,
}

/// What stands between the brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// MIME part numbers; empty for the message itself. There is no part 0, but it may be asked for.
    pub part: Vec<u32>,
    /// What of that part.
    pub text: SectionText,
}

/// A header field's name, in capitals as replies repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldName {
    /// Written as an atom.
    Atom(Vec<u8>),
    /// Written in quotes or as a literal. Clients compare what comes back with what they sent, so it is quoted again.
    String(Vec<u8>),
}

impl FieldName {
    /// The name itself.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Atom(name) | Self::String(name) => name,
        }
    }

    fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        match args.peek() {
            Some(b'"' | b'{') => Ok(Self::String(args.string()?.to_ascii_uppercase())),
            _ => Ok(Self::Atom(args.atom()?.to_ascii_uppercase())),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Atom(name) => out.extend_from_slice(name),
            Self::String(name) => write::string(out, name),
        }
    }
}

/// What of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    /// All: of the message with its header, of a part without.
    All,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (…)`
    Fields(Vec<FieldName>),
    /// `HEADER.FIELDS.NOT (…)`
    FieldsNot(Vec<FieldName>),
    /// `TEXT`
    Text,
    /// `MIME`: the part's own header.
    Mime,
}

const INVALID: SyntaxError = SyntaxError::new("Invalid BODY[..] section.");

/// Takes a macro, one item, or items in parentheses.
pub fn items(args: &mut Args<'_>) -> Result<Vec<FetchItem>, SyntaxError> {
    if args.peek() == Some(b'(') {
        let items = args.list(FetchItem::take)?;
        let empty = items.is_empty();
        return (!empty)
            .then_some(items)
            .ok_or(SyntaxError::new("FETCH list is empty."));
    }
    match macro_items(args) {
        Some(items) => Ok(items),
        None => Ok(vec![FetchItem::take(args)?]),
    }
}

fn macro_items(args: &mut Args<'_>) -> Option<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Size};
    let mut items = vec![Flags, InternalDate, Size];
    if args.take_word("FAST") {
        return Some(items);
    }
    items.push(Envelope);
    if args.take_word("ALL") {
        return Some(items);
    }
    items.push(Body);
    args.take_word("FULL").then_some(items)
}

impl FetchItem {
    /// Takes one item, no macro.
    pub fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        let rest = args.rest();
        let end = rest
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'.'));
        let (word, _) = rest.split_at(end.unwrap_or(rest.len()));
        args.advance(word.len());
        let word = word.to_ascii_uppercase();
        let seen = match (word.as_slice(), args.peek()) {
            (b"BODY", Some(b'[')) => Seen::Sets,
            (b"BODY.PEEK", Some(b'[')) => Seen::Keeps,
            (word, _) => {
                return Self::named(word)
                    .ok_or_else(|| SyntaxError::about("Unknown parameter:", word));
            }
        };
        let section = Section::take(args)?;
        let partial = Partial::take(args)?;
        Ok(Self::Section(SectionItem {
            seen,
            section,
            partial,
        }))
    }

    /// Does fetching it set `\Seen`?
    pub fn sets_seen(&self) -> bool {
        match self {
            Self::Section(item) => item.seen == Seen::Sets,
            Self::Rfc822(kind) => *kind != Rfc822::Header,
            _ => false,
        }
    }

    fn named(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"UID" => Self::Uid,
            b"FLAGS" => Self::Flags,
            b"INTERNALDATE" => Self::InternalDate,
            b"RFC822.SIZE" => Self::Size,
            b"ENVELOPE" => Self::Envelope,
            b"BODY" => Self::Body,
            b"BODYSTRUCTURE" => Self::BodyStructure,
            b"RFC822" => Self::Rfc822(Rfc822::Full),
            b"RFC822.HEADER" => Self::Rfc822(Rfc822::Header),
            b"RFC822.TEXT" => Self::Rfc822(Rfc822::Text),
            _ => return None,
        })
    }
}

impl Partial {
    fn take(args: &mut Args<'_>) -> Result<Option<Self>, SyntaxError> {
        const INVALID: SyntaxError =
            SyntaxError::new("Invalid BODY[..] parameter: Invalid partial.");
        if !args.take(b'<') {
            return Ok(None);
        }
        let rest = args.rest();
        let end = rest.iter().position(|byte| *byte == b'>').ok_or(INVALID)?;
        let (inside, _) = rest.split_at(end);
        args.advance(end + 1);
        let mut numbers = inside
            .splitn(2, |byte| *byte == b'.')
            .map(crate::literal::number);
        let start = numbers.next().flatten().ok_or(INVALID)?;
        let count = numbers.next().unwrap_or(Some(u64::MAX)).ok_or(INVALID)?;
        Ok(Some(Self { start, count }))
    }
}

impl Section {
    /// Takes `[` to `]`.
    fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        args.expect(b'[')?;
        let rest = args.rest();
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b']' | b' '))
            .ok_or(INVALID)?;
        let (spec, _) = rest.split_at(end);
        args.advance(end);
        let (part, word) = part(spec)?;
        let text = match word.map(<[u8]>::to_ascii_uppercase).as_deref() {
            None => SectionText::All,
            Some(b"HEADER") => SectionText::Header,
            Some(b"TEXT") => SectionText::Text,
            Some(b"MIME") if !part.is_empty() => SectionText::Mime,
            Some(b"HEADER.FIELDS") => SectionText::Fields(fields(args)?),
            Some(b"HEADER.FIELDS.NOT") => SectionText::FieldsNot(fields(args)?),
            Some(_) => return Err(INVALID),
        };
        args.take(b']')
            .then_some(Self { part, text })
            .ok_or(INVALID)
    }
}

/// Splits `1.2.HEADER` into numbers and word; no word for the part itself.
fn part(spec: &[u8]) -> Result<(Vec<u32>, Option<&[u8]>), SyntaxError> {
    let mut part = Vec::new();
    let mut rest = Some(spec).filter(|spec| !spec.is_empty());
    while let Some(spec) = rest {
        let end = spec
            .iter()
            .position(|byte| *byte == b'.')
            .unwrap_or(spec.len());
        let (word, behind) = spec.split_at(end);
        if !word.iter().all(u8::is_ascii_digit) || word.is_empty() {
            return Ok((part, Some(spec)));
        }
        let number = crate::literal::number(word).and_then(|number| u32::try_from(number).ok());
        part.push(number.ok_or(INVALID)?);
        rest = behind.get(1..);
    }
    Ok((part, None))
}

fn fields(args: &mut Args<'_>) -> Result<Vec<FieldName>, SyntaxError> {
    args.space()?;
    let fields = args.list(FieldName::take)?;
    let empty = fields.is_empty();
    (!empty).then_some(fields).ok_or(INVALID)
}

impl Section {
    /// Appends what replies put between the brackets.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut words: Vec<String> = self.part.iter().map(u32::to_string).collect();
        let (word, fields) = match &self.text {
            SectionText::All => ("", None),
            SectionText::Header => ("HEADER", None),
            SectionText::Text => ("TEXT", None),
            SectionText::Mime => ("MIME", None),
            SectionText::Fields(fields) => ("HEADER.FIELDS", Some(fields)),
            SectionText::FieldsNot(fields) => ("HEADER.FIELDS.NOT", Some(fields)),
        };
        if !word.is_empty() {
            words.push(word.to_owned());
        }
        out.extend_from_slice(words.join(".").as_bytes());
        if let Some(fields) = fields {
            out.push(b' ');
            write::list(out, fields, |out, field| field.write(out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<FetchItem>, SyntaxError> {
        let mut args = Args::new(text.as_bytes());
        let items = items(&mut args)?;
        args.end().map(|()| items)
    }

    fn written(text: &str) -> String {
        let items = parse(text).unwrap();
        let [FetchItem::Section(item)] = items.as_slice() else {
            panic!("{items:?}")
        };
        let mut out = Vec::new();
        item.section.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn macros_and_items() {
        assert_eq!(parse("fast").map(|items| items.len()), Ok(3));
        assert_eq!(parse("ALL").map(|items| items.len()), Ok(4));
        assert_eq!(parse("FULL").map(|items| items.len()), Ok(5));
        assert_eq!(
            parse("(UID FLAGS)"),
            Ok(vec![FetchItem::Uid, FetchItem::Flags])
        );
        assert_eq!(parse("(BODY BODY[])").map(|items| items.len()), Ok(2));
        assert!(parse("rfc822").unwrap()[0].sets_seen());
        assert!(!parse("RFC822.HEADER").unwrap()[0].sets_seen());
    }

    #[test]
    fn sections_come_back_as_they_went_in() {
        for section in [
            "",
            "HEADER",
            "TEXT",
            "1",
            "1.2.3",
            "1.2.HEADER",
            "1.MIME",
            "HEADER.FIELDS (FROM TO)",
            "4.HEADER.FIELDS.NOT (\"A B\")",
        ] {
            assert_eq!(written(&format!("BODY[{section}]")), section);
        }
        assert_eq!(
            written("BODY.PEEK[header.fields ({4}\r\ndate)]<0.10>"),
            "HEADER.FIELDS (\"DATE\")"
        );
    }

    #[test]
    fn partials() {
        let items = parse("BODY[]<4294967295.4294967295>").unwrap();
        let partial = Partial {
            start: 4_294_967_295,
            count: 4_294_967_295,
        };
        assert!(matches!(&items[..], [FetchItem::Section(item)] if item.partial == Some(partial)));
    }

    #[test]
    fn wrong_items() {
        for wrong in [
            "",
            "()",
            "X",
            "(ALL)",
            "(FLAGS",
            "FLAGS)",
            "BODY[",
            "BODY[X]",
            "BODY[1.]",
            "BODY[.1]",
            "BODY[1..2]",
            "BODY[MIME]",
            "BODY[4294967296.1]",
            "BODY[HEADER.FIELDS]",
            "BODY[HEADER.FIELDS ()]",
            "BODY[HEADER.FIELDS (A]",
            "BODY[]<",
            "BODY[]<a.b>",
            "BODY[]<0.18446744073709551616>",
            "BODY[1 (A)]",
            "BODYSTRUCTURE[1]",
            "BODY[]x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
