//! What the managed fields of a message say, and how far they are believed. FORMATS.md §5.2.
//!
//! Anybody can send a message with an X-UID or X-IMAPbase of his own. So X-IMAPbase counts in the first
//! message only, X-UID only behind it, rising, and no further than the next one that would be given out.

use mailbox::Flags;

use crate::field::{Field, Kind};
use crate::keywords::Keywords;
use crate::scan::Message;

/// The highest UID that X-IMAPbase may claim: who says more wants us to run out of them.
pub const HIGHEST_CLAIM: u32 = 0xefff_ffff;

const STATUS: [(u8, Flags); 1] = [(b'R', Flags::SEEN)];
const X_STATUS: [(u8, Flags); 4] = [
    (b'A', Flags::ANSWERED),
    (b'F', Flags::FLAGGED),
    (b'T', Flags::DRAFT),
    (b'D', Flags::DELETED),
];

/// UIDVALIDITY and last UID as X-IMAPbase tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Never 0.
    pub uid_validity: u32,
    /// The last UID that was given out, at most [`HIGHEST_CLAIM`].
    pub last_uid: u32,
}

/// Is the X-IMAPbase of the first message to be believed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whatever it says.
    Any,
    /// Only with the UIDVALIDITY that the index has. A file with another one is another mailbox, or a
    /// stranger's message came to stand first: no X-UID in it counts.
    Only(u32),
    /// The same, but the index knows the first message, and that its header is not ours yet: another
    /// UIDVALIDITY in it says nothing.
    Stranger(u32),
}

/// What is known while the messages of a file are read in order.
#[derive(Clone, Debug)]
pub struct Course {
    /// Messages read so far, pseudo messages too.
    pub messages: u32,
    /// From the first one.
    pub base: Option<Base>,
    /// The next UID to be given out: one that X-UID claims is believed up to this.
    pub next_uid: u32,
    /// UID of the message before.
    pub last_uid: u32,
    /// Grows by what X-IMAPbase lists.
    pub keywords: Keywords,
    /// See [`Trust`].
    pub trust: Trust,
    /// X-IMAPbase had another UIDVALIDITY than the index.
    pub is_foreign: bool,
}

/// What is wrong with a header, as far as it matters to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Disorder {
    /// Nothing.
    #[default]
    None,
    /// A field is missing, broken, there twice, or out of date: it is put right when the file is
    /// rewritten.
    Untidy,
    /// An X-UID that contradicts the others.
    Uid,
}

/// What one message says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `None`: it has none that can be believed.
    pub uid: Option<u32>,
    /// Without `\Recent`.
    pub flags: Flags,
    /// Some session has seen it (`O`).
    pub is_old: bool,
    /// Numbers in [`Course::keywords`], ascending.
    pub keywords: Vec<usize>,
    /// It is no message, but the place of X-IMAP.
    pub is_pseudo: bool,
    /// See [`Disorder`].
    pub disorder: Disorder,
    /// Letters of Status and X-Status that others may know.
    pub strange: [Vec<u8>; 2],
}

impl Course {
    /// At the beginning of the file.
    #[must_use]
    pub fn new(next_uid: u32, keywords: Keywords, trust: Trust) -> Self {
        Self {
            messages: 0,
            base: None,
            next_uid,
            last_uid: 0,
            keywords,
            trust,
            is_foreign: false,
        }
    }

    /// Reads the next message. It gets no UID here: who gives it one tells [`Course::gave`].
    pub fn read(&mut self, message: &Message) -> Marks {
        self.messages = self.messages.saturating_add(1);
        let mut marks = Marks::default();
        let mut seen = Seen::default();
        for field in &message.fields {
            if !self.field(field, &mut marks, &mut seen) {
                marks.disorder = marks.disorder.max(Disorder::Untidy);
            }
        }
        if self.messages == 1 && !seen.base {
            marks.disorder = marks.disorder.max(Disorder::Untidy);
        }
        if let Some(uid) = marks.uid {
            self.last_uid = uid;
        }
        marks
    }

    /// A message got this UID, which is the next one or higher.
    pub fn gave(&mut self, uid: u32) {
        self.last_uid = uid;
        self.next_uid = self.next_uid.max(uid.saturating_add(1));
    }

