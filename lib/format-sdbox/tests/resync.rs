//! After damage: UIDs, UIDVALIDITY, GUID and flags stay wherever a copy of them is left, nothing is
//! deleted, and a second look finds nothing to do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::fs;

use common::{Fixture, Rig, content, save, set, uid, view};
use format_sdbox::Sdbox;
use format_sdbox::rebuild::{Mode, Repair};
use mailbox::{Access, Error, Flags, Seq, StoredMailbox};
use std::sync::Arc;

fn rig() -> Rig {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    for n in 1..=5 {
        let flags = if n == 2 { Flags::SEEN } else { Flags::FLAGGED };
        save(
            &sdbox,
            &format!("Subject: {n}\n\nbody\n"),
            flags,
            &["k", &format!("k{n}")],
        )
        .unwrap();
    }
    view(&sdbox, Access::ReadWrite).remove(&set(&[4])).unwrap();
    rig
}

fn repair(rig: &Rig) -> Vec<Repair> {
    let before = rig.content_names();
    let planned = rig.sdbox().resync(Mode::DryRun).unwrap();
    assert_eq!(rig.content_names(), before, "a dry run changes nothing");
    let done = rig.sdbox().resync(Mode::Repair).unwrap();
    assert_eq!(planned, done);
    assert!(rig.sdbox().resync(Mode::DryRun).unwrap().is_empty());
    done
}

impl Rig {
    /// Files with their bytes, the index among them.
    fn content_names(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect();
        files.sort();
        files
    }

    fn quarantined(&self) -> usize {
        let files = self.files();
        files
            .iter()
            .filter(|name| name.starts_with(".quarantine."))
            .count()
    }
}

#[test]
fn a_healthy_mailbox_needs_nothing() {
    let rig = rig();
    assert!(repair(&rig).is_empty());
    for name in ["sdbox", "sdboxattach", "sdbox-sieve"] {
        let fixture = Fixture::unpack(name);
        for (mailbox, _) in fixture.mailboxes() {
            let found = fixture.sdbox(&mailbox).resync(Mode::DryRun).unwrap();
            assert!(found.is_empty(), "{name} {mailbox}: {found:?}");
        }
    }
}

#[test]
fn a_lost_file_is_a_lost_message() {
    let rig = rig();
    let before = rig.content();
    fs::remove_file(rig.path().join("u.2")).unwrap();
    assert_eq!(repair(&rig), [Repair::Dropped { uid: uid(2) }]);
    let mut wanted = before;
    wanted.remove(&2);
    assert_eq!(rig.content(), wanted);
    assert_eq!(rig.sdbox().status().unwrap().uid_next, uid(6));
}

#[test]
fn files_that_nobody_knows_become_messages() {
    let rig = rig();
    let before = rig.content();
    fs::copy(rig.path().join("u.1"), rig.path().join("u.17")).unwrap();
    fs::write(rig.path().join("u.20"), "no message at all").unwrap();
    let done = repair(&rig);
    assert_eq!(done[0], Repair::Adopted { uid: uid(17) });
    assert!(
        matches!(&done[1], Repair::Quarantined { uid: u, .. } if *u == uid(20)),
        "{done:?}"
    );
    let after = rig.content();
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after[&17].0, before[&1].0);
    assert_eq!(rig.quarantined(), 1);
    assert_eq!(rig.sdbox().status().unwrap().uid_next, uid(18));
}

#[test]
fn expunged_messages_stay_expunged() {
    let rig = rig();
    let before = rig.content();
    fs::copy(rig.path().join("u.1"), rig.path().join("u.4")).unwrap();
    let done = repair(&rig);
    assert!(
        matches!(&done[..], [Repair::Quarantined { .. }]),
        "{done:?}"
    );
    assert_eq!(rig.content(), before);
    assert_eq!(rig.quarantined(), 1);
}

