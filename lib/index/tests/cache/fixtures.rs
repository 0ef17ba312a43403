//! What Dovecot cached is what it answered, and we would have written the same bytes.

use std::fs;
use std::path::Path;

use index::cache::parts::{decode_parts, encode_parts};
use index::cache::record::{Fields, RecordHead, RecordWriter, Shape};
use index::cache::{
    CachedMail, FieldId, FieldType, Header, HeaderLines, SentDate, Table, TableHead, decode_u32,
    decode_u64,
};
use serde_json::Value;
use testkit::Fixture;

use crate::support::{FIXTURES, Links, cache_dirs, cache_of, home, uid};

#[test]
fn every_byte_is_written_back() {
    for name in FIXTURES {
        let fixture = Fixture::unpack(name);
        let dirs = cache_dirs(&fixture);
        assert!(!dirs.is_empty(), "{name}");
        for directory in dirs {
            let bytes = fs::read(directory.join("dovecot.index.cache")).unwrap();
            assert_eq!(rewritten(&bytes), bytes, "{}", directory.display());
        }
    }
}

/// Decodes a whole file, one piece after the other, and encodes each.
fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let header = Header::decode_any(bytes).unwrap();
    let mut out = header.encode().to_vec();
    let tables = tables(bytes, header.fields_offset as usize);
    let last = Table::decode(&bytes[*tables.last().unwrap()..]).unwrap();
    let shapes = shapes(&last);
    while out.len() < bytes.len() {
        let rest = &bytes[out.len()..];
        if tables.contains(&out.len()) {
            out.extend(Table::decode(rest).unwrap().encode());
            continue;
        }
        let head = RecordHead::decode(rest).unwrap();
        let body = &rest[RecordHead::SIZE..head.size as usize];
        let mut writer = RecordWriter::new(head.prev_offset);
        for field in Fields::of(body, &shapes) {
            let (shape, range) = field.unwrap();
            let place = shapes.iter().position(|known| *known == shape).unwrap();
            let value = &body[range];
            check_value(&last.entries[place].name, last.entries[place].kind, value);
            writer.add(u32::try_from(place).unwrap(), shape.fixed_size, value);
        }
        out.extend(writer.finish());
    }
    out
}

/// Where the tables are.
fn tables(bytes: &[u8], first: usize) -> Vec<usize> {
    let mut found = vec![first];
    loop {
        let head = TableHead::decode(&bytes[*found.last().unwrap()..]).unwrap();
        if head.next_offset == 0 {
            return found;
        }
        found.push(head.next_offset as usize);
    }
}

/// Places stand for themselves: `FieldId`s of these tests are those of the known fields, and
/// others are told apart by an id that nobody else has.
fn shapes(table: &Table) -> Vec<Shape> {
    let directory = tempfile::tempdir().unwrap();
    let cache = crate::support::open(&directory.path().join("none"), 1);
    let shape = |entry: &index::cache::TableEntry| Shape {
        id: cache
            .field(std::str::from_utf8(&entry.name).unwrap())
            .unwrap(),
        fixed_size: (entry.size != u32::MAX).then_some(entry.size),
    };
    table.entries.iter().map(shape).collect()
}

/// Values with an inner form go both ways, too.
fn check_value(name: &[u8], kind: FieldType, value: &[u8]) {
    if kind == FieldType::Header {
        assert_eq!(HeaderLines::decode(value).unwrap().encode(), value);
    } else if name == b"mime.parts" {
        assert_eq!(encode_parts(&decode_parts(value).unwrap()), value);
    } else if name == b"date.sent" {
        assert_eq!(SentDate::decode(value).unwrap().encode(), value);
    }
}

