//! The words of a query as keys.

use imap_proto::search::DateTest;
use imap_proto::{Args, SequenceSet};
use mailbox::{Flags, Keyword};
use message::search::Needle;
use search::{Key, When};

use super::when;
use super::{Leaf, MAX_DEPTH, Node, wrong};
use crate::failure::Failure;

/// The words, one after the other.
pub struct Words<'w> {
    rest: std::slice::Iter<'w, String>,
}

impl<'w> Words<'w> {
    pub fn new(words: &'w [String]) -> Self {
        Self { rest: words.iter() }
    }

    /// The next word.
    pub fn next(&mut self) -> Option<&'w str> {
        self.rest.next().map(String::as_str)
    }

    fn peek(&self) -> Option<&'w str> {
        self.rest.as_slice().first().map(String::as_str)
    }

    /// Keys up to the end or the parenthesis that closes: all of them, or one of them where OR stands between.
    pub fn list(&mut self, depth: usize) -> Result<Node, Failure> {
        let (mut nodes, mut any) = (Vec::new(), false);
        while let Some(word) = self.peek().filter(|word| *word != ")") {
            let is_or = word.eq_ignore_ascii_case("OR");
            if is_or {
                self.next();
                if self.peek().is_none_or(|word| word == ")") {
                    return Err(wrong("Missing argument"));
                }
            } else if any {
                return Err(wrong("Use parenthesis when mixing ANDs and ORs"));
            }
            any |= is_or;
            nodes.push(self.key(depth)?);
        }
        match (nodes.is_empty(), any) {
            (true, _) => Err(wrong("No search parameters inside list")),
            (false, false) => Ok(Node::Every(nodes)),
            (false, true) => Ok(Node::Any(nodes)),
        }
    }

    fn key(&mut self, depth: usize) -> Result<Node, Failure> {
        if depth > MAX_DEPTH {
            return Err(wrong("Too much nesting in search query"));
        }
        let word = self.next().ok_or_else(|| wrong("Missing argument"))?;
        let name = word.to_ascii_uppercase();
        match name.as_str() {
            "(" => {
                let list = self.list(depth + 1)?;
                match self.next() {
                    Some(")") => Ok(list),
                    _ => Err(wrong("Missing ')'")),
                }
            }
            "NOT" => Ok(Node::Not(Box::new(self.key(depth + 1)?))),
            // Whatever is searched is searched precisely.
            "FUZZY" => self.key(depth + 1),
            _ => Ok(Node::Leaf(Box::new(self.leaf(word, &name)?))),
        }
    }

    fn leaf(&mut self, word: &str, name: &str) -> Result<Leaf, Failure> {
        if let Some(key) = bare(name) {
            return Ok(Leaf::Key(Box::new(key)));
        }
        if word.starts_with(|first: char| first.is_ascii_digit() || first == '*') {
            return set(word)
                .map(Leaf::Seqs)
                .ok_or_else(|| wrong("Invalid messageset"));
        }
        if let Some(key) = self.dated(name)? {
            return Ok(Leaf::Key(Box::new(key)));
        }
        let key = match name {
            "MAILBOX" => return Ok(Leaf::Mailbox(self.argument(name)?.to_owned())),
            "MAILBOX-GUID" => return Ok(Leaf::MailboxGuid(self.argument(name)?.to_owned())),
            "MODSEQ" => {
                let modseq = self.argument(name)?.parse();
                let invalid = |_| wrong("Invalid MODSEQ value");
                return modseq.map(Leaf::Changed).map_err(invalid);
            }
            // No mailbox here shows mails of another one under other UIDs.
            "UID" | "X-REAL-UID" => {
                let uids = set(self.argument(name)?);
                return uids
                    .map(Leaf::Uids)
                    .ok_or_else(|| wrong("Invalid UID messageset"));
            }
            "KEYWORD" => self.keyword(name)?,
            "UNKEYWORD" => Key::Not(Box::new(self.keyword(name)?)),
            "LARGER" => Key::Larger(when::size(self.argument(name)?)?),
            "SMALLER" => Key::Smaller(when::size(self.argument(name)?)?),
            "OLDER" => Key::Received(self.age(name, DateTest::Before)?),
            "YOUNGER" => Key::Received(self.age(name, DateTest::Since)?),
            "GUID" | "X-GUID" => Key::Guid(self.argument(name)?.to_owned()),
            "BODY" => Key::Body(Needle::new(self.argument(name)?)),
            "TEXT" => Key::Text(Needle::new(self.argument(name)?)),
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => Key::Header {
                name: name.as_bytes().to_vec(),
                needle: Needle::new(self.argument(name)?),
            },
            "HEADER" => {
                let field = self.argument(name)?.as_bytes().to_vec();
                let needle = Needle::new(self.argument(name)?);
                Key::Header {
                    name: field,
                    needle,
                }
            }
            _ => return Err(wrong(format!("Unknown argument {name}"))),
        };
        Ok(Leaf::Key(Box::new(key)))
    }

    fn argument(&mut self, key: &str) -> Result<&'w str, Failure> {
        self.next().ok_or_else(|| {
            wrong(format!(
                "Missing parameter for search key (for search key: {key})"
            ))
        })
    }

    fn keyword(&mut self, name: &str) -> Result<Key, Failure> {
        let word = self.argument(name)?;
        // No mail has what cannot be a keyword.
        Ok(Keyword::new(word).map_or(Key::Always(false), Key::Keyword))
    }

    /// RFC 5032: seconds from now back.
    fn age(&mut self, name: &str, test: DateTest) -> Result<When, Failure> {
        let invalid = || wrong("Invalid search interval parameter");
        let seconds: u32 = self.argument(name)?.parse().map_err(|_| invalid())?;
        let edge = when::now().saturating_sub(i64::from(seconds));
        // A mail of exactly this age is old, and not young.
        Ok(When::Time(test, edge + i64::from(test == DateTest::Before)))
    }

    fn dated(&mut self, name: &str) -> Result<Option<Key>, Failure> {
        let plain = name.strip_prefix("X-SAVED").map(|rest| ("SAVED", rest));
        let (which, rest) = plain
            .or_else(|| name.strip_prefix("SAVED").map(|rest| ("SAVED", rest)))
            .or_else(|| name.strip_prefix("SENT").map(|rest| ("SENT", rest)))
            .unwrap_or(("", name));
        let test = match rest {
            "BEFORE" => DateTest::Before,
            "ON" => DateTest::On,
            "SINCE" => DateTest::Since,
            _ => return Ok(None),
        };
        let when = when::date(self.argument(name)?, test)?;
        Ok(Some(match which {
            "SAVED" => Key::Saved(when),
            "SENT" => Key::Sent(when),
            _ => Key::Received(when),
        }))
    }
}

