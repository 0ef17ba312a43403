//! What Dovecot wrote is read as Dovecot reads it, and written back byte for byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use common::{Fixture, sha256, with_crlf};
use compress::{Encoding, Method};
use dbox::{AttachmentDir, BodyFormat, DboxFile, Message, MessageHeader, Writer, scan};
use mailbox::LineEnds;
use sys::fs::{Fs, How};

/// Mailbox GUIDs of the attachments' names: whichever fits.
fn attachments(fixture: &Fixture, file: &Path, message: &Message) -> Option<AttachmentDir> {
    let refs = message.attachments().unwrap();
    let first = refs.first()?;
    let dir = fixture.dir().join("sdboxattach/attachments");
    let uid = file.extension().unwrap().to_str().unwrap();
    let wanted = first.path.rsplit('/').next().unwrap();
    let parent = dir.join(Path::new(&first.path).parent().unwrap());
    let names = std::fs::read_dir(parent).unwrap();
    let suffix = names.into_iter().find_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let rest = name.strip_prefix(wanted)?.to_owned();
        rest.ends_with(&format!("-{uid}")).then_some(rest)
    });
    Some(AttachmentDir::with_suffix(Fs::real(), dir, suffix.unwrap()))
}

fn check(name: &str, least: usize) {
    let fixture = Fixture::unpack(name);
    let expected = fixture.messages();
    let mut read = 0;
    for path in fixture.files() {
        let bytes = std::fs::read(&path).unwrap();
        let mut file = DboxFile::open(&Fs::real(), &path).unwrap();
        let mut again = file.header().encode();
        for piece in scan::pieces(&mut file).unwrap() {
            let scan::Piece::Whole(message) = piece else {
                panic!("{piece:?} in {}", path.display());
            };
            let guid = String::from_utf8(message.guid().unwrap().to_vec()).unwrap();
            if let Some((hash, size, date)) = expected.get(&guid) {
                let dir = attachments(&fixture, &path, &message);
                let mut body = file.body(&message, dir.as_ref()).unwrap();
                let mut plain = Vec::new();
                body.read_to_end(&mut plain).unwrap();
                assert_eq!(plain.len() as u64, message.plain_size());
                assert_eq!(sha256(&with_crlf(&plain)), *hash, "{}", path.display());
                assert_eq!(message.virtual_size(), Some(*size));
                assert!(!date.is_empty() && message.received().is_some());
                seeks(&mut body, &plain);
                read += 1;
            }
            let mut stored = Vec::new();
            file.stored_body(&message).read_to_end(&mut stored).unwrap();
            let size = message.stored;
            again.extend_from_slice(&MessageHeader { size }.encode());
            again.extend_from_slice(&stored);
            again.extend_from_slice(&message.metadata.encode());
        }
        assert!(again == bytes, "{} is written otherwise", path.display());
    }
    assert!(read >= least, "{name}: {read}");
}

fn seeks(body: &mut dbox::Body, plain: &[u8]) {
    for at in [plain.len() / 2, 0, plain.len() - 1, plain.len() / 3] {
        body.seek(SeekFrom::Start(at as u64)).unwrap();
        let mut piece = vec![0; 100.min(plain.len() - at)];
        body.read_exact(&mut piece).unwrap();
        assert_eq!(piece, &plain[at..at + piece.len()]);
    }
    let end = body.seek(SeekFrom::End(0)).unwrap();
    assert_eq!(end, plain.len() as u64);
    assert_eq!(body.read(&mut [0; 9]).unwrap(), 0);
}

#[test]
fn sdbox() {
    check("sdbox", 20);
}

#[test]
fn sdbox_with_sieve() {
    check("sdbox-sieve", 20);
}

#[test]
fn sdbox_with_attachments() {
    check("sdboxattach", 20);
}

#[test]
fn mdbox() {
    check("mdbox", 15);
}

#[test]
fn mdbox_with_alt_storage() {
    check("mdboxalt", 15);
}

