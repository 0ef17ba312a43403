//! Several sessions of one mailbox: frozen pictures, who gets `\Recent`, who is told of what.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Read;
use std::sync::Arc;

use common::{Rig, names_in, save, set, view};
use format_maildir::save::Saving;
use mailbox::{
    Access, Change, Error, Expunges, FlagChange, Flags, Keyword, Mailbox, NewMail, Save, Seq, Uid,
    UidSet,
};

fn seq(number: u32) -> Seq {
    Seq::new(number).unwrap()
}

fn uids(view: &dyn Mailbox) -> Vec<u32> {
    (1..=view.len())
        .map(|number| view.uid(seq(number)).unwrap().get())
        .collect()
}

fn recent(view: &dyn Mailbox) -> Vec<u32> {
    let recent = |n: &u32| view.flags(seq(*n)).unwrap().flags.contains(Flags::RECENT);
    (1..=view.len()).filter(recent).collect()
}

fn deliver(rig: &Rig, name: &str) {
    std::fs::write(rig.dir().join("tmp").join(name), "x\n").unwrap();
    std::fs::rename(
        rig.dir().join("tmp").join(name),
        rig.dir().join("new").join(name),
    )
    .unwrap();
}

#[test]
fn what_nobody_has_looked_at_is_recent_wherever_it_lies() {
    let rig = Rig::new();
    rig.save("a");
    assert_eq!(recent(&rig.view()), [1]);
    std::fs::write(rig.dir().join("cur/1.M1P1.mta:2,S"), "b\n").unwrap();
    deliver(&rig, "2.M2P1.mta");
    assert_eq!(recent(&rig.view()), [2, 3]);
    assert_eq!(recent(&rig.view()), Vec::<u32>::new());
}

#[test]
fn a_picture_changes_only_in_sync() {
    let rig = Rig::new();
    for text in ["a", "b", "c", "d"] {
        rig.save(text);
    }
    let (mut one, mut two) = (rig.view(), rig.view());
    one.store_flags(&set(&[2]), &FlagChange::Add(Flags::FLAGGED, vec![]))
        .unwrap();
    one.remove(&set(&[1, 3])).unwrap();
    rig.save("e");
    assert_eq!(uids(&two), [1, 2, 3, 4]);
    assert_eq!(two.flags(seq(2)).unwrap().flags, Flags::empty());
    assert!(matches!(
        two.mail(seq(1)).unwrap().body(),
        Err(Error::Expunged)
    ));

    let held = two.sync(Expunges::Hold).unwrap();
    assert_eq!(
        held,
        [
            Change::Flags { seq: seq(2) },
            Change::Grown {
                messages: 5,
                recent: 1
            }
        ]
    );
    assert_eq!(uids(&two), [1, 2, 3, 4, 5]);
    let shown = two.sync(Expunges::Show).unwrap();
    let gone = |number, uid| Change::Expunged {
        seq: seq(number),
        uid: Uid::new(uid).unwrap(),
    };
    assert_eq!(shown, [gone(1, 1), gone(2, 3)]);
    assert_eq!(uids(&two), [2, 4, 5]);
    assert_eq!(two.sync(Expunges::Show).unwrap(), []);
    assert_eq!(two.seq(Uid::new(4).unwrap()), Some(seq(2)));
    assert_eq!(two.seq(Uid::new(3).unwrap()), None);
    assert_eq!(two.seq_at_least(Uid::new(3).unwrap()), Some(seq(2)));
    assert_eq!(two.seq_at_least(Uid::new(6).unwrap()), None);
}