    /// `false`: the field is of no use.
    fn field(&mut self, field: &Field, marks: &mut Marks, seen: &mut Seen) -> bool {
        let Some(value) = field.value.as_deref() else {
            return false;
        };
        match field.kind {
            Kind::ContentLength => {
                let digits = value.trim_ascii_end();
                !std::mem::replace(&mut seen.length, true) && digits.iter().all(u8::is_ascii_digit)
            }
            Kind::Status => {
                marks.is_old |= value.contains(&b'O');
                let [strange, _] = &mut marks.strange;
                letters(value, (&STATUS, b"O"), &mut marks.flags, strange)
            }
            Kind::XStatus => {
                let [_, strange] = &mut marks.strange;
                letters(value, (&X_STATUS, b""), &mut marks.flags, strange)
            }
            Kind::Keywords => self.keywords(value, marks, seen),
            Kind::ImapBase => self.base(value, seen, marks),
            Kind::Imap => {
                let is_base = self.base(value, seen, marks);
                marks.is_pseudo |= is_base;
                is_base
            }
            Kind::Uid => self.uid(value, marks, seen),
        }
    }

    fn uid(&mut self, value: &[u8], marks: &mut Marks, seen: &Seen) -> bool {
        let is_early = self.messages == 1 && !seen.base;
        if marks.uid.is_some() || is_early || self.is_foreign {
            return false;
        }
        let Some(uid) = number(value.trim_ascii_end()) else {
            return false;
        };
        if uid <= self.last_uid || uid > self.next_uid {
            marks.disorder = Disorder::Uid;
            return false;
        }
        if uid == self.next_uid {
            self.next_uid = self.next_uid.saturating_add(1);
        }
        if marks.disorder == Disorder::Uid {
            marks.disorder = Disorder::Untidy;
        }
        marks.uid = Some(uid);
        true
    }

    fn base(&mut self, value: &[u8], seen: &mut Seen, marks: &mut Marks) -> bool {
        if self.messages != 1 || seen.base {
            return false;
        }
        let Some((base, list)) = base(value) else {
            return false;
        };
        match self.trust {
            Trust::Only(ours) if ours != base.uid_validity => {
                self.is_foreign = true;
                return false;
            }
            Trust::Stranger(ours) if ours != base.uid_validity => return false,
            Trust::Any | Trust::Only(_) | Trust::Stranger(_) => {}
        }
        seen.base = true;
        self.base = Some(base);
        if base.last_uid < self.next_uid.saturating_sub(1) {
            marks.disorder = marks.disorder.max(Disorder::Untidy);
        }
        self.next_uid = self.next_uid.max(base.last_uid + 1);
        if self.keywords.add_listed(list) != self.keywords.names().len() {
            marks.disorder = marks.disorder.max(Disorder::Untidy);
        }
        true
    }

