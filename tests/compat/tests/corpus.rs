//! Real mail, and our own nasty messages: what ours says of each equals what Dovecot says of the same Maildir.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

#[path = "corpus/random.rs"]
mod random;

use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use compat::theirs::{self, UID};
use message::search::{Needle, Scope};
use message::{FieldNames, Section, What};
use testkit::{Dovecot, Imap};

/// A message as it is stored.
struct Stored {
    name: String,
    bytes: Vec<u8>,
}

/// Our own messages, with Dovecot's answers beside them.
fn nasty() -> PathBuf {
    testkit::checkout().join("lib/message/tests/data")
}

/// The corpora with both line ends, and ours.
fn messages() -> Vec<Stored> {
    let mut messages = Vec::new();
    for message in testkit::corpora() {
        let bare = String::from_utf8_lossy(&message.bytes).into_owned();
        let bare = if bare.as_bytes() == message.bytes {
            bare.replace("\r\n", "\n").into_bytes()
        } else {
            bare_lines(&message.bytes)
        };
        messages.push(Stored {
            name: format!("{} with LF", message.name),
            bytes: bare,
        });
        messages.push(Stored {
            name: message.name,
            bytes: message.bytes,
        });
    }
    let mut ours: Vec<_> = fs::read_dir(nasty())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    ours.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    ours.sort();
    messages.extend(ours.iter().map(|path| Stored {
        name: path.display().to_string(),
        bytes: fs::read(path).unwrap(),
    }));
    messages
}

fn bare_lines(bytes: &[u8]) -> Vec<u8> {
    let mut bare = Vec::new();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => bare.extend([line, b"\n"].concat()),
            None => bare.extend(line),
        }
    }
    bare
}

/// A Maildir with these messages, in this order.
fn deliver(home: &Path, messages: &[Stored]) {
    for directory in ["Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"] {
        fs::create_dir_all(home.join(directory)).unwrap();
        chown(home.join(directory), Some(UID), Some(UID)).unwrap();
    }
    chown(home, Some(UID), Some(UID)).unwrap();
    for (number, message) in messages.iter().enumerate() {
        let file = home.join(format!(
            "Maildir/cur/{}.M{number}P1.corpus:2,S",
            1_000_000_000 + number
        ));
        fs::write(&file, &message.bytes).unwrap();
        chown(&file, Some(UID), Some(UID)).unwrap();
    }
}

/// A response as testkit tells it: literals apart from the text.
#[derive(Debug, PartialEq)]
struct Answer {
    text: String,
    literals: Vec<String>,
}

impl Answer {
    fn new(text: &[u8], literals: &[Vec<u8>]) -> Self {
        let literals = literals
            .iter()
            .map(|literal| literal.escape_ascii().to_string());
        Self {
            text: String::from_utf8_lossy(text).into(),
            literals: literals.collect(),
        }
    }

    /// Takes the literals out of what is sent.
    fn parse(mut wire: &[u8]) -> Self {
        let (mut text, mut literals) = (Vec::new(), Vec::new());
        loop {
            let end = wire
                .windows(2)
                .position(|pair| pair == b"\r\n")
                .unwrap_or(wire.len());
            text.extend_from_slice(&wire[..end]);
            let line = String::from_utf8_lossy(&wire[..end]).into_owned();
            let Some(size) = line
                .strip_suffix('}')
                .and_then(|line| line.rsplit_once('{')?.1.parse::<usize>().ok())
            else {
                return Self::new(&text, &literals);
            };
            literals.push(wire[end + 2..end + 2 + size].to_vec());
            wire = &wire[end + 2 + size..];
        }
    }
}

struct Corpus {
    messages: Vec<Stored>,
    imap: Imap,
}

impl Corpus {
    /// What Dovecot answers for these items, by message.
    fn theirs(&mut self, items: &str) -> Vec<Answer> {
        let reply = self.imap.ok(&format!("FETCH 1:* ({items})"));
        let fetched = reply
            .untagged
            .iter()
            .filter(|response| response.text.contains(" FETCH ("));
        let answers: Vec<_> = fetched
            .map(|response| Answer::new(response.text.as_bytes(), &response.literals))
            .collect();
        assert_eq!(answers.len(), self.messages.len());
        answers
    }

    /// Which messages Dovecot finds, by sequence number.
    fn search(&mut self, key: &str) -> Vec<usize> {
        let reply = self.imap.ok(&format!("SEARCH CHARSET UTF-8 {key}"));
        let numbers = reply
            .find("* SEARCH")
            .text
            .split(' ')
            .skip(2)
            .map(|number| number.parse().unwrap());
        numbers.collect()
    }
}

