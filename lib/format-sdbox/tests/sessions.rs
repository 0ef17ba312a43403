//! What sessions do with a mailbox, and what other sessions see of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Rig, all, content, name, save, set, uid, view};
use dbox::Place;
use format_sdbox::rebuild::Mode;
use mailbox::{
    Access, Change, Error, Expunges, FlagChange, Flags, Keyword, Mailbox, NewMail, Seq,
    StoredMailbox,
};

fn keyword(name: &str) -> Keyword {
    Keyword::new(name).unwrap()
}

#[test]
fn a_new_mailbox_is_empty_and_stays_what_it_is() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    assert!(sdbox.exists().unwrap());
    let (guid, status) = (sdbox.guid().unwrap(), sdbox.status().unwrap());
    assert_eq!((status.messages, status.uid_next), (0, uid(1)));
    sdbox.create().unwrap();
    assert_eq!(rig.sdbox().guid().unwrap(), guid);
    assert_eq!(rig.sdbox().status().unwrap(), status);
    assert!(rig.sdbox().resync(Mode::DryRun).unwrap().is_empty());
}

#[test]
fn saved_messages_are_there_for_everybody() {
    let rig = Rig::new();
    let (one, two) = (rig.sdbox(), rig.sdbox());
    let mut watching = view(&two, Access::ReadWrite);
    save(
        &one,
        "Subject: a\r\n\r\none\r\n",
        Flags::SEEN,
        &["Work", "$Label1"],
    )
    .unwrap();
    let appended = save(&one, "two\r\n", Flags::empty(), &["work"]).unwrap();
    assert_eq!(appended.uids, [uid(2)]);
    let changes = watching.sync(Expunges::Show).unwrap();
    assert_eq!(
        changes,
        [Change::Grown {
            messages: 2,
            recent: 2
        }]
    );
    assert_eq!(watching.keywords(), [keyword("Work"), keyword("$Label1")]);
    let seen = content(&two);
    assert_eq!(seen[&1].0, b"Subject: a\n\none\n");
    assert_eq!(seen[&1].1, Flags::SEEN);
    assert_eq!(seen[&1].2, ["Work", "$Label1"]);
    assert_eq!(seen[&2].2, ["Work"]);
    assert_eq!(rig.files(), ["u.1", "u.2"]);
    // Whoever comes later has no recent messages.
    assert_eq!(view(&one, Access::ReadWrite).status().recent, 0);
    let mut mail = watching.mail(Seq::MIN).unwrap();
    assert_eq!(mail.size().unwrap(), 19);
    assert_eq!(mail.guid().unwrap().len(), 32);
    assert!(mail.save_date().unwrap().is_some());
    assert!(rig.sdbox().resync(Mode::DryRun).unwrap().is_empty());
}

#[test]
fn a_transaction_is_all_or_none() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    let mut saving = Arc::clone(&sdbox).begin_save().unwrap();
    for text in ["one", "two", "three"] {
        saving
            .save(&NewMail::default(), &mut text.as_bytes())
            .unwrap();
    }
    assert_eq!(rig.files().len(), 3);
    drop(saving);
    assert!(rig.files().is_empty());
    assert_eq!(sdbox.status().unwrap().uid_next, uid(1));
    let saving = Arc::clone(&sdbox).begin_save().unwrap();
    assert!(saving.commit().unwrap().uids.is_empty());
}

#[test]
fn many_threads_save_at_once() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let sdbox = &sdbox;
            scope.spawn(move || {
                for n in 0..25 {
                    let text = format!("Subject: {thread} {n}\n\nx\n");
                    save(sdbox, &text, Flags::empty(), &[&format!("K{thread}")]).unwrap();
                }
            });
        }
    });
    let there = rig.content();
    assert_eq!(there.len(), 100);
    assert_eq!(
        there.keys().copied().collect::<Vec<_>>(),
        (1..=100).collect::<Vec<_>>()
    );
    for (body, _, keywords) in there.values() {
        let text = String::from_utf8(body.clone()).unwrap();
        let thread = text.split(' ').nth(1).unwrap();
        assert_eq!(*keywords, [format!("K{thread}")]);
    }
    assert!(rig.sdbox().resync(Mode::DryRun).unwrap().is_empty());
}

