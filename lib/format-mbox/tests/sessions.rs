//! What sessions do, and what it leaves in the file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{Read, Seek, SeekFrom};

use common::{FROM, Home, append, fresh, look, new_mail, open, seen, uids};
use format_mbox::{Settings, Syncs, Writes};
use mailbox::{Change, Error, Expunges, FlagChange, Flags, Keyword, Seq, StoredMailbox, UidSet};
use sys::fs::Fs;

const PLAIN: &str = "Subject: one\nMessage-ID: <1@x>\n\nbody\n";

fn keywords(names: &[&str]) -> Vec<Keyword> {
    names
        .iter()
        .map(|name| Keyword::new(name).unwrap())
        .collect()
}

fn seq(number: u32) -> Seq {
    Seq::new(number).unwrap()
}

#[test]
fn a_new_mailbox_is_an_empty_file() {
    let home = Home::new();
    let mbox = home.mbox();
    assert!(!mbox.exists().unwrap());
    assert!(matches!(mbox.status(), Err(Error::NotFound { .. })));
    assert!(matches!(
        append(&mbox, &new_mail(Flags::empty(), &[], 0), PLAIN),
        Err(Error::NotFound { .. })
    ));
    mbox.create().unwrap();
    assert_eq!(home.content(), "");
    let status = mbox.status().unwrap();
    assert_eq!(
        (
            status.messages,
            status.uid_next.get(),
            status.uid_validity.get()
        ),
        (0, 1, 1000)
    );
    let again = home.mbox();
    assert_eq!(again.guid().unwrap(), mbox.guid().unwrap());
    assert_eq!(again.status().unwrap(), status);
}

#[test]
fn a_saved_message_is_as_dovecot_writes_it() {
    let home = Home::with("");
    let mbox = home.mbox();
    let mail = new_mail(Flags::SEEN.with(Flags::FLAGGED), &["$Work"], 1_706_742_000);
    let message = format!("X-UID: 77\r\nSubject: one\r\n\r\nbody\r\n{FROM}end");
    assert_eq!(append(&mbox, &mail, &message).unwrap(), 1);
    let content = home.content();
    let lines: Vec<&str> = content.lines().collect();
    assert!(
        lines[0].starts_with("From sender@example.org  "),
        "{content}"
    );
    assert_eq!(
        lines[1..6],
        [
            "Subject: one",
            "X-IMAPbase: 1000 0000000001",
            "X-UID: 1",
            "Status: R",
            "X-Status: F"
        ]
    );
    assert!(
        lines[6].starts_with("X-Keywords: $Work          "),
        "{content}"
    );
    let body = format!("body\n{FROM}end\n");
    assert_eq!(lines[7], format!("Content-Length: {}", body.len()));
    assert!(content.ends_with(&format!("\n\n{body}\n")));
    assert_eq!(
        append(&mbox, &new_mail(Flags::empty(), &[], 0), "\n").unwrap(),
        2
    );
    let all = fresh(&home);
    assert_eq!(
        (all[0].uid, all[0].flags),
        (1, Flags::SEEN.with(Flags::FLAGGED))
    );
    assert_eq!(
        (&all[0].keywords[..], all[0].date),
        (&["$Work".to_owned()][..], 1_706_742_000)
    );
    assert_eq!(all[0].body, format!("Subject: one\n\n{body}"));
    assert_eq!((all[1].uid, &all[1].body[..]), (2, "\n"));
}

#[test]
fn mail_of_others_is_found_and_keeps_its_uid() {
    let home = Home::with("@@Subject: a\n\na\n\n");
    let mbox = home.mbox();
    let mut view = open(&mbox);
    assert_eq!((view.len(), view.status().recent), (1, 1));
    home.deliver("Subject: b\nX-UID: 99\nStatus: RO\nX-Keywords: evil\n\nb\n");
    let changes = view.sync(Expunges::Show).unwrap();
    assert_eq!(
        changes,
        [Change::Grown {
            messages: 2,
            recent: 1
        }]
    );
    let all = seen(&mut *view);
    assert_eq!(
        (all[1].uid, all[1].flags, all[1].keywords.len()),
        (2, Flags::SEEN, 0)
    );
    assert_eq!(all[1].body, "Subject: b\n\nb\n");
    // Closing writes X-UIDs: they survive the index.
    let before = all;
    drop(view);
    let content = home.content();
    assert!(
        content.contains("X-UID: 2") && !content.contains("evil"),
        "{content}"
    );
    std::fs::remove_dir_all(home.index()).unwrap();
    assert_eq!(fresh(&home), before);
    assert_eq!(home.mbox().status().unwrap().uid_next.get(), 3);
}