fn structures(stored: &[u8]) -> Vec<u8> {
    let message = message::parse(stored).unwrap();
    let mut out = format!("RFC822.SIZE {} ENVELOPE ", message.size().virtual_size).into_bytes();
    message.write_envelope(&mut out).unwrap();
    out.extend(b" BODY ");
    message.write_body(&mut out).unwrap();
    out.extend(b" BODYSTRUCTURE ");
    message.write_body_structure(&mut out).unwrap();
    out
}

fn compare_structures(corpus: &mut Corpus) {
    let theirs = corpus.theirs("RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE");
    for ((number, message), theirs) in (1..).zip(&corpus.messages).zip(theirs) {
        let ours = structures(&message.bytes);
        let wire = [
            format!("* {number} FETCH (").into_bytes(),
            ours,
            b")".to_vec(),
        ]
        .concat();
        assert_eq!(Answer::parse(&wire), theirs, "{}", message.name);
    }
}

/// With RECORD=1 in the environment, Dovecot's answers are written beside our messages.
fn compare_recorded(corpus: &mut Corpus) {
    let theirs = corpus.theirs("RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE");
    for (message, theirs) in corpus.messages.iter().zip(theirs) {
        let Some(recorded) = message
            .name
            .strip_suffix(".eml")
            .filter(|_| Path::new(&message.name).starts_with(nasty()))
        else {
            continue;
        };
        let recorded = format!("{recorded}.answer");
        if std::env::var_os("RECORD").is_some() {
            // Equal by the comparison before this one.
            fs::write(&recorded, structures(&message.bytes)).unwrap();
        }
        let wire = [b"(".to_vec(), fs::read(&recorded).unwrap(), b")".to_vec()].concat();
        let text = theirs.text.split_once(" FETCH ").unwrap().1.to_owned();
        assert_eq!(
            Answer::parse(&wire),
            Answer { text, ..theirs },
            "{recorded}"
        );
    }
}

/// Sections, as they are written and as values. HEADER.FIELDS only of the message: where the header of a part ends without
/// an empty line, Dovecot answers it with what follows the part.
fn sections() -> Vec<(String, Section)> {
    let names = ["SUBJECT", "FROM", "CONTENT-TYPE", "X"];
    let mut sections = vec![
        (String::new(), Section::default()),
        (
            "HEADER".to_owned(),
            Section {
                path: vec![],
                what: What::Header,
            },
        ),
        (
            "TEXT".to_owned(),
            Section {
                path: vec![],
                what: What::Text,
            },
        ),
        (
            format!("HEADER.FIELDS ({})", names.join(" ")),
            Section {
                path: vec![],
                what: What::Fields(FieldNames::only(names)),
            },
        ),
        (
            format!("HEADER.FIELDS.NOT ({})", names.join(" ")),
            Section {
                path: vec![],
                what: What::Fields(FieldNames::not(names)),
            },
        ),
    ];
    for path in [
        "0", "1", "2", "3", "1.1", "1.2", "2.1", "2.2", "1.1.1", "1.1.2", "2.1.1", "1.1.1.1",
    ] {
        for (suffix, what) in [
            ("", What::All),
            (".MIME", What::Mime),
            (".HEADER", What::Header),
            (".TEXT", What::Text),
        ] {
            let numbers = path
                .split('.')
                .map(|number| number.parse().unwrap())
                .collect();
            sections.push((
                format!("{path}{suffix}"),
                Section {
                    path: numbers,
                    what,
                },
            ));
        }
    }
    sections
}

fn compare_sections(corpus: &mut Corpus) {
    for sections in sections().chunks(8) {
        let items: Vec<_> = sections
            .iter()
            .map(|(text, _)| format!("BODY.PEEK[{text}]"))
            .collect();
        let theirs = corpus.theirs(&items.join(" "));
        for ((number, message), theirs) in (1..).zip(&corpus.messages).zip(theirs) {
            let mut wire = format!("* {number} FETCH (").into_bytes();
            let parsed = message::parse(message.bytes.as_slice()).unwrap();
            for (index, (text, section)) in sections.iter().enumerate() {
                let mut reader = parsed
                    .section(section)
                    .open(Cursor::new(&message.bytes))
                    .unwrap();
                let space = if index == 0 { "" } else { " " };
                wire.extend(format!("{space}BODY[{text}] {{{}}}\r\n", reader.size()).bytes());
                reader.read_to_end(&mut wire).unwrap();
            }
            wire.push(b')');
            assert_eq!(Answer::parse(&wire), theirs, "{}", message.name);
        }
    }
}