#[test]
fn values_are_what_dovecot_answered() {
    let mut agreed = Agreed::default();
    for name in FIXTURES {
        let fixture = Fixture::unpack(name);
        let expected = fixture.expected();
        for directory in cache_dirs(&fixture) {
            let relative = directory.strip_prefix(home(&fixture)).unwrap();
            let Some(answers) = answers_for(&expected, name, relative) else {
                continue;
            };
            let links = Links::of_index(&directory);
            let cache = cache_of(&directory, &links);
            let mut reader = cache.reader(links.reset_id).unwrap();
            let mut mail = CachedMail::default();
            for message in answers["messages"].as_array().unwrap() {
                let number = u32::try_from(message["uid"].as_u64().unwrap()).unwrap();
                let link = links.of.get(&number).copied().filter(|link| *link != 0);
                reader.read(link, &mut mail);
                assert_eq!(
                    mail.is_empty(),
                    link.is_none(),
                    "{directory:?} {}",
                    uid(number)
                );
                agreed.check(&mail, message);
            }
        }
    }
    println!("{agreed:?}");
    assert!(
        agreed.sizes > 100 && agreed.guids > 20 && agreed.saved > 20,
        "{agreed:?}"
    );
    assert!(agreed.received > 50 && agreed.parts > 100, "{agreed:?}");
}

/// How many values of each kind were compared.
#[derive(Debug, Default)]
struct Agreed {
    sizes: u32,
    guids: u32,
    saved: u32,
    received: u32,
    parts: u32,
}

impl Agreed {
    fn check(&mut self, mail: &CachedMail, message: &Value) {
        if let Some(size) = mail.get(FieldId::SIZE_VIRTUAL) {
            assert_eq!(decode_u64(size), message["size"].as_u64());
            self.sizes += 1;
        }
        if let Some(guid) = mail.get(FieldId::GUID) {
            assert_eq!(guid, message["guid"].as_str().unwrap().as_bytes());
            self.guids += 1;
        }
        if let Some(saved) = mail.get(FieldId::DATE_SAVE) {
            assert_eq!(decode_u32(saved).unwrap(), seconds(&message["savedate"]));
            self.saved += 1;
        }
        if let Some(received) = mail.get(FieldId::DATE_RECEIVED) {
            let answered = seconds(&message["internaldate"]);
            assert_eq!(decode_u32(received).unwrap(), answered);
            self.received += 1;
        }
        if let Some(parts) = mail.get(FieldId::MIME_PARTS) {
            let root = decode_parts(parts).unwrap()[0];
            let size = root.header_virtual + root.body_virtual;
            assert_eq!(Some(size), message["size"].as_u64());
            self.sizes += 1;
            self.parts += 1;
        }
    }
}

/// `dd-Mon-yyyy hh:mm:ss +0000`, as Dovecot answered throughout.
fn seconds(date: &Value) -> u32 {
    let text = date.as_str().unwrap();
    let (text, zone) = text.rsplit_once(' ').unwrap();
    assert_eq!(zone, "+0000");
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = u32::try_from(months.find(&text[3..6]).unwrap() / 3).unwrap();
    let number = |range: std::ops::Range<usize>| text[range].trim().parse::<u32>().unwrap();
    let year = number(7..11);
    let is_leap = |year: u32| year.is_multiple_of(4);
    let long = [
        31,
        if is_leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days: u32 = (1970..year)
        .map(|year| 365 + u32::from(is_leap(year)))
        .sum();
    let days = days + long[..month as usize].iter().sum::<u32>() + number(0..2) - 1;
    days * 86_400 + number(12..14) * 3600 + number(15..17) * 60 + number(18..20)
}

/// The answers about the mailbox whose index is in a directory.
fn answers_for<'a>(expected: &'a Value, fixture: &str, directory: &Path) -> Option<&'a Value> {
    let path = directory.to_str().unwrap();
    let mailboxes = &expected["mailboxes"];
    if fixture == "mdboxindex" {
        let guid = directory.file_name().unwrap().to_str().unwrap();
        let mut all = mailboxes.as_object().unwrap().values();
        return all.find(|mailbox| mailbox["status"]["X-GUID"] == guid);
    }
    let path = path.split_once('/').map_or("", |(_, below)| below);
    let name = match fixture {
        "maildir" | "maildirrot" => path.trim_start_matches('.').replace('.', "/"),
        "mbox" | "mboxbare" => path.replace(".imap/", ""),
        _ => path
            .trim_start_matches("mailboxes/")
            .replace("/dbox-Mails", ""),
    };
    let name = if name.is_empty() { "INBOX" } else { &name };
    mailboxes.get(name)
}
