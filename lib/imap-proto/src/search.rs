//! SEARCH's program. RFC 3501 §6.4.4.

use crate::args::{Args, SyntaxError};
use crate::date::Date;
use crate::flag::{self, SystemFlag};
use crate::sequence::SequenceSet;

/// How deep NOT, OR and parentheses may be nested.
pub const MAX_DEPTH: u8 = 100;

/// A whole SEARCH: every key must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What strings are written in, as the client named it. `None`: not said, US-ASCII.
    pub charset: Option<String>,
    /// At least one.
    pub keys: Vec<SearchKey>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// Every mail.
    All,
    /// Sequence numbers.
    Seqs(SequenceSet),
    /// `UID`
    Uids(SequenceSet),
    /// `SEEN` and its like.
    Has(SystemFlag),
    /// `UNSEEN` and its like.
    Lacks(SystemFlag),
    /// `RECENT`; `OLD` is its negation, `NEW` is `RECENT` and `UNSEEN`.
    Recent,
    /// `KEYWORD`; `UNKEYWORD` is its negation.
    Keyword(String),
    /// INTERNALDATE, whose time of day is left out.
    Received(DateTest, Date),
    /// The Date: field, whose time and zone are left out.
    Sent(DateTest, Date),
    /// `LARGER`: more octets than this.
    Larger(u64),
    /// `SMALLER`: fewer octets than this.
    Smaller(u64),
    /// `HEADER name value`, and `FROM`, `TO`, `CC`, `BCC`, `SUBJECT`. An empty value: the field exists.
    Header {
        /// The field's name as the client wrote it.
        name: Vec<u8>,
        /// A substring of the field, in the program's charset.
        value: Vec<u8>,
    },
    /// `BODY`: a substring of the body.
    Body(Vec<u8>),
    /// `TEXT`: a substring of header or body.
    Text(Vec<u8>),
    /// `NOT`
    Not(Box<Self>),
    /// `OR`
    Or(Box<Self>, Box<Self>),
    /// `( … )`: all of them.
    And(Vec<Self>),
}

/// How a date is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateTest {
    /// Earlier than the day.
    Before,
    /// Within the day.
    On,
    /// Within the day or later.
    Since,
}

impl Program {
    /// Takes everything behind the word SEARCH, to the end of the command.
    pub fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        const MISSING: SyntaxError = SyntaxError::new("Missing search parameters.");
        args.space().map_err(|_| MISSING)?;
        let mut charset = None;
        if args.take_word("CHARSET") {
            const INVALID: SyntaxError = SyntaxError::new("Invalid charset argument.");
            args.space().map_err(|_| INVALID)?;
            charset = Some(String::from_utf8_lossy(&args.astring()?).into_owned());
            args.space()?;
        }
        let mut keys = vec![key(args, 0)?];
        while !args.is_empty() {
            args.space()?;
            keys.push(key(args, 0)?);
        }
        Ok(Self { charset, keys })
    }
}

fn key(args: &mut Args<'_>, depth: u8) -> Result<SearchKey, SyntaxError> {
    if depth >= MAX_DEPTH {
        return Err(SyntaxError::new("Too much nesting in search."));
    }
    match args.peek() {
        Some(b'(') => {
            let keys = args.list(|args| key(args, depth + 1))?;
            let empty = keys.is_empty();
            (!empty)
                .then_some(SearchKey::And(keys))
                .ok_or(SyntaxError::new("No search parameters inside list."))
        }
        Some(b'0'..=b'9' | b'*') => SequenceSet::take(args).map(SearchKey::Seqs),
        _ => {
            let word = args.atom()?.to_ascii_uppercase();
            named(&word, args, depth)
        }
    }
}

fn named(word: &[u8], args: &mut Args<'_>, depth: u8) -> Result<SearchKey, SyntaxError> {
    if let Some(key) = bare(word) {
        return Ok(key);
    }
    if !TAKES.contains(&word) {
        return Err(SyntaxError::about("Unknown argument", word));
    }
    args.space()
        .map_err(|_| SyntaxError::new("Missing argument."))?;
    if let Some(key) = dated(word, args)? {
        return Ok(key);
    }
    Ok(match word {
        b"NOT" => SearchKey::Not(Box::new(key(args, depth + 1)?)),
        b"OR" => {
            let one = key(args, depth + 1)?;
            args.space()?;
            SearchKey::Or(Box::new(one), Box::new(key(args, depth + 1)?))
        }
        b"UID" => SearchKey::Uids(uids(args)?),
        b"KEYWORD" => SearchKey::Keyword(flag::keyword(&args.astring()?)?),
        b"UNKEYWORD" => SearchKey::Not(Box::new(SearchKey::Keyword(flag::keyword(
            &args.astring()?,
        )?))),
        b"LARGER" => SearchKey::Larger(size(args)?),
        b"SMALLER" => SearchKey::Smaller(size(args)?),
        b"BODY" => SearchKey::Body(args.astring()?.into_owned()),
        b"TEXT" => SearchKey::Text(args.astring()?.into_owned()),
        b"FROM" | b"TO" | b"CC" | b"BCC" | b"SUBJECT" => header(word, args)?,
        b"HEADER" => {
            let name = args.astring()?;
            args.space()?;
            header(&name, args)?
        }
        _ => return Err(SyntaxError::about("Unknown argument", word)),
    })
}