#[test]
fn flags_and_keywords() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    for _ in 0..3 {
        save(&sdbox, "x\n", Flags::SEEN, &["old"]).unwrap();
    }
    let mut session = view(&sdbox, Access::ReadWrite);
    let before = session.status().highest_modseq;
    let store = |session: &mut Box<dyn Mailbox>, uids: &[u32], change| {
        session.store_flags(&set(uids), &change).unwrap();
    };
    store(
        &mut session,
        &[1, 2, 9],
        FlagChange::Add(Flags::FLAGGED, vec![keyword("new")]),
    );
    store(
        &mut session,
        &[2],
        FlagChange::Remove(Flags::SEEN, vec![keyword("OLD")]),
    );
    store(
        &mut session,
        &[3],
        FlagChange::Replace(Flags::DRAFT, vec![keyword("new")]),
    );
    store(
        &mut session,
        &[7],
        FlagChange::Add(Flags::DRAFT, vec![keyword("never")]),
    );
    store(
        &mut session,
        &[1],
        FlagChange::Remove(Flags::empty(), vec![keyword("unknown")]),
    );
    let changes = session.sync(Expunges::Hold).unwrap();
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert!(session.status().highest_modseq > before);
    let now = content(&sdbox);
    let flags: Vec<_> = now
        .values()
        .map(|(_, flags, keywords)| (*flags, keywords.join(" ")))
        .collect();
    assert_eq!(
        flags[0],
        (Flags::SEEN.with(Flags::FLAGGED), "old new".to_owned())
    );
    assert_eq!(flags[1], (Flags::FLAGGED, "new".to_owned()));
    assert_eq!(flags[2], (Flags::DRAFT, "new".to_owned()));
    assert_eq!(session.keywords(), [keyword("old"), keyword("new")]);
    assert_eq!(rig.content(), now);
    assert_eq!(sdbox.status().unwrap().unseen, 2);
    let mut looking = view(&sdbox, Access::ReadOnly);
    let refused = looking.store_flags(&set(&[1]), &FlagChange::Add(Flags::SEEN, vec![]));
    assert!(matches!(refused, Err(Error::NotPossible { .. })));
}

#[test]
fn expunges_are_told_when_they_may_be() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    for n in 1..=5 {
        let flags = if n % 2 == 0 {
            Flags::DELETED
        } else {
            Flags::empty()
        };
        save(&sdbox, &format!("{n}\n"), flags, &["k"]).unwrap();
    }
    let (mut one, mut two) = (
        view(&sdbox, Access::ReadWrite),
        view(&rig.sdbox(), Access::ReadWrite),
    );
    one.expunge(None).unwrap();
    assert_eq!(rig.files(), ["u.1", "u.3", "u.5"]);
    assert!(two.sync(Expunges::Hold).unwrap().is_empty());
    assert_eq!(two.len(), 5);
    assert!(matches!(
        two.mail(Seq::new(2).unwrap()).unwrap().body().err(),
        Some(Error::Expunged)
    ));
    save(&sdbox, "6\n", Flags::empty(), &[]).unwrap();
    let changes = two.sync(Expunges::Hold).unwrap();
    assert!(
        matches!(changes[..], [Change::Grown { messages: 6, .. }]),
        "{changes:?}"
    );
    assert_eq!(
        two.flags(Seq::new(2).unwrap())
            .unwrap()
            .flags
            .without(Flags::RECENT),
        Flags::DELETED
    );
    let gone = |seq, number| Change::Expunged {
        seq: Seq::new(seq).unwrap(),
        uid: uid(number),
    };
    assert_eq!(two.sync(Expunges::Show).unwrap(), [gone(2, 2), gone(3, 4)]);
    assert!(two.sync(Expunges::Show).unwrap().is_empty());
    assert_eq!(two.len(), 4);
    assert_eq!(one.sync(Expunges::Show).unwrap().len(), 3);
    one.remove(&set(&[1, 99])).unwrap();
    one.expunge(Some(&all())).unwrap();
    assert_eq!(rig.content().keys().copied().collect::<Vec<_>>(), [3, 5, 6]);
}

#[test]
fn copies_share_their_file() {
    use std::os::unix::fs::MetadataExt;
    let rig = Rig::new();
    let (from, to) = (rig.sdbox(), rig.other("Copies"));
    save(&from, "one\n", Flags::SEEN, &["a"]).unwrap();
    save(&from, "two\n", Flags::empty(), &["b", "a"]).unwrap();
    save(&to, "there\n", Flags::empty(), &["c"]).unwrap();
    let mut session = view(&from, Access::ReadOnly);
    let copied = Arc::clone(&to).copy_from(session.as_mut(), &all()).unwrap();
    assert_eq!(copied.from, [uid(1), uid(2)]);
    assert_eq!(copied.to, [uid(2), uid(3)]);
    let there = content(&to);
    assert_eq!(
        there[&3],
        (
            b"two\n".to_vec(),
            Flags::empty(),
            vec!["a".to_owned(), "b".to_owned()]
        )
    );
    let path = rig.path().join("u.2");
    assert_eq!(std::fs::metadata(&path).unwrap().nlink(), 2);
    // Within one mailbox, and after the original is gone.
    let mut session = view(&from, Access::ReadWrite);
    Arc::clone(&from)
        .copy_from(session.as_mut(), &set(&[2]))
        .unwrap();
    session.remove(&set(&[2])).unwrap();
    let late = Arc::clone(&to)
        .copy_from(session.as_mut(), &set(&[1, 2]))
        .unwrap();
    assert_eq!(late.from, [uid(1)]);
    assert_eq!(content(&to)[&3].0, b"two\n");
    assert_eq!(rig.content()[&3].0, b"two\n");
    let guid = |sdbox, seq| {
        let mut view = view(sdbox, Access::ReadOnly);
        view.mail(Seq::new(seq).unwrap()).unwrap().guid().unwrap()
    };
    assert_eq!(guid(&from, 2), guid(&to, 3));
}