#[test]
fn flags_are_in_the_index_at_once_and_in_the_file_in_the_end() {
    let home = Home::with("@@Subject: a\n\na\n\n@@Subject: b\n\nb\n\n@@Subject: c\n\nc\n\n");
    let mbox = home.mbox();
    let mut view = open(&mbox);
    let add = FlagChange::Add(Flags::SEEN.with(Flags::DELETED), keywords(&["Work", "$x"]));
    view.store_flags(&uids(&[1, 3, 9]), &add).unwrap();
    let changes = view.sync(Expunges::Hold).unwrap();
    assert_eq!(
        changes,
        [Change::Flags { seq: seq(1) }, Change::Flags { seq: seq(3) }]
    );
    assert!(!home.content().contains("Status"));
    view.store_flags(
        &uids(&[1]),
        &FlagChange::Remove(Flags::SEEN, keywords(&["work"])),
    )
    .unwrap();
    let replace = FlagChange::Replace(Flags::DRAFT, keywords(&["new"]));
    view.store_flags(&uids(&[3]), &replace).unwrap();
    // Nothing changes twice.
    let modseq = mbox.status().unwrap().highest_modseq;
    view.store_flags(&uids(&[3]), &replace).unwrap();
    assert_eq!(mbox.status().unwrap().highest_modseq, modseq);
    let all = fresh(&home);
    drop(view);
    let content = home.content();
    assert!(
        content.contains("X-Keywords: $x ") && content.contains("X-Status: T\n"),
        "{content}"
    );
    std::fs::remove_dir_all(home.index()).unwrap();
    assert_eq!(fresh(&home), all);
    assert_eq!(
        (all[0].flags, &all[0].keywords[..]),
        (Flags::DELETED, &["$x".to_owned()][..])
    );
    assert_eq!(
        (all[2].flags, &all[2].keywords[..]),
        (Flags::DRAFT, &["new".to_owned()][..])
    );
}

#[test]
fn changes_in_place_fit_into_spaces() {
    let home = Home::with("");
    let mbox = home.mbox();
    for _ in 0..3 {
        append(&mbox, &new_mail(Flags::empty(), &[], 0), PLAIN).unwrap();
    }
    let size = home.content().len();
    let mut view = open(&mbox);
    let change = FlagChange::Add(Flags::CHANGEABLE, keywords(&["a", "b"]));
    view.store_flags(&uids(&[2]), &change).unwrap();
    let all = seen(&mut *look(&mbox));
    drop(view);
    let content = home.content();
    assert!(content.contains("X-Status: AFTD\n"), "{content}");
    // X-IMAPbase got the new names, out of the spaces of its message.
    assert!(
        content.contains("X-IMAPbase: 1000 0000000003 a b\n"),
        "{content}"
    );
    assert_eq!(content.len(), size);
    assert_eq!(fresh(&home), all);
}