/// Keys that take something.
const TAKES: [&[u8]; 21] = [
    b"NOT",
    b"OR",
    b"UID",
    b"KEYWORD",
    b"UNKEYWORD",
    b"LARGER",
    b"SMALLER",
    b"BODY",
    b"TEXT",
    b"FROM",
    b"TO",
    b"CC",
    b"BCC",
    b"SUBJECT",
    b"HEADER",
    b"BEFORE",
    b"ON",
    b"SINCE",
    b"SENTBEFORE",
    b"SENTON",
    b"SENTSINCE",
];

/// Keys that take nothing.
fn bare(word: &[u8]) -> Option<SearchKey> {
    use SearchKey::{Has, Lacks, Not, Recent};
    Some(match word {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => Has(SystemFlag::Answered),
        b"DELETED" => Has(SystemFlag::Deleted),
        b"DRAFT" => Has(SystemFlag::Draft),
        b"FLAGGED" => Has(SystemFlag::Flagged),
        b"SEEN" => Has(SystemFlag::Seen),
        b"UNANSWERED" => Lacks(SystemFlag::Answered),
        b"UNDELETED" => Lacks(SystemFlag::Deleted),
        b"UNDRAFT" => Lacks(SystemFlag::Draft),
        b"UNFLAGGED" => Lacks(SystemFlag::Flagged),
        b"UNSEEN" => Lacks(SystemFlag::Seen),
        b"RECENT" => Recent,
        b"OLD" => Not(Box::new(Recent)),
        b"NEW" => SearchKey::And(vec![Recent, Lacks(SystemFlag::Seen)]),
        _ => return None,
    })
}

fn dated(word: &[u8], args: &mut Args<'_>) -> Result<Option<SearchKey>, SyntaxError> {
    let (sent, name) = match word.strip_prefix(b"SENT") {
        Some(name) => (true, name),
        None => (false, word),
    };
    let test = match name {
        b"BEFORE" => DateTest::Before,
        b"ON" => DateTest::On,
        b"SINCE" => DateTest::Since,
        _ => return Ok(None),
    };
    let date = Date::take(args)?;
    Ok(Some(if sent {
        SearchKey::Sent(test, date)
    } else {
        SearchKey::Received(test, date)
    }))
}

fn header(name: &[u8], args: &mut Args<'_>) -> Result<SearchKey, SyntaxError> {
    Ok(SearchKey::Header {
        name: name.to_vec(),
        value: args.astring()?.into_owned(),
    })
}

fn uids(args: &mut Args<'_>) -> Result<SequenceSet, SyntaxError> {
    SequenceSet::take(args).map_err(|_| SyntaxError::new("Invalid UID messageset."))
}

fn size(args: &mut Args<'_>) -> Result<u64, SyntaxError> {
    args.number()
        .map_err(|_| SyntaxError::new("Invalid search size parameter."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<Vec<SearchKey>, SyntaxError> {
        Program::take(&mut Args::new(text.as_bytes())).map(|program| program.keys)
    }

    #[test]
    fn every_key_of_rfc_3501() {
        for key in [
            "ALL",
            "ANSWERED",
            "BCC x",
            "BEFORE 1-Feb-1994",
            "BODY x",
            "CC x",
            "DELETED",
            "DRAFT",
            "FLAGGED",
            "FROM \"x y\"",
            "HEADER Subject \"\"",
            "KEYWORD k",
            "LARGER 5",
            "NEW",
            "NOT SEEN",
            "OLD",
            "ON \"1-Feb-1994\"",
            "OR SEEN DRAFT",
            "RECENT",
            "SEEN",
            "SENTBEFORE 1-Feb-1994",
            "SENTON 1-Feb-1994",
            "SENTSINCE 1-Feb-1994",
            "SINCE 1-Feb-1994",
            "SMALLER 5",
            "SUBJECT {3}\r\na b",
            "TEXT x",
            "TO x",
            "UID 1:*",
            "UNANSWERED",
            "UNDELETED",
            "UNDRAFT",
            "UNFLAGGED",
            "UNKEYWORD k",
            "UNSEEN",
            "1:3,*",
            "(SEEN DRAFT)",
        ] {
            assert_eq!(
                keys(&format!(" {key}")).map(|keys| keys.len()),
                Ok(1),
                "{key}"
            );
        }
    }

    #[test]
    fn charset_comes_first() {
        let program = Program::take(&mut Args::new(b" CHARSET utf-8 TEXT x SEEN")).unwrap();
        assert_eq!(
            (program.charset.as_deref(), program.keys.len()),
            (Some("utf-8"), 2)
        );
        assert!(keys(" SEEN CHARSET utf-8").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(keys(&format!(" {}SEEN", "NOT ".repeat(99))).is_ok());
        assert!(keys(&format!(" {}SEEN", "NOT ".repeat(100))).is_err());
        assert!(keys(&format!(" {}SEEN{}", "(".repeat(51), ")".repeat(51))).is_err());
        assert!(keys(&format!(" {}", "OR ".repeat(20_000))).is_err());
    }

    #[test]
    fn wrong_programs() {
        for wrong in [
            "",
            " ",
            " X",
            " NOT",
            " OR SEEN",
            " ()",
            " (SEEN",
            " SEEN)",
            " LARGER -1",
            " ON x",
            " UID",
            " UID 0",
            " HEADER x",
            " CHARSET utf-8",
        ] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
    }
}