#[test]
fn mdbox_with_compressed_bodies() {
    check("mdboxgz", 15);
}

#[test]
fn what_looks_compressed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&Fs::real(), dir.path(), 0o600).unwrap();
    for text in [&b"\x1f\x8b\x08 and more"[..], b"\x28\xb5\x2f\xfd"] {
        let (format, mut text) = (BodyFormat::default(), text);
        let saved = writer.save(&mut text, format, &mut |_| {}, &mut |sizes| {
            sizes.metadata(1)
        });
        assert!(matches!(saved, Err(mailbox::Error::NotPossible { .. })));
    }
}

#[test]
fn a_message_moves_between_files() {
    let fixture = Fixture::unpack("mdbox");
    let dir = tempfile::tempdir().unwrap();
    for path in fixture.files() {
        let mut file = DboxFile::open(&Fs::real(), &path).unwrap();
        let mut writer = Writer::create(&Fs::real(), dir.path(), 0o600).unwrap();
        let first = file.first_message();
        for piece in scan::pieces(&mut file).unwrap() {
            let scan::Piece::Whole(message) = piece else {
                panic!("{piece:?}");
            };
            let extent = writer.copy(&file, &message, &message.metadata).unwrap();
            assert_eq!(extent.size, message.size());
        }
        let copy = std::fs::read(writer.file().path()).unwrap();
        let original = std::fs::read(&path).unwrap();
        let first = usize::try_from(first).unwrap();
        assert_eq!(copy[16..], original[first..]);
    }
}

#[test]
fn what_we_save_reads_as_what_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&Fs::real(), dir.path(), 0o600).unwrap();
    let path = writer.file().path().to_owned();
    let long = b"Subject: long\r\n\r\n".repeat(20_000);
    let texts = [&b"Subject: x\r\n\r\nbody\r\n"[..], b"", &long, b"no end"];
    let mut extents = Vec::new();
    let formats = Method::ALL.map(|method| BodyFormat {
        line_ends: LineEnds::Lf,
        encoding: Some(Encoding::new(method, None).unwrap()),
    });
    let plain = [LineEnds::Lf, LineEnds::Crlf].map(|line_ends| BodyFormat {
        line_ends,
        encoding: None,
    });
    for format in formats.into_iter().chain(plain) {
        for text in texts {
            let extent = writer.save(&mut &*text, format, &mut |_| {}, &mut |sizes| {
                assert_eq!(sizes.virtual_size, text.len() as u64);
                let mut metadata = sizes.metadata(1_700_000_000);
                metadata.set(dbox::Key::GUID, b"0123");
                metadata
            });
            extents.push((extent.unwrap(), text));
        }
    }
    let mut file = DboxFile::open(&Fs::real(), &path).unwrap();
    for (extent, text) in &extents {
        let message = file.message(extent.offset).unwrap();
        assert_eq!(message.size(), extent.size);
        assert_eq!(message.received(), Some(1_700_000_000));
        let mut stored = Vec::new();
        let mut body = file.body(&message, None).unwrap();
        body.read_to_end(&mut stored).unwrap();
        assert_eq!(with_crlf(&stored), *text);
    }
    // Somebody else goes on, whatever the last writer left.
    let end = writer.end();
    let first = extents[0].0;
    for rest in [&b""[..], b"\0", &[0; 30], &[0; 5000], b"\x01\x02N "] {
        writer.roll_back(end).unwrap();
        writer.file().write_all_at(rest, end).unwrap();
        let known = first.offset + first.size;
        let again = Writer::append(&Fs::real(), &path, known).unwrap();
        assert_eq!(again.end(), end, "{rest:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), end);
    }
    // What is no message of ours is nobody's to remove.
    writer.file().write_all_at(b"something else", end).unwrap();
    assert!(Writer::append(&Fs::real(), &path, end).is_err());
    assert!(Writer::append(&Fs::real(), &path, end + 100).is_err());
    let file = Fs::real().open(&path, How::ReadWrite, 0).unwrap();
    assert!(file.stat().unwrap().size > end);
}
