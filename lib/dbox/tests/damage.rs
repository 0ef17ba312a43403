//! Every truncation and every changed byte of dbox files: no panic, no wrong body, and scanning finds
//! what is left.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::Fixture;
use dbox::{AttachmentDir, DboxFile, scan};
use sys::fs::Fs;

/// Bodies by GUID of a whole file.
fn bodies(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut file = DboxFile::open(&Fs::real(), path).unwrap();
    let pieces = scan::pieces(&mut file).unwrap();
    let whole = pieces.into_iter().map(|piece| match piece {
        scan::Piece::Whole(message) => {
            let mut body = Vec::new();
            let mut stored = file.stored_body(&message);
            stored.read_to_end(&mut body).unwrap();
            (message.guid().unwrap().to_vec(), body)
        }
        other => panic!("{other:?}"),
    });
    whole.collect()
}

/// A file with three short messages and a long one.
fn sample(dir: &Path) -> PathBuf {
    let mut writer = dbox::Writer::create(&Fs::real(), dir, 0o600).unwrap();
    let long = b"long\n".repeat(4000);
    for (guid, text) in [
        (b"aaaa", &b"Subject: a\n\none\n"[..]),
        (
            b"bbbb",
            b"Subject: b\n\nhas \n\x01\x03\n and \n\n\x01\x02N within\n",
        ),
        (b"cccc", b""),
        (b"dddd", &long),
    ] {
        let mut text = text;
        let save = writer.save(
            &mut text,
            dbox::BodyFormat::default(),
            &mut |_| {},
            &mut |sizes| {
                let mut metadata = sizes.metadata(1);
                metadata.set(dbox::Key::GUID, guid);
                metadata
            },
        );
        save.unwrap();
    }
    writer.file().path().to_owned()
}

/// Is its frame whole, its GUID, its body.
type Left = (bool, Vec<u8>, Vec<u8>);

/// What a damaged copy still has: bodies of frames that are whole, and of salvaged ones.
fn left(path: &Path) -> Option<Vec<Left>> {
    let mut file = DboxFile::open(&Fs::real(), path).ok()?;
    let pieces = scan::pieces(&mut file).unwrap();
    let size = std::fs::metadata(path).unwrap().len();
    let mut at = file.first_message();
    let mut found = Vec::new();
    for piece in pieces {
        let (is_whole, message) = match piece {
            scan::Piece::Whole(message) => (true, message),
            scan::Piece::Salvaged(message) => (false, message),
            scan::Piece::Garbage { from, to } => {
                assert_eq!(from, at);
                at = to;
                continue;
            }
        };
        assert_eq!(message.offset, at, "pieces tile the file");
        at = message.end;
        let mut body = Vec::new();
        let mut stored = file.stored_body(&message);
        stored.read_to_end(&mut body).unwrap();
        let guid = message.guid().unwrap_or_default().to_vec();
        found.push((is_whole, guid, body));
    }
    assert_eq!(at, size, "pieces tile the file");
    Some(found)
}

#[test]
fn truncations() {
    let dir = tempfile::tempdir().unwrap();
    let path = sample(dir.path());
    let whole = bodies(&path);
    let bytes = std::fs::read(&path).unwrap();
    let cut = dir.path().join("cut");
    for len in (0..bytes.len()).filter(|len| *len < 700 || *len % 61 == 0 || len + 90 > bytes.len())
    {
        std::fs::write(&cut, &bytes[..len]).unwrap();
        let Some(found) = left(&cut) else {
            assert!(len < 16);
            continue;
        };
        // Salvaged: all but the end of the metadata is there.
        for (n, (_, guid, body)) in found.iter().enumerate() {
            assert!(*body == whole[n].1, "{len}");
            assert!(whole[n].0.starts_with(guid), "{len}");
        }
        if let Some((_, all)) = found.split_last() {
            for (is_whole, guid, _) in all {
                assert!(*is_whole && guid.len() == 4, "{len}");
            }
        }
    }
}