    /// Names that the mailbox does not know came with the mail from outside: none of them counts.
    fn keywords(&self, value: &[u8], marks: &mut Marks, seen: &mut Seen) -> bool {
        let Ok(text) = std::str::from_utf8(value) else {
            return false;
        };
        if seen.keywords {
            return false;
        }
        let mut numbers = Vec::new();
        for name in text.split_ascii_whitespace() {
            match self.keywords.number(name) {
                Some(number) => numbers.push(number),
                None => return false,
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        seen.keywords = true;
        marks.keywords = numbers;
        true
    }
}

/// Fields that count once.
#[derive(Default)]
struct Seen {
    base: bool,
    keywords: bool,
    length: bool,
}

/// `false`: a letter was there before.
fn letters(
    value: &[u8],
    (known, ours): (&[(u8, Flags)], &[u8]),
    flags: &mut Flags,
    strange: &mut Vec<u8>,
) -> bool {
    let mut is_tidy = true;
    for letter in value {
        match known.iter().find(|(known, _)| known == letter) {
            Some((_, flag)) => {
                is_tidy &= !flags.contains(*flag);
                *flags = flags.with(*flag);
            }
            None if ours.contains(letter) || !letter.is_ascii_graphic() => {}
            None if strange.len() < 16 => strange.push(*letter),
            None => is_tidy = false,
        }
    }
    is_tidy
}

/// `<uidvalidity> <last uid> [keyword …]`
fn base(value: &[u8]) -> Option<(Base, &str)> {
    let text = std::str::from_utf8(value).ok()?;
    let (uid_validity, rest) = text.split_once(' ')?;
    let rest = rest.trim_ascii_start();
    let end = rest
        .find(|byte: char| byte.is_ascii_whitespace())
        .unwrap_or(rest.len());
    let (last_uid, list) = rest.split_at_checked(end)?;
    let base = Base {
        uid_validity: number(uid_validity.as_bytes()).filter(|validity| *validity != 0)?,
        last_uid: number(last_uid.as_bytes()).filter(|last| *last <= HIGHEST_CLAIM)?,
    };
    Some((base, list))
}

/// Digits only, that fit.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The value of Status or X-Status, without `O` and the letters of others.
#[must_use]
pub fn status_letters(kind: Kind, flags: Flags) -> Vec<u8> {
    let known: &[(u8, Flags)] = match kind {
        Kind::Status => &STATUS,
        _ => &X_STATUS,
    };
    let held = known.iter().filter(|(_, flag)| flags.contains(*flag));
    held.map(|(letter, _)| *letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Md5Headers;
    use crate::scan::{Next, Scanner};

    fn read(course: &mut Course, text: &str) -> Vec<Marks> {
        let text = text.replace("@@", "From a@b  Thu Nov 29 22:33:52 2001\n");
        let bytes = text.as_bytes();
        let mut scanner = Scanner::new(&bytes, bytes.len() as u64, Md5Headers::Apop3d);
        let mut found = Vec::new();
        let mut next = scanner.begin().unwrap();
        while let Next::Message(separator, from) = next {
            let message = scanner.message(separator, from).unwrap();
            next = message.next;
            let marks = course.read(&message);
            found.push(marks);
        }
        found
    }

    fn course(trust: Trust) -> Course {
        Course::new(1, Keywords::default(), trust)
    }

    #[test]
    fn what_dovecot_writes_is_believed() {
        let mut course = course(Trust::Any);
        let marks = read(
            &mut course,
            "@@X-IMAPbase: 1795436139 0000000007 $Work b\nX-UID: 5\nStatus: RO\nX-Keywords: B  \n\n\n\
             @@X-UID: 7   \nStatus: \nX-Status: AFTDZ\n\n\n@@X-UID: 8\n\n\n@@h: 1\n\n\n",
        );
        let all = Flags::CHANGEABLE.without(Flags::SEEN);
        assert_eq!(marks[0].uid, Some(5));
        assert_eq!((marks[0].flags, marks[0].is_old), (Flags::SEEN, true));
        assert_eq!(
            (&marks[0].keywords[..], marks[0].disorder),
            (&[1][..], Disorder::None)
        );
        assert_eq!(
            (marks[1].uid, marks[1].flags, marks[1].is_old),
            (Some(7), all, false)
        );
        assert_eq!(marks[1].strange[1], b"Z");
        // The next expected one.
        assert_eq!((marks[2].uid, marks[3].uid), (Some(8), None));
        assert_eq!(
            course.base,
            Some(Base {
                uid_validity: 1_795_436_139,
                last_uid: 7
            })
        );
        assert_eq!((course.next_uid, course.last_uid), (9, 8));
    }

    /// attacks.jsonl FS-05.
    #[test]
    fn claims_of_strangers_are_not() {
        for bad in [
            "X-IMAPbase: 4294967296 x",
            "X-IMAPbase: 0 0000000001",
            "X-IMAPbase: 7 4294967295",
            "X-IMAPbase: 7 99999999999",
            "X-IMAPbase: -7 1",
            "X-IMAPbase: 7",
            "X-IMAPbase: \u{e9} 1",
            "X-IMAP:",
        ] {
            let mut course = course(Trust::Any);
            let marks = read(&mut course, &format!("@@{bad}\nX-UID: 3\n\n\n"));
            assert_eq!((course.base, course.next_uid), (None, 1), "{bad}");
            assert_eq!((marks[0].uid, marks[0].is_pseudo), (None, false), "{bad}");
            assert_eq!(marks[0].disorder, Disorder::Untidy);
        }
        for bad in ["0", "3", "1", "4294967295", "99999999999", "x", "2 x", ""] {
            let mut course = course(Trust::Any);
            let text = format!("@@X-IMAPbase: 7 1\nX-UID: 1\n\n\n@@X-UID: {bad}\n\n\n");
            assert_eq!(read(&mut course, &text)[1].uid, None, "{bad}");
        }
        let mut course = course(Trust::Only(9));
        let marks = read(
            &mut course,
            "@@X-IMAPbase: 7 12\nX-UID: 1\nX-Keywords: a\n\n\n@@X-IMAPbase: 9 3\nX-UID: 1\n\n\n",
        );
        assert_eq!((course.base, course.next_uid), (None, 1));
        assert!(marks[0].keywords.is_empty());
        assert_eq!((marks[0].uid, marks[1].uid), (None, None));
    }

    #[test]
    fn pseudo_messages_are_none() {
        let mut course = course(Trust::Any);
        let marks = read(
            &mut course,
            "@@X-IMAP: 7 0000000002\nStatus: RO\n\nx\n\n@@X-UID: 3\n\n\n",
        );
        assert!(marks[0].is_pseudo && !marks[1].is_pseudo);
        assert_eq!(marks[1].uid, Some(3));
        assert_eq!(status_letters(Kind::XStatus, Flags::CHANGEABLE), b"AFTD");
        assert_eq!(status_letters(Kind::Status, Flags::CHANGEABLE), b"R");
    }
}
