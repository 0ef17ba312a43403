//! Search queries: IMAP's SEARCH as people write it in a shell, and in which mailboxes. doveadm-search-query(7).

mod careful;
mod keys;
mod when;

use imap_proto::{SequenceSet, Span};
use mailbox::{Mailbox, ModSeq, Seq};
use search::{Key, Search};

use crate::failure::Failure;

/// How deep NOT, FUZZY and parentheses may be nested.
const MAX_DEPTH: usize = 100;

/// A search query.
#[derive(Debug)]
pub struct Query(Node);

#[derive(Debug)]
enum Node {
    Leaf(Box<Leaf>),
    Not(Box<Self>),
    Any(Vec<Self>),
    Every(Vec<Self>),
}

/// What is decided before a mail is looked at, and what is not.
#[derive(Debug)]
enum Leaf {
    /// Mailboxes whose names match.
    Mailbox(String),
    /// The mailbox with this GUID.
    MailboxGuid(String),
    Seqs(SequenceSet),
    Uids(SequenceSet),
    /// Mails that changed at this modseq or later.
    Changed(u64),
    Key(Box<Key>),
}

/// The mailbox that is searched.
pub struct Scope<'s> {
    pub name: &'s str,
    pub separator: char,
    /// `None`: nobody knows it.
    pub guid: Option<&'s str>,
}

/// In which mailboxes mails can match at all.
#[derive(Debug, PartialEq, Eq)]
pub enum Mailboxes {
    /// All.
    All,
    /// Those that match one of the patterns.
    Like(Vec<String>),
}

impl Query {
    /// From the words of a command line.
    pub fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut words = keys::Words::new(words);
        let nodes = words.list(0)?;
        match words.next() {
            None => Ok(Self(nodes)),
            Some(_) => Err(wrong("Unexpected ')'")),
        }
    }

    /// Where to look.
    pub fn mailboxes(&self) -> Mailboxes {
        let mut patterns = Vec::new();
        match self.0.patterns(&mut patterns) {
            true if !patterns.is_empty() => Mailboxes::Like(patterns),
            _ => Mailboxes::All,
        }
    }

    /// Does it name a mailbox by its GUID?
    pub fn needs_guid(&self) -> bool {
        self.0
            .any_leaf(&|leaf| matches!(leaf, Leaf::MailboxGuid(_)))
    }

    /// Ready for one view.
    pub fn search(&self, scope: &Scope<'_>, view: &dyn Mailbox) -> Search {
        Search::new(self.0.key(scope, view), view)
    }

    /// Refuses what is likely an accident for a command that removes mails.
    pub fn check_careful(&self, command: &str) -> Result<(), Failure> {
        careful::check(&self.0, command)
    }
}

impl Node {
    /// Collects the names of mailboxes; `false`: all others can match, too.
    fn patterns(&self, patterns: &mut Vec<String>) -> bool {
        match self {
            Self::Leaf(leaf) => {
                if let Leaf::Mailbox(name) = &**leaf {
                    patterns.push(name.clone());
                }
                true
            }
            Self::Not(node) => !node.any_leaf(&|leaf| matches!(leaf, Leaf::Mailbox(_))),
            Self::Any(nodes) if !nodes.iter().all(Self::names_mailbox) => {
                !nodes.iter().any(Self::names_mailbox)
            }
            Self::Any(nodes) | Self::Every(nodes) => {
                nodes.iter().all(|node| node.patterns(patterns))
            }
        }
    }

    fn names_mailbox(&self) -> bool {
        self.any_leaf(&|leaf| matches!(leaf, Leaf::Mailbox(_)))
    }

    fn any_leaf(&self, wanted: &dyn Fn(&Leaf) -> bool) -> bool {
        match self {
            Self::Leaf(leaf) => wanted(leaf),
            Self::Not(node) => node.any_leaf(wanted),
            Self::Any(nodes) | Self::Every(nodes) => nodes.iter().any(|node| node.any_leaf(wanted)),
        }
    }

    fn key(&self, scope: &Scope<'_>, view: &dyn Mailbox) -> Key {
        let all = |nodes: &[Self]| nodes.iter().map(|node| node.key(scope, view)).collect();
        match self {
            Self::Leaf(leaf) => leaf.key(scope, view),
            Self::Not(node) => Key::Not(Box::new(node.key(scope, view))),
            Self::Any(nodes) => Key::Any(all(nodes)),
            Self::Every(nodes) => Key::Every(all(nodes)),
        }
    }
}

impl Leaf {
    fn key(&self, scope: &Scope<'_>, view: &dyn Mailbox) -> Key {
        match self {
            Self::Mailbox(pattern) => Key::Always(storage::pattern::matches(
                pattern,
                scope.name,
                scope.separator,
            )),
            Self::MailboxGuid(guid) => Key::Always(scope.guid == Some(guid)),
            Self::Seqs(set) => Key::Seqs(set.resolve(view.len())),
            // As in Dovecot's doveadm, `*` is the largest UID that could be: `9999:*` is not the last mail.
            Self::Uids(set) => Key::Seqs(search::seqs_of_spans(view, &set.resolve(u32::MAX))),
            Self::Changed(modseq) => Key::Seqs(changed(view, *modseq)),
            Self::Key(key) => (**key).clone(),
        }
    }
}

/// Where no modseqs are kept, all mails have the same.
fn changed(view: &dyn Mailbox, since: u64) -> Vec<Span> {
    let seqs = (1..=view.len()).filter(|seq| {
        let modseq = Seq::new(*seq).and_then(|seq| view.modseq(seq));
        modseq.map_or(1, ModSeq::get) >= since
    });
    seqs.map(|seq| Span {
        first: seq,
        last: seq,
    })
    .collect()
}

/// What Dovecot's doveadm says about a query that makes no sense.
fn wrong(what: impl Into<String>) -> Failure {
    Failure::Temporary(what.into())
}

#[cfg(test)]
mod tests;