#[test]
fn recent_is_for_the_first_session() {
    let rig = Rig::new();
    deliver(&rig, "1.M1P1.mta");
    let status = rig.maildir.status().unwrap();
    assert_eq!((status.messages, status.recent), (1, 1));
    // EXAMINE sees it and takes nothing.
    assert_eq!(recent(&view(&rig.maildir, Access::ReadOnly)), [1]);
    assert_eq!(names_in(&rig.dir().join("new")).len(), 1);

    let mut first = rig.view();
    let mut second = rig.view();
    assert_eq!((recent(&first), recent(&second)), (vec![1], vec![]));
    assert_eq!(names_in(&rig.dir().join("cur")), ["1.M1P1.mta:2,"]);
    assert_eq!(rig.maildir.status().unwrap().recent, 0);

    // Saved with a flag it never is in new/, but it is news all the same.
    save(&rig.maildir, "x\n", Flags::SEEN, &[]).unwrap();
    assert_eq!(rig.maildir.status().unwrap().recent, 1);
    let told = second.sync(Expunges::Show).unwrap();
    assert_eq!(
        told,
        [Change::Grown {
            messages: 2,
            recent: 1
        }]
    );
    first.sync(Expunges::Show).unwrap();
    assert_eq!((recent(&first), recent(&second)), (vec![1], vec![2]));
    // It stays with the session through flag changes.
    first
        .store_flags(&set(&[1]), &FlagChange::Replace(Flags::DRAFT, vec![]))
        .unwrap();
    first.sync(Expunges::Show).unwrap();
    assert_eq!(recent(&first), [1]);
}

#[test]
fn a_read_only_session_changes_nothing() {
    let rig = Rig::new();
    rig.save("a");
    let mut examined = view(&rig.maildir, Access::ReadOnly);
    let add = FlagChange::Add(Flags::SEEN, vec![]);
    assert!(examined.store_flags(&set(&[1]), &add).is_err());
    assert!(examined.expunge(None).is_err() && examined.remove(&set(&[1])).is_err());
    assert!(!examined.accepts_new_keywords());
    assert_eq!(names_in(&rig.dir().join("new")).len(), 1);
}

#[test]
fn flags_and_keywords_of_all_changes() {
    let rig = Rig::new();
    rig.save("a");
    let mut view = rig.view();
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|w| Keyword::new(w).unwrap())
            .collect::<Vec<_>>()
    };
    let mut after = |change: FlagChange| {
        view.store_flags(&set(&[1, 99]), &change).unwrap();
        view.sync(Expunges::Show).unwrap();
        let state = view.flags(seq(1)).unwrap();
        let names: Vec<String> = state
            .keywords
            .iter()
            .map(|bit| view.keywords()[bit].to_string())
            .collect();
        (state.flags.without(Flags::RECENT), names)
    };
    let both = Flags::SEEN.with(Flags::DELETED);
    assert_eq!(
        after(FlagChange::Add(both, words(&["A", "B"]))).1,
        ["A", "B"]
    );
    assert_eq!(
        after(FlagChange::Remove(Flags::SEEN, words(&["a", "nope"]))).1,
        ["B"]
    );
    let replaced = after(FlagChange::Replace(
        Flags::DRAFT.with(Flags::RECENT),
        words(&["C"]),
    ));
    assert_eq!(replaced, (Flags::DRAFT, vec!["C".to_owned()]));
    assert!(names_in(&rig.dir().join("cur"))[0].ends_with(":2,Dc"));
    assert_eq!(
        std::fs::read(rig.dir().join("dovecot-keywords")).unwrap(),
        b"0 A\n1 B\n2 C\n"
    );
}

/// File names have 26 letters; the index has no such limit.
#[test]
fn the_27th_keyword_is_in_the_index_alone() {
    let rig = Rig::new();
    rig.save("a");
    let mut view = rig.view();
    let many: Vec<Keyword> = (0..26)
        .map(|n| Keyword::new(&format!("k{n}")).unwrap())
        .collect();
    view.store_flags(&set(&[1]), &FlagChange::Add(Flags::empty(), many))
        .unwrap();
    view.sync(Expunges::Show).unwrap();
    assert!(view.accepts_new_keywords());
    let more = FlagChange::Add(Flags::empty(), vec![Keyword::new("k26").unwrap()]);
    view.store_flags(&set(&[1]), &more).unwrap();
    assert_eq!(rig.content()[&1].2.len(), 27);
    let uid = save(&rig.maildir, "x", Flags::empty(), &["k26", "k1"]).unwrap();
    assert_eq!(rig.content()[&uid.get()].2, ["k1", "k26"]);
    // It stays when others change the rest.
    let names = names_in(&rig.dir().join("cur"));
    let (from, to) = (
        rig.dir().join("cur").join(&names[0]),
        format!("{}z", names[0]),
    );
    std::fs::rename(from, rig.dir().join("cur").join(to.replace(":2,", ":2,S"))).unwrap();
    let content = rig.content();
    let changed = content.values().find(|mail| mail.1.contains(Flags::SEEN));
    assert!(changed.unwrap().2.contains(&"k26".to_owned()));
}