fn set(text: &str) -> Option<SequenceSet> {
    let mut args = Args::new(text.as_bytes());
    let set = SequenceSet::take(&mut args).ok()?;
    args.is_empty().then_some(set)
}

/// Keys that take nothing.
fn bare(name: &str) -> Option<Key> {
    let has = |flag| Some(Key::Has(flag));
    let lacks = |flag| Some(Key::Not(Box::new(Key::Has(flag))));
    match name {
        "ALL" => Some(Key::Always(true)),
        "ANSWERED" => has(Flags::ANSWERED),
        "DELETED" => has(Flags::DELETED),
        "DRAFT" => has(Flags::DRAFT),
        "FLAGGED" => has(Flags::FLAGGED),
        "SEEN" => has(Flags::SEEN),
        "RECENT" => has(Flags::RECENT),
        "UNANSWERED" => lacks(Flags::ANSWERED),
        "UNDELETED" => lacks(Flags::DELETED),
        "UNDRAFT" => lacks(Flags::DRAFT),
        "UNFLAGGED" => lacks(Flags::FLAGGED),
        "UNSEEN" => lacks(Flags::SEEN),
        "OLD" => lacks(Flags::RECENT),
        "NEW" => Some(Key::Every(vec![
            Key::Has(Flags::RECENT),
            Key::Not(Box::new(Key::Has(Flags::SEEN))),
        ])),
        _ => None,
    }
}