#[test]
fn deleted_mailboxes_are_gone_for_everybody() {
    let rig = Rig::new();
    let (one, two) = (rig.sdbox(), rig.sdbox());
    save(&one, "x\n", Flags::empty(), &[]).unwrap();
    let mut session = view(&two, Access::ReadWrite);
    let (validity, guid) = (session.status().uid_validity, one.guid().unwrap());
    one.prepare_delete().unwrap();
    let gone = |error| matches!(error, Some(Error::NotFound { .. }));
    assert!(gone(session.sync(Expunges::Show).err()));
    assert!(
        gone(one.status().err()) && gone(two.status().err()) && gone(rig.sdbox().status().err())
    );
    // Killed before the directory went: it can be deleted again, and the name is free.
    assert!(!rig.sdbox().exists().unwrap());
    rig.sdbox().prepare_delete().unwrap();
    let three = rig.sdbox();
    three.create().unwrap();
    assert!(rig.files().is_empty());
    assert_ne!(three.guid().unwrap(), guid);
    assert_ne!(
        rig.sdbox().status().unwrap().uid_validity,
        validity.min(validity)
    );
    std::fs::remove_dir_all(rig.path()).unwrap();
    assert!(gone(three.status().err()));
    assert!(!three.exists().unwrap());
    assert!(gone(save(&three, "x\n", Flags::empty(), &[]).err()));
    assert!(gone(
        Arc::clone(&three)
            .open(&name("INBOX"), Access::ReadOnly)
            .err()
    ));
}

#[test]
fn messages_move_to_alt_storage_and_back() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    for n in 1..=3 {
        save(&sdbox, &format!("{n}\n"), Flags::empty(), &[]).unwrap();
    }
    let before = rig.content();
    sdbox.move_to(&set(&[1, 3]), Place::Alt).unwrap();
    assert_eq!(rig.files(), ["u.2"]);
    let alt = rig.place().alt.unwrap();
    assert_eq!(common::files(&alt), ["u.1", "u.3"]);
    assert_eq!(rig.content(), before);
    assert!(sdbox.resync(Mode::DryRun).unwrap().is_empty());
    sdbox.move_to(&all(), Place::Primary).unwrap();
    assert_eq!(rig.files(), ["u.1", "u.2", "u.3"]);
    assert!(common::files(&alt).is_empty());
    assert_eq!(rig.content(), before);
    sdbox.move_to(&set(&[2]), Place::Alt).unwrap();
    view(&sdbox, Access::ReadWrite).remove(&all()).unwrap();
    assert!(common::files(&alt).is_empty() && rig.files().is_empty());
}

#[test]
fn whoever_waits_is_woken() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let rig = Rig::new();
    let (one, two) = (rig.sdbox(), rig.sdbox());
    let mut waiting = view(&one, Access::ReadWrite);
    let is_woken = |view: &dyn Mailbox, seconds| {
        let mut fds = [PollFd::from_borrowed_fd(
            view.change_fd().unwrap(),
            PollFlags::IN,
        )];
        let timeout = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&timeout)).unwrap() > 0
    };
    assert!(!is_woken(waiting.as_ref(), 0));
    save(&two, "x\n", Flags::empty(), &[]).unwrap();
    assert!(is_woken(waiting.as_ref(), 60));
    assert_eq!(waiting.sync(Expunges::Show).unwrap().len(), 1);
    one.wake();
    assert!(is_woken(waiting.as_ref(), 60));
    waiting.sync(Expunges::Show).unwrap();
    view(&two, Access::ReadWrite).remove(&all()).unwrap();
    assert!(is_woken(waiting.as_ref(), 60));
}

#[test]
fn what_killed_writers_left_goes_after_a_while() {
    let rig = Rig::new();
    let old = rig.path().join(".temp.1.P1Q1M1.host");
    let new = rig.path().join(".temp.2.P1Q1M1.host");
    for path in [&old, &new] {
        std::fs::write(path, "x").unwrap();
    }
    // ctime cannot be set: only a file system that came from elsewhere has old ones.
    let times = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    std::fs::File::open(&old).unwrap().set_times(times).unwrap();
    view(&rig.sdbox(), Access::ReadWrite);
    assert_eq!(rig.files().len(), 2, "a link in the making");
    let scanned = |rig: &Rig| {
        let options = index::Options::mailbox(&mailbox::Settings::default());
        let index = index::Index::open(&sys::fs::Fs::real(), &rig.path(), options).unwrap();
        let state = index.state().unwrap();
        state.header().get(index::state::field::LAST_TEMP_SCAN)
    };
    assert!(scanned(&rig) > 1_700_000_000);
}