#[test]
fn expunging_moves_the_rest_down() {
    for gone in [&[1][..], &[2], &[3], &[1, 2], &[2, 3], &[1, 3], &[1, 2, 3]] {
        let home = Home::with("@@Subject: a\n\na\n\n");
        let mbox = home.mbox();
        append(&mbox, &new_mail(Flags::SEEN, &["k"], 0), PLAIN).unwrap();
        home.deliver("Subject: c\n\nc\n");
        let mut view = open(&mbox);
        let all = seen(&mut *view);
        let deleted = FlagChange::Add(Flags::DELETED, Vec::new());
        view.store_flags(&uids(gone), &deleted).unwrap();
        view.expunge(Some(&uids(&[]))).unwrap();
        assert_eq!(home.mbox().status().unwrap().messages, 3);
        view.expunge(None).unwrap();
        let told = view.sync(Expunges::Show).unwrap();
        let is_gone = |change: &&Change| matches!(change, Change::Expunged { .. });
        assert_eq!(told.iter().filter(is_gone).count(), gone.len(), "{told:?}");
        let left: Vec<_> = all
            .into_iter()
            .filter(|seen| !gone.contains(&seen.uid))
            .collect();
        assert_eq!(seen(&mut *view), left, "{gone:?}");
        drop(view);
        std::fs::remove_dir_all(home.index()).unwrap();
        assert_eq!(fresh(&home), left, "{gone:?}: {}", home.content());
        // UIDs of what is gone are not given out again, even if nothing is left.
        let next = append(&home.mbox(), &new_mail(Flags::empty(), &[], 0), PLAIN).unwrap();
        assert_eq!(next, 4, "{gone:?}: {}", home.content());
    }
}

#[test]
fn a_body_is_read_on_wherever_it_went() {
    let home = Home::with("");
    let mbox = home.mbox();
    append(&mbox, &new_mail(Flags::empty(), &[], 0), PLAIN).unwrap();
    let long: String = (0..200_000).map(|n| format!("{n}\n")).collect();
    append(
        &mbox,
        &new_mail(Flags::empty(), &[], 0),
        &format!("Subject: long\n\n{long}"),
    )
    .unwrap();
    let mut view = open(&mbox);
    let mut other = open(&home.mbox());
    let mut mail = view.mail(seq(2)).unwrap();
    let mut body = mail.body().unwrap();
    let mut text = vec![0; 10_000];
    body.read_exact(&mut text).unwrap();
    other.remove(&uids(&[1])).unwrap();
    body.read_to_end(&mut text).unwrap();
    assert!(text == format!("Subject: long\n\n{long}").into_bytes());
    body.seek(SeekFrom::Start(15)).unwrap();
    other.remove(&uids(&[2])).unwrap();
    // What is gone is an error, never other bytes.
    let mut rest = Vec::new();
    assert!(body.read_to_end(&mut rest).is_err());
    assert!(long.as_bytes().starts_with(&rest));
}

#[test]
fn views_hold_expunges_back_until_they_may_tell() {
    let home = Home::with("@@Subject: a\n\na\n\n@@Subject: b\n\nb\n\n");
    let mut view = open(&home.mbox());
    open(&home.mbox()).remove(&uids(&[1])).unwrap();
    assert_eq!(view.sync(Expunges::Hold).unwrap(), []);
    assert_eq!(view.len(), 2);
    let mut gone = view.mail(seq(1)).unwrap();
    assert!(matches!(gone.size(), Err(Error::Expunged)));
    drop(gone);
    let told = view.sync(Expunges::Show).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(seen(&mut *view)[0].body, "Subject: b\n\nb\n");
}

#[test]
fn copies_have_flags_dates_and_sums() {
    let home = Home::with(
        "@@Subject: a\nMessage-ID: <a>\nDate: x\nStatus: RO\n\na\n\n@@Subject: b\n\nb\n\n",
    );
    let other = Home::with("");
    let mut view = open(&home.mbox());
    view.store_flags(
        &uids(&[1]),
        &FlagChange::Add(Flags::FLAGGED, keywords(&["k"])),
    )
    .unwrap();
    view.sync(Expunges::Show).unwrap();
    let copied = other.mbox().copy_from(
        &mut *view,
        &UidSet::from_ranges([(mailbox::Uid::MIN, mailbox::Uid::MAX)]),
    );
    assert_eq!(copied.unwrap().to.len(), 2);
    assert_eq!(fresh(&other), seen(&mut *view));
}

#[test]
fn index_and_control_files_may_be_elsewhere() {
    for with_index in [true, false] {
        let home = Home::with("@@Subject: a\n\na\n\n@@Subject: b\n\nb\n\n");
        let mut place = common::place(home.file(), home.dir.path().join("i/box"));
        place.control = home.dir.path().join("c/box");
        place.index = place.index.filter(|_| with_index);
        let mbox = || common::mbox_at(Fs::real(), place.clone(), Settings::default());
        open(&mbox()).remove(&uids(&[1])).unwrap();
        assert_eq!(seen(&mut *look(&mbox())).len(), 1);
        let mail = new_mail(Flags::empty(), &[], 0);
        assert_eq!(append(&mbox(), &mail, PLAIN).unwrap(), 3);
        assert_eq!(home.dir.path().join("i").exists(), with_index);
    }
}