#[test]
fn damaged_files_are_mended_if_that_is_possible() {
    let rig = rig();
    let before = rig.content();
    // The size in the message header, and the end of the metadata.
    let (first, third) = (rig.path().join("u.1"), rig.path().join("u.3"));
    let mut bytes = fs::read(&first).unwrap();
    bytes[40] ^= 0x40;
    fs::write(&first, &bytes).unwrap();
    let bytes = fs::read(&third).unwrap();
    fs::write(&third, &bytes[..bytes.len() - 1]).unwrap();
    fs::write(rig.path().join("u.5"), b"").unwrap();
    let second = rig.path().join("u.2");
    let mut bytes = fs::read(&second).unwrap();
    bytes.extend(b"something else");
    fs::write(&second, &bytes).unwrap();
    let done = repair(&rig);
    assert_eq!(done.len(), 4, "{done:?}");
    let mended = done.iter().filter(|r| matches!(r, Repair::Mended { .. }));
    assert_eq!(mended.count(), 3);
    let mut wanted = before;
    wanted.remove(&5);
    assert_eq!(rig.content(), wanted);
    assert_eq!(rig.quarantined(), 4);
}

#[test]
fn messages_come_back_under_their_uids() {
    let rig = rig();
    let before = rig.content();
    let (guid, status) = (rig.sdbox().guid().unwrap(), rig.sdbox().status().unwrap());
    // The index forgets message 2, and messages come after.
    let kept = fs::read(rig.path().join("u.2")).unwrap();
    view(&rig.sdbox(), Access::ReadWrite)
        .remove(&set(&[2]))
        .unwrap();
    forget_logs(&rig);
    fs::write(rig.path().join("u.2"), kept).unwrap();
    let done = repair(&rig);
    assert_eq!(done, [Repair::Adopted { uid: uid(2) }]);
    let mut wanted = before;
    let second = wanted.get_mut(&2).unwrap();
    (second.1, second.2) = (Flags::empty(), Vec::new());
    assert_eq!(rig.content(), wanted);
    let now = rig.sdbox().status().unwrap();
    assert_eq!(rig.sdbox().guid().unwrap(), guid);
    assert_eq!(
        (now.uid_validity, now.uid_next),
        (status.uid_validity, status.uid_next)
    );
    assert!(now.highest_modseq > status.highest_modseq);
    let appended = save(&rig.sdbox(), "later\n", Flags::empty(), &["k"]).unwrap();
    assert_eq!(appended.uids, [uid(6)]);
}

