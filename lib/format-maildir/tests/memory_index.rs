//! Indexes that have no place on disk, or whose place takes nothing: what the files say is told all the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::os::unix::fs::{PermissionsExt, lchown};
use std::sync::Arc;

use common::{Counter, Rig, content, names_in, place, save, set, view};
use format_maildir::Maildir;
use format_maildir::settings::Options;
use mailbox::{
    Access, Context, Expunges, FlagChange, Flags, Keyword, Mailbox, MailboxName, Place, Settings,
};
use sys::fs::Fs;
use sys::fs::faulty::Fault;

const OWNER: u32 = 5999;

fn without_index(rig: &Rig) -> Arc<Maildir> {
    let context = Context {
        fs: Fs::new(Arc::clone(&rig.faults) as _),
        place: Place {
            index: None,
            ..place(rig.dir())
        },
        name: MailboxName::new("INBOX").unwrap(),
        settings: Settings::default(),
        uid_validities: Arc::new(Counter::default()),
    };
    Arc::new(Maildir::new(context, Options::default()))
}

/// Does something with the rights of a user, in this thread.
fn as_user<T>(act: impl FnOnce() -> T) -> T {
    use rustix::process::Uid;
    use rustix::thread::set_thread_res_uid;
    let user = Uid::from_raw(OWNER);
    set_thread_res_uid(Uid::ROOT, user, Uid::ROOT).unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).unwrap();
    match result {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[test]
fn index_in_memory() {
    let rig = Rig::new();
    let maildir = without_index(&rig);
    save(&maildir, "a", Flags::SEEN, &["Word"]).unwrap();
    save(&maildir, "b", Flags::empty(), &[]).unwrap();
    let mut one = view(&maildir, Access::ReadWrite);
    let keyword = Keyword::new("More").unwrap();
    one.store_flags(&set(&[2]), &FlagChange::Add(Flags::FLAGGED, vec![keyword]))
        .unwrap();
    one.sync(Expunges::Show).unwrap();
    assert!(one.status().highest_modseq.unwrap().get() > 1);
    let known = content(&maildir);
    assert_eq!(known.len(), 2);
    // As the next process finds it; nothing of an index is on disk.
    assert_eq!(content(&without_index(&rig)), known);
    one.remove(&set(&[1])).unwrap();
    assert_eq!(one.sync(Expunges::Show).unwrap().len(), 1);
    let files = names_in(&rig.dir());
    assert!(!files.iter().any(|name| name.starts_with("dovecot.index")));
}

#[test]
fn a_full_disk_keeps_nobody_from_reading() {
    let rig = Rig::new();
    for text in ["a", "b"] {
        rig.save(text);
    }
    let known = rig.content();
    std::fs::write(rig.dir().join("new/1700000000.M1P1.mta"), "outside").unwrap();
    for index in ["there", "gone"] {
        if index == "gone" {
            std::fs::remove_file(rig.dir().join("dovecot.index.log")).unwrap();
        }
        rig.faults.set(Fault::Full { nth: 1 });
        let maildir = rig.other();
        let read = content(&maildir);
        assert_eq!(read, known, "{index}");
        // Once there is room, what came meanwhile is found.
        rig.faults.set(Fault::None);
        assert_eq!(content(&maildir).len(), 3, "{index}");
        let uid = *content(&maildir).last_key_value().unwrap().0;
        let gone = format_maildir::change::Removal::All;
        rig.other().remove(&set(&[uid]), gone).unwrap();
        std::fs::write(rig.dir().join("new/1700000001.M1P1.mta"), "outside").unwrap();
    }
}

/// A Maildir that somebody else may only read.
#[test]
fn a_mailbox_of_somebody_else() {
    let rig = Rig::new();
    for text in ["a", "b"] {
        rig.save(text);
    }
    let known = rig.content();
    std::fs::set_permissions(rig.home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    give(&rig.dir(), 0);
    // One since.
    std::fs::write(rig.dir().join("cur/1700000000.M1P1.mta:2,S"), "outside").unwrap();
    let first = names_in(&rig.dir().join("new"))[0].clone();
    let new = rig.dir().join("new");
    std::fs::rename(
        new.join(&first),
        rig.dir().join("cur").join(format!("{first}:2,F")),
    )
    .unwrap();
    give(&rig.dir(), 0);
    let before = names_in(&rig.dir());
    let read = as_user(|| content(&rig.other()));
    // What has no UID stays unseen.
    assert_eq!(read.len(), known.len());
    let flagged = read.values().filter(|mail| mail.1.contains(Flags::FLAGGED));
    assert_eq!(flagged.count(), 1);
    let mut theirs = as_user(|| view(&rig.other(), Access::ReadWrite));
    let change = FlagChange::Add(Flags::SEEN, vec![]);
    assert!(as_user(|| theirs.store_flags(&set(&[1]), &change)).is_err());
    assert_eq!(names_in(&rig.dir()), before);
}

/// Readable by all, writable by `owner`.
fn give(path: &std::path::Path, owner: u32) {
    lchown(path, Some(owner), Some(owner)).unwrap();
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), owner);
        }
    }
}