#[test]
fn a_file_that_is_no_mbox_is_refused_and_left_alone() {
    let home = Home::with("Dear diary,\n");
    assert!(matches!(
        home.mbox().status(),
        Err(Error::NotPossible { .. })
    ));
    let mail = new_mail(Flags::empty(), &[], 0);
    assert!(matches!(
        append(&home.mbox(), &mail, PLAIN),
        Err(Error::NotPossible { .. })
    ));
    assert_eq!(home.content(), "Dear diary,\n");
}

#[test]
fn a_message_somebody_died_over_is_cut_off() {
    let home = Home::with("");
    let mbox = home.mbox();
    let mail = new_mail(Flags::empty(), &[], 0);
    append(&mbox, &mail, PLAIN).unwrap();
    let whole = home.content();
    let torn = format!("{whole}\0{}Subject: torn\n\nhal", &FROM[1..]);
    std::fs::write(home.file(), &torn).unwrap();
    // With the index, and without.
    for _ in 0..2 {
        assert_eq!(fresh(&home).len(), 1);
        assert_eq!(home.content(), whole);
        std::fs::write(home.file(), &torn).unwrap();
        std::fs::remove_dir_all(home.index()).unwrap();
    }
    assert_eq!(append(&home.mbox(), &mail, PLAIN).unwrap(), 2);
    assert_eq!(fresh(&home).len(), 2);
}

#[test]
fn prompt_writes_and_clean_syncs() {
    let home = Home::with("@@Subject: a\n\na\n\n@@Subject: b\n\nb\n\n");
    let settings = Settings {
        writes: Writes::Prompt,
        syncs: Syncs::Clean,
        ..Settings::default()
    };
    let mbox = home.mbox_with(Fs::real(), settings);
    let mut view = open(&mbox);
    view.store_flags(&uids(&[2]), &FlagChange::Add(Flags::ANSWERED, Vec::new()))
        .unwrap();
    assert!(home.content().contains("X-Status: A\n"));
    view.sync(Expunges::Show).unwrap();
    // Another program changes a flag, and something is delivered.
    std::fs::write(
        home.file(),
        home.content().replace("X-Status: A\n", "X-Status: F\n"),
    )
    .unwrap();
    home.deliver("Subject: c\n\nc\n");
    let told = view.sync(Expunges::Show).unwrap();
    assert_eq!(
        told,
        [
            Change::Flags { seq: seq(2) },
            Change::Grown {
                messages: 3,
                recent: 3
            }
        ]
    );
}

#[test]
fn another_file_in_its_place_is_no_trouble() {
    let home = Home::with(
        "@@X-IMAPbase: 5 0000000002\nX-UID: 1\nSubject: a\n\na\n\n@@X-UID: 2\nSubject: b\n\nb\n\n",
    );
    let mut view = open(&home.mbox());
    assert_eq!(view.status().uid_validity.get(), 5);
    let other = "@@X-IMAPbase: 7 0000000009\nX-UID: 1\nSubject: other\n\nother\n\n";
    std::fs::write(home.file(), other.replace("@@", FROM)).unwrap();
    view.sync(Expunges::Show).unwrap();
    let all = seen(&mut *view);
    assert_eq!(
        (all.len(), all[0].uid, view.status().uid_validity.get()),
        (1, 3, 5)
    );
    assert_eq!(all[0].body, "Subject: other\n\nother\n");
}