/// Reads every message: the first one who misses a file has it repaired.
fn look(sdbox: &Arc<Sdbox>) {
    let mut view = view(sdbox, Access::ReadWrite);
    for seq in (1..=view.len()).filter_map(Seq::new) {
        match view.mail(seq).unwrap().body().map(drop) {
            Ok(()) | Err(Error::Expunged) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Rotates the logs until none tells of an expunge any more.
fn forget_logs(rig: &Rig) {
    let options = index::Options {
        thresholds: index::Thresholds {
            rewrite_min: 0,
            rewrite_max: 0,
            rotate_min: 0,
            rotate_max: 0,
            rotate_age: 0,
            log2_age: 0,
        },
        backup: index::Backup::Keep,
        ..index::Options::mailbox(&mailbox::Settings::default())
    };
    let index = index::Index::open(&sys::fs::Fs::real(), &rig.path(), options).unwrap();
    for _ in 0..3 {
        let mut sync = index.begin_sync().unwrap();
        let mut transaction = index::Transaction::external();
        transaction.update_modseq(0, 1);
        sync.commit(&transaction).unwrap();
        sync.finish().unwrap();
    }
    assert!(index.expunged_in_logs().unwrap().is_empty());
}

#[test]
fn without_an_index_the_files_are_the_mailbox() {
    let rig = rig();
    let before = rig.content();
    for name in [
        "dovecot.index",
        "dovecot.index.log",
        "dovecot.index.log.2",
        "dovecot.index.backup",
    ] {
        let _ = fs::remove_file(rig.path().join(name));
    }
    let after = rig.content();
    assert_eq!(after.len(), before.len());
    for (uid, (body, ..)) in &before {
        assert_eq!(after[uid].0, *body);
    }
    assert_eq!(rig.sdbox().status().unwrap().uid_next, uid(6));
    assert!(repair(&rig).is_empty());
}

#[test]
fn a_backup_of_the_index_is_used() {
    let rig = rig();
    forget_logs(&rig);
    let before = rig.content();
    let (guid, status) = (rig.sdbox().guid().unwrap(), rig.sdbox().status().unwrap());
    assert!(rig.path().join("dovecot.index.backup").exists());
    let late = save(&rig.sdbox(), "Subject: late\n\nbody\n", Flags::SEEN, &[]).unwrap();
    for name in ["dovecot.index", "dovecot.index.log", "dovecot.index.log.2"] {
        let _ = fs::remove_file(rig.path().join(name));
    }
    let mut wanted = before;
    let body = b"Subject: late\n\nbody\n".to_vec();
    wanted.insert(late.uids[0].get(), (body, Flags::empty(), Vec::new()));
    assert_eq!(rig.content(), wanted);
    assert_eq!(rig.sdbox().guid().unwrap(), guid);
    let now = rig.sdbox().status().unwrap();
    assert_eq!(now.uid_validity, status.uid_validity);
    assert_eq!(now.uid_next, uid(7));
    assert!(repair(&rig).is_empty());
}

/// Any byte of any file of the index is other than it was, or missing: the same messages.
#[test]
fn damaged_indexes() {
    let rig = rig();
    let before = rig.content();
    forget_logs(&rig);
    let sdbox = rig.sdbox();
    save(&sdbox, "Subject: 6\n\nbody\n", Flags::SEEN, &["k"]).unwrap();
    drop(sdbox);
    let whole: Vec<_> = rig.content_names();
    let now = rig.content();
    assert_eq!(now.len(), before.len() + 1);
    let names = ["dovecot.index", "dovecot.index.log"];
    for (name, bytes) in whole
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
    {
        let path = rig.path().join(name);
        let restore = || {
            fs::remove_dir_all(rig.path()).unwrap();
            fs::create_dir_all(rig.path()).unwrap();
            for (name, bytes) in &whole {
                fs::write(rig.path().join(name), bytes).unwrap();
            }
        };
        let sizes = match name.as_str() {
            "dovecot.index.log" => sizes_of_records(bytes),
            _ => Vec::new(),
        };
        for at in 0..bytes.len() {
            let flip = if at % 2 == 0 { 0x01 } else { 0x80 };
            let all = [Some(flip), (at % 5 == 0).then_some(0xff), None];
            let some = if at % 3 == 0 { &all[..] } else { &all[..1] };
            for change in some.iter().copied() {
                restore();
                if at == 0 {
                    println!("{name} {bytes:02x?}");
                }
                let mut copy = bytes.clone();
                match change {
                    Some(bits) => copy[at] ^= bits,
                    None => copy.truncate(at),
                }
                fs::write(&path, &copy).unwrap();
                let sdbox = rig.sdbox();
                look(&sdbox);
                let after = content(&sdbox);
                let bodies = |content: &common::Content| -> Vec<(u32, Vec<u8>)> {
                    content
                        .iter()
                        .map(|(uid, mail)| (*uid, mail.0.clone()))
                        .collect()
                };
                let what = format!("{name} {at} {change:?}");
                let (is, was) = (bodies(&after), bodies(&now));
                // The end of the log may be a transaction that nobody finished: its message is not
                // there, but its file is, until somebody asks for it.
                if is != was {
                    assert!(name == "dovecot.index.log", "{what}");
                    assert_eq!(is, was[..was.len() - 1], "{what}");
                    rig.sdbox().resync(Mode::Repair).unwrap();
                    assert_eq!(bodies(&rig.content()), was, "{what}");
                    let cut = change.is_none();
                    assert!(cut || sizes.iter().any(|size| size.contains(&at)), "{what}");
                    continue;
                }
                assert!(rig.sdbox().status().unwrap().messages >= 4, "{what}");
                assert_eq!(rig.content(), after, "{what}: stays");
                save(&sdbox, "later\n", Flags::empty(), &[]).unwrap();
                assert_eq!(rig.content().len(), after.len() + 1, "{what}");
            }
        }
    }
}

/// Where a log says how long its records and transactions are.
fn sizes_of_records(log: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut sizes = Vec::new();
    for record in index::log::Walk::new(&log[40..], 40) {
        let at = usize::try_from(record.offset).unwrap();
        sizes.push(at..at + 4);
        if record.kind == index::log::record::kind::BOUNDARY {
            sizes.push(at + 8..at + 12);
        }
    }
    sizes
}