fn compare_pieces(corpus: &mut Corpus) {
    for (section, what) in [
        ("", What::All),
        ("TEXT", What::Text),
        ("HEADER", What::Header),
    ] {
        for (offset, len) in [(0, 10), (5, 1), (7, 100), (100, 300), (100_000_000, 5)] {
            let theirs = corpus.theirs(&format!("BODY.PEEK[{section}]<{offset}.{len}>"));
            for ((number, message), theirs) in (1..).zip(&corpus.messages).zip(theirs) {
                let parsed = message::parse(message.bytes.as_slice()).unwrap();
                let found = parsed.section(&Section {
                    path: vec![],
                    what: what.clone(),
                });
                let mut reader = found.open(Cursor::new(&message.bytes)).unwrap();
                let mut piece = Vec::new();
                reader.skip_to(offset).unwrap();
                reader.take(len).read_to_end(&mut piece).unwrap();
                let wire = format!(
                    "* {number} FETCH (BODY[{section}]<{offset}> {{{}}}\r\n",
                    piece.len()
                )
                .into_bytes();
                let wire = [wire, piece, b")".to_vec()].concat();
                assert_eq!(Answer::parse(&wire), theirs, "{}", message.name);
            }
        }
    }
}

fn compare_searches(corpus: &mut Corpus) {
    let words = [
        "the",
        "CONTENT",
        "boundary",
        "é",
        "cafe",
        "subject: re",
        "hello world",
        "日本",
        "multipart",
        "=?",
        "Grüße",
        "xyzzy",
    ];
    for word in words {
        let literal = format!("{{{}+}}\r\n{word}", word.len());
        let needle = [Needle::new(word)];
        for (key, scope) in [
            ("BODY", Some(Scope::Body)),
            ("TEXT", Some(Scope::Text)),
            ("SUBJECT", None),
        ] {
            let theirs = corpus.search(&format!("{key} {literal}"));
            let found = |stored: &[u8]| match scope {
                Some(scope) => {
                    let parsed = message::parse(stored).unwrap();
                    message::search::find(Cursor::new(stored), &parsed, scope, &needle).unwrap()[0]
                }
                None => {
                    let is_subject = |name: &[u8]| name.eq_ignore_ascii_case(b"subject");
                    message::field::read(stored, is_subject)
                        .unwrap()
                        .iter()
                        .any(|field| needle[0].is_in_field(&field.value))
                }
            };
            for (number, message) in (1..).zip(&corpus.messages) {
                assert_eq!(
                    found(&message.bytes),
                    theirs.contains(&number),
                    "{key} {word} in {}",
                    message.name
                );
            }
        }
    }
}

/// SENTON of the day that we read in the Date field; none is the first of all days.
fn compare_dates(corpus: &mut Corpus) {
    let days: Vec<_> = corpus
        .messages
        .iter()
        .map(|message| {
            let dates = message::field::read(message.bytes.as_slice(), |name| {
                name.eq_ignore_ascii_case(b"date")
            })
            .unwrap();
            let date = dates
                .first()
                .and_then(|field| message::date::parse(&field.value));
            date.map_or(0, message::date::Date::local_day)
        })
        .collect();
    for year in [1970, 1997, 2001, 2007, 2011, 2020] {
        let first = message::date::day_number(year, 1, 1);
        let theirs = corpus.search(&format!("SENTSINCE 2-Jan-{year}"));
        for ((number, message), day) in (1..).zip(&corpus.messages).zip(&days) {
            assert_eq!(
                *day > first,
                theirs.contains(&number),
                "{year} in {}",
                message.name
            );
        }
    }
}

/// Dovecot in a machine with these messages in the INBOX.
struct Oracle {
    corpus: Corpus,
    _dovecot: Dovecot,
    _share: tempfile::TempDir,
}

impl Oracle {
    fn boot(messages: Vec<Stored>) -> Self {
        let share = tempfile::tempdir().unwrap();
        deliver(&share.path().join("corpus"), &messages);
        let dovecot = Dovecot::boot_sharing(&theirs::settings("maildir:~/Maildir"), share.path());
        let mut imap = theirs::login(&dovecot, "corpus");
        imap.ok("SELECT INBOX");
        Self {
            corpus: Corpus { messages, imap },
            _dovecot: dovecot,
            _share: share,
        }
    }
}

#[test]
fn every_answer_is_dovecot_s() {
    let mut oracle = Oracle::boot(messages());
    let corpus = &mut oracle.corpus;
    compare_structures(corpus);
    compare_recorded(corpus);
    compare_sections(corpus);
    compare_pieces(corpus);
    compare_searches(corpus);
    compare_dates(corpus);
}

/// COMPAT_SEED and COMPAT_MESSAGES choose others.
#[test]
fn random_messages_too() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |value| value.parse().unwrap())
    };
    let (seed, count) = (number("COMPAT_SEED", 1), number("COMPAT_MESSAGES", 3000));
    println!("COMPAT_SEED={seed} COMPAT_MESSAGES={count}");
    let mut dice = random::Dice::new(seed);
    let messages = (0..count).map(|_| random::message(&mut dice));
    let stored = messages.map(|bytes| Stored {
        name: format!("\"{}\"", bytes.escape_ascii()),
        bytes,
    });
    compare_structures(&mut Oracle::boot(stored.collect()).corpus);
}