/// attacks.jsonl FS-05.
#[test]
fn tricks_with_headers_move_no_uids() {
    let hostile = "X-IMAPbase: 4294967296 x\nX-IMAPbase: 9 4026531839\nX-UID: 0\nX-UID: 4294967295\n\
                   Content-Length: 99999999999999999999\nContent-Length: 3\nX-Keywords: \\Seen (\n\
                   Status: \u{7f}RRRO\r\nX-IMAP: 1 1\n\nbody\r\n\nFrom nobody\n\nFrom x\r\n";
    let home = Home::with("");
    let mbox = home.mbox();
    mbox.create().unwrap();
    let validity = mbox.status().unwrap().uid_validity;
    for _ in 0..3 {
        home.deliver(hostile);
        append(&mbox, &new_mail(Flags::empty(), &[], 0), hostile).unwrap();
    }
    let all = fresh(&home);
    assert_eq!(
        all.iter().map(|seen| seen.uid).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
    drop(open(&home.mbox()));
    assert_eq!(home.mbox().status().unwrap().uid_validity, validity);
    std::fs::remove_dir_all(home.index()).unwrap();
    let without = fresh(&home);
    assert_eq!(
        without.iter().map(|seen| &seen.body).collect::<Vec<_>>(),
        all.iter().map(|seen| &seen.body).collect::<Vec<_>>()
    );
    assert_eq!(
        without.iter().map(|seen| seen.uid).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
}

/// Files and directories that may not be written, as a user who is not root. `None`: this is not root.
fn as_nobody<T>(act: impl FnOnce() -> T) -> Option<T> {
    use rustix::process::{Gid, Uid, geteuid};
    use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
    if !geteuid().is_root() {
        return None;
    }
    let (user, group) = (Uid::from_raw(5999), Gid::from_raw(5999));
    set_thread_res_gid(Gid::ROOT, group, Gid::ROOT).unwrap();
    set_thread_res_uid(Uid::ROOT, user, Uid::ROOT).unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).unwrap();
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).unwrap();
    Some(result.unwrap())
}

fn give(path: &std::path::Path, owner: u32) {
    std::os::unix::fs::lchown(path, Some(owner), Some(owner)).unwrap();
}

/// As /var/mail: the file is the user's, the directory is not.
fn spool_directory() -> Home {
    let home = Home::with("@@Subject: a\n\na\n\n");
    for dir in [home.index().parent().unwrap(), &home.index()] {
        std::fs::create_dir_all(dir).unwrap();
        give(dir, 5999);
    }
    give(&home.file(), 5999);
    home
}