/// Though this process last saw its file.
#[test]
fn what_others_removed_stays_removed() {
    let rig = Rig::new();
    rig.save("a");
    rig.save("b");
    let mut view = rig.view();
    rig.other()
        .remove(&set(&[1]), format_maildir::change::Removal::All)
        .unwrap();
    deliver(&rig, "2000000000.M1P1.mta");
    view.sync(Expunges::Show).unwrap();
    assert_eq!(uids(&view), [2, 3]);
    assert_eq!(rig.content().len(), 2);
}

#[test]
fn copies_share_the_file_and_keep_the_guid() {
    use std::os::unix::fs::MetadataExt;
    let (rig, other) = (Rig::new(), Rig::new());
    save(&rig.maildir, "a\r\n", Flags::SEEN, &["K"]).unwrap();
    other.save("before");
    let copy = |from: &Rig, uid, to: &Rig| {
        format_maildir::copy::copy(&from.maildir, &set(&[uid, 77]), &to.maildir).unwrap()
    };
    let copied = copy(&rig, 1, &other);
    assert_eq!(
        (copied.from, copied.to),
        (vec![Uid::MIN], vec![Uid::new(2).unwrap()])
    );
    let within = copy(&rig, 1, &rig);
    assert_eq!(within.to, [Uid::new(2).unwrap()]);
    let guid = |rig: &Rig, n| rig.view().mail(seq(n)).unwrap().guid().unwrap();
    assert_eq!(guid(&rig, 1), guid(&rig, 2));
    assert_eq!(guid(&rig, 1), guid(&other, 2));
    assert_eq!(other.content()[&2].2, ["K"]);
    assert!(
        rig.list().contains(&format!("2 G{} :", guid(&rig, 1))),
        "{}",
        rig.list()
    );
    let file = rig
        .dir()
        .join("cur")
        .join(&names_in(&rig.dir().join("cur"))[0]);
    assert_eq!(file.metadata().unwrap().nlink(), 3);
    assert_eq!(copy(&rig, 55, &other).to, []);
}

#[test]
fn a_transaction_is_all_or_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let rig = Rig::new();
    let mut saving = Saving::begin(Arc::clone(&rig.maildir));
    saving.save(&NewMail::default(), &mut &b"one"[..]).unwrap();
    assert!(matches!(
        saving.save(&NewMail::default(), &mut Broken),
        Err(Error::Input(_))
    ));
    drop(saving);
    let mut saving = Saving::begin(Arc::clone(&rig.maildir));
    for text in [&b"two"[..], b"three"] {
        saving.save(&NewMail::default(), &mut &*text).unwrap();
    }
    assert!(rig.content().is_empty());
    let uids: Vec<u32> = saving
        .commit()
        .unwrap()
        .uids
        .iter()
        .map(|uid| uid.get())
        .collect();
    assert_eq!(uids, [1, 2]);
    assert!(names_in(&rig.dir().join("tmp")).is_empty());
    assert_eq!(rig.content().len(), 2);
}