#[test]
fn changed_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = sample(dir.path());
    let whole = bodies(&path);
    let bytes = std::fs::read(&path).unwrap();
    let changed = dir.path().join("changed");
    let known: BTreeSet<&[u8]> = whole.iter().map(|(guid, _)| guid.as_slice()).collect();
    for at in (0..bytes.len()).filter(|at| *at < 600 || *at % 97 == 0 || at + 90 > bytes.len()) {
        for bit in [0x01, 0x20, 0x80] {
            let mut copy = bytes.clone();
            copy[at] ^= bit;
            std::fs::write(&changed, &copy).unwrap();
            let Some(found) = left(&changed) else {
                assert!(at < 16, "{at}");
                continue;
            };
            // At most the message that was hit is lost or other than it was.
            let other = found
                .iter()
                .filter(|(_, guid, body)| !whole.iter().any(|(g, b)| g == guid && b == body));
            assert!(other.count() <= 1, "{at} {bit}");
            let right = found.iter().filter(|(_, guid, body)| {
                known.contains(&**guid) && whole.iter().any(|(g, b)| g == guid && b == body)
            });
            assert!(right.count() + 1 >= whole.len(), "{at} {bit}");
        }
    }
}

/// One message, as sdbox has it: a wrong size is never another body.
#[test]
fn no_wrong_body() {
    let fixture = Fixture::unpack("sdbox");
    for path in fixture.files().into_iter().take(6) {
        let bytes = std::fs::read(&path).unwrap();
        let whole = bodies(&path);
        let (_, body) = &whole[0];
        let body_at = 46..46 + body.len();
        let changed = fixture.dir().join("changed");
        for at in (0..bytes.len()).filter(|at| *at < 60 || *at + 100 > bytes.len()) {
            for bit in [0x01, 0x04, 0x80] {
                let mut copy = bytes.clone();
                copy[at] ^= bit;
                std::fs::write(&changed, &copy).unwrap();
                let Ok(mut file) = DboxFile::open(&Fs::real(), &changed) else {
                    continue;
                };
                let Ok(message) = file.only_message() else {
                    continue;
                };
                let mut read = Vec::new();
                if file.stored_body(&message).read_to_end(&mut read).is_ok()
                    && !body_at.contains(&at)
                {
                    assert!(read == *body, "{} {at} {bit}", path.display());
                }
            }
        }
    }
}

/// A message with an attachment out of line: other metadata never make another message of it.
#[test]
fn no_wrong_attachment() {
    let fixture = Fixture::unpack("sdboxattach");
    let home = fixture.dir().join("sdboxattach");
    let path = home.join("sdbox/mailboxes/INBOX/dbox-Mails/u.3");
    let suffix = "-18e3e6319b32046b9549000083ecc375-3".to_owned();
    let dir = AttachmentDir::with_suffix(Fs::real(), home.join("attachments"), suffix);
    let read = |path: &Path| -> Option<Vec<u8>> {
        let mut file = DboxFile::open(&Fs::real(), path).ok()?;
        let message = file.only_message().ok()?;
        let mut whole = Vec::new();
        let mut body = file.body(&message, Some(&dir)).ok()?;
        body.read_to_end(&mut whole).ok()?;
        Some(whole)
    };
    let whole = read(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let metadata = bytes.len() - 150;
    let changed = fixture.dir().join("changed");
    let (mut same, mut refused) = (0, 0);
    for at in metadata..bytes.len() {
        for bits in [1, 2, 3, 5, 7, 0x0f, 0x10, 0x20, 0x40, 0x50, 0x80, 0xff_u8] {
            let mut copy = bytes.clone();
            copy[at] ^= bits;
            std::fs::write(&changed, &copy).unwrap();
            match read(&changed) {
                Some(read) if read == whole => same += 1,
                Some(_) => panic!(
                    "{at} {bits}: {:?}",
                    String::from_utf8_lossy(&copy[metadata..])
                ),
                None => refused += 1,
            }
        }
    }
    assert!(same > 100 && refused > 100, "{same} {refused}");
}