#[test]
fn where_no_dotlock_can_be_made() {
    use format_mbox::LockMethod::{DotlockTry, Fcntl};
    use std::os::unix::fs::PermissionsExt;
    let home = spool_directory();
    // The temporary directory itself is root's alone.
    std::fs::set_permissions(home.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mail = new_mail(Flags::empty(), &[], 0);
    as_nobody(|| {
        // With dotlocks the mailbox can only be read.
        let mbox = home.mbox();
        assert_eq!(seen(&mut *open(&mbox)).len(), 1);
        assert!(matches!(
            append(&mbox, &mail, PLAIN),
            Err(Error::NotPossible { .. })
        ));
        let write_locks = vec![DotlockTry, Fcntl];
        let settings = Settings {
            write_locks,
            ..Settings::default()
        };
        let mbox = home.mbox_with(Fs::real(), settings);
        assert_eq!(append(&mbox, &mail, PLAIN).unwrap(), 2);
        open(&mbox).remove(&uids(&[1])).unwrap();
        assert_eq!(seen(&mut *look(&mbox)).len(), 1);
    });
}

#[test]
fn a_file_that_may_only_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let home = spool_directory();
    std::fs::set_permissions(home.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(home.file(), std::fs::Permissions::from_mode(0o444)).unwrap();
    let before = home.content();
    as_nobody(|| {
        let mbox = home.mbox();
        let mut view = open(&mbox);
        view.store_flags(&uids(&[1]), &FlagChange::Add(Flags::SEEN, Vec::new()))
            .unwrap();
        view.sync(Expunges::Show).unwrap();
        assert_eq!(seen(&mut *view)[0].flags, Flags::SEEN);
        assert!(matches!(
            view.remove(&uids(&[1])),
            Err(Error::NotPossible { .. })
        ));
        let mail = new_mail(Flags::empty(), &[], 0);
        assert!(matches!(
            append(&mbox, &mail, PLAIN),
            Err(Error::NotPossible { .. })
        ));
    });
    assert_eq!(home.content(), before);
}

/// Whoever reads gets his lock after a writer had it, as often as he tries.
#[test]
fn a_reader_among_busy_writers_reads() {
    let home = Home::with("");
    let mail = new_mail(Flags::empty(), &[], 0);
    append(&home.mbox(), &mail, PLAIN).unwrap();
    let (others, mut number) = (home.mbox(), 1);
    home.faulty.before_each("try_lock_shared", move || {
        number += 1;
        append(&others, &mail, &PLAIN.replace('1', &number.to_string())).unwrap();
    });
    let mbox = home.failing();
    let mut view = look(&mbox);
    assert_eq!(seen(&mut *view)[0].body.replace("\r\n", "\n"), PLAIN);
}

/// As `cat new mbox > mbox` does: UIDs ascend with the file, and what goes is what was asked for.
#[test]
fn a_message_that_came_before_the_others_is_no_disorder() {
    let home = Home::with("");
    let mail = new_mail(Flags::empty(), &[], 0);
    for number in ["1", "2", "3"] {
        append(&home.mbox(), &mail, &PLAIN.replace('1', number)).unwrap();
    }
    let new = PLAIN.replace('1', "4");
    std::fs::write(home.file(), format!("{FROM}{new}\n{}", home.content())).unwrap();
    let order = |home: &Home| -> Vec<String> {
        let all = fresh(home).into_iter();
        all.map(|seen| seen.body.lines().nth(1).unwrap().to_owned())
            .collect()
    };
    let ids = |numbers: &str| -> Vec<String> {
        let ids = numbers.chars();
        ids.map(|number| format!("Message-ID: <{number}@x>"))
            .collect()
    };
    assert_eq!(order(&home), ids("4123"));
    for (number, left) in [(2, "423"), (1, "23"), (2, "2")] {
        let mbox = home.mbox();
        let mut view = open(&mbox);
        let uid = view.uid(seq(number)).unwrap().get();
        view.remove(&uids(&[uid])).unwrap();
        drop(view);
        assert_eq!(order(&home), ids(left));
    }
}

/// Whenever it goes, a message that is gone is not copied, and nothing is wrong.
#[test]
fn what_is_expunged_under_a_copy_is_left_out() {
    for moment in 1..8 {
        let home = Home::with("");
        let mail = new_mail(Flags::empty(), &[], 0);
        let uid = append(&home.mbox(), &mail, PLAIN).unwrap();
        let mut from = look(&home.failing());
        let (others, mut locks) = (home.mbox(), 0);
        home.faulty.before_each("try_lock_shared", move || {
            locks += 1;
            if locks == moment {
                open(&others).remove(&uids(&[uid])).unwrap();
            }
        });
        let to = Home::with("");
        let copied = to.mbox().copy_from(from.as_mut(), &uids(&[uid])).unwrap();
        assert_eq!(copied.from.len(), copied.to.len());
    }
}

/// A Dovecot that died over it, or has yet to come to it, asked the index for a flag; mail came behind.
#[test]
fn what_was_asked_for_outlives_a_look_at_the_end_of_the_file() {
    let home = Home::with("");
    let mail = new_mail(Flags::empty(), &[], 0);
    for number in ["1", "2"] {
        append(&home.mbox(), &mail, &PLAIN.replace('1', number)).unwrap();
    }
    let options = index::Options::mailbox(&mailbox::Settings::default());
    let index = index::Index::open(&Fs::real(), &home.index(), options).unwrap();
    let mut asked = index::Transaction::internal();
    asked.update_flags(&uids(&[1]), Flags::DELETED.index_bits(), 0);
    index.commit(&asked).unwrap();
    home.deliver(&PLAIN.replace('1', "3"));
    assert_eq!(look(&home.mbox()).len(), 3);
    // Now all of the file counts.
    home.deliver(&PLAIN.replace('1', "4"));
    let settings = Settings {
        syncs: Syncs::Clean,
        ..Settings::default()
    };
    let all = seen(&mut *look(&home.mbox_with(Fs::real(), settings)));
    let flags: Vec<Flags> = all.iter().map(|seen| seen.flags).collect();
    let none = Flags::empty();
    assert_eq!(flags, [Flags::DELETED, none, none, none]);
}