#[test]
fn idle_hears_of_what_others_do() {
    let rig = Rig::new();
    rig.save("a");
    let mut view = rig.view();
    let fd = view.change_fd().unwrap().try_clone_to_owned().unwrap();
    let readable = || {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: 5,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&limit)).unwrap() == 1
    };
    for (number, name) in ["2.M1P1.mta", "3.M1P1.mta", "4.M1P1.mta"]
        .into_iter()
        .enumerate()
    {
        deliver(&rig, name);
        assert!(readable());
        let told = view.sync(Expunges::Show).unwrap();
        let messages = u32::try_from(number).unwrap() + 2;
        assert!(matches!(told[..], [Change::Grown { messages: now, .. }] if now == messages));
    }
    // From another process: a flag, right after a change of our own.
    view.store_flags(&set(&[1]), &FlagChange::Add(Flags::SEEN, vec![]))
        .unwrap();
    view.sync(Expunges::Show).unwrap();
    rig.other()
        .store_flags(&set(&[2]), &FlagChange::Add(Flags::FLAGGED, vec![]))
        .unwrap();
    assert!(readable());
    assert_eq!(
        view.sync(Expunges::Show).unwrap(),
        [Change::Flags { seq: seq(2) }]
    );
}

#[test]
fn many_threads_and_processes_at_once() {
    const THREADS: usize = 6;
    const EACH: usize = 15;
    let rig = Arc::new(Rig::new());
    rig.save("first");
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let rig = Arc::clone(&rig);
            std::thread::spawn(move || {
                // Half of them share memory, the others are processes of their own.
                let maildir = if thread % 2 == 0 {
                    Arc::clone(&rig.maildir)
                } else {
                    rig.other()
                };
                let mut view = view(&maildir, Access::ReadWrite);
                let mut saved = Vec::new();
                for number in 0..EACH {
                    let text = format!("{thread} {number}");
                    let uid = save(&maildir, &text, Flags::empty(), &[]).unwrap();
                    saved.push((uid.get(), text));
                    let own = UidSet::from_iter([uid]);
                    let keyword = Keyword::new(&format!("t{thread}")).unwrap();
                    view.store_flags(&own, &FlagChange::Add(Flags::SEEN, vec![keyword]))
                        .unwrap();
                    view.sync(Expunges::Show).unwrap();
                    if number % 3 == 0 {
                        view.remove(&own).unwrap();
                        saved.pop();
                    }
                }
                saved
            })
        })
        .collect();
    let mut expected: Vec<(u32, String)> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    expected.sort();
    let content = rig.content();
    assert_eq!(common::content(&rig.maildir), content);
    let found: Vec<(u32, String)> = content
        .iter()
        .skip(1)
        .map(|(uid, mail)| (*uid, String::from_utf8(mail.0.clone()).unwrap()))
        .collect();
    assert_eq!(found, expected);
    for (body, flags, keywords) in content.values().skip(1) {
        let thread = body[0];
        assert_eq!(*flags, Flags::SEEN);
        assert_eq!(keywords, &[format!("t{}", char::from(thread))]);
    }
    assert!(!rig.dir().join("dovecot-uidlist.lock").exists());
}

/// A file whose time of message is old is not old itself: APPEND sets that time.
#[test]
fn what_is_being_saved_is_not_cleaned_away() {
    let rig = Rig::new();
    let mut saving = Saving::begin(Arc::clone(&rig.maildir));
    let old = mailbox::MailDate {
        seconds: 0,
        offset_minutes: 0,
    };
    let mail = NewMail {
        internal_date: Some(old),
        ..NewMail::default()
    };
    saving.save(&mail, &mut &b"old"[..]).unwrap();
    view(&rig.other(), Access::ReadWrite);
    assert_eq!(saving.commit().unwrap().uids.len(), 1);
}

/// Copied from a mailbox of another format, which says the GUID.
#[test]
fn a_copy_from_elsewhere_keeps_its_guid() {
    let rig = Rig::new();
    for (guid, kept) in [
        ("41be9a165b2e046b8745000083ecc375", true),
        ("no line\nholds this", false),
    ] {
        let mut saving = Saving::begin(Arc::clone(&rig.maildir));
        let mail = NewMail {
            guid: Some(guid.to_owned()),
            ..NewMail::default()
        };
        saving.save(&mail, &mut &b"a\n"[..]).unwrap();
        let uid = saving.commit().unwrap().uids[0];
        let mut other = view(&rig.other(), Access::ReadOnly);
        let seq = other.seq(uid).unwrap();
        assert_eq!(other.mail(seq).unwrap().guid().unwrap() == guid, kept);
    }
}
