//! Files that somebody else wrote, or broke: attack FS-03 (uidlist), FS-08 (clock), FS-10 (backup
//! restored). What can be kept is kept; UIDVALIDITY changes only where a UID would come to mean
//! another message.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{Rig, names_in, save, set};
use mailbox::{Error, Flags};
use sys::fs::faulty::Fault;

const GUID: &str = "41be9a165b2e046b8745000083ecc375";

/// Files `a`, `b` and `c` in cur/, with this uidlist.
fn listed(list: &[u8]) -> Rig {
    Rig::with(|dir| {
        for name in ["a", "b", "c"] {
            std::fs::write(dir.join("cur").join(format!("{name}:2,S")), name).unwrap();
        }
        std::fs::write(dir.join("dovecot-uidlist"), list).unwrap();
    })
}

/// UIDVALIDITY, and UID with body.
fn answer(rig: &Rig) -> (u32, Vec<(u32, String)>) {
    let validity = rig.maildir.status().unwrap().uid_validity.get();
    let content = rig.content();
    let bodies = content
        .into_iter()
        .map(|(uid, mail)| (uid, String::from_utf8(mail.0).unwrap()));
    (validity, bodies.collect())
}

fn expect(list: &str, validity: u32, mails: &[(u32, &str)]) {
    let rig = listed(list.as_bytes());
    let first = answer(&rig);
    let mails: Vec<(u32, String)> = mails
        .iter()
        .map(|(uid, body)| (*uid, (*body).into()))
        .collect();
    assert_eq!(first, (validity, mails), "{list:?}");
    // Repaired once: the list on disk is sound, and nothing changes any more.
    let sound = rig.list();
    assert!(
        sound.starts_with(&format!("3 V{validity} ")),
        "{list:?}: {sound}"
    );
    rig.faults.set(Fault::None);
    assert_eq!(answer(&rig), first);
    let calls = rig.faults.calls();
    let wrote = calls
        .iter()
        .any(|call| call.path.ends_with("dovecot-uidlist.tmp"));
    assert!(!wrote, "{list:?}: repaired twice");
}

#[test]
fn a_sound_list_is_left_alone() {
    let list = format!("3 V7 N4 G{GUID}\n1 :a\n2 Gother Zzz :b\n3 :c\n");
    let rig = listed(list.as_bytes());
    assert_eq!(
        answer(&rig),
        (7, vec![(1, "a".into()), (2, "b".into()), (3, "c".into())])
    );
    assert_eq!(rig.list(), list);
}

#[test]
fn a_uid_of_two_files_belongs_to_neither() {
    expect(
        &format!("3 V7 N4 G{GUID}\n1 :a\n2 :b\n2 :c\n"),
        7,
        &[(1, "a"), (4, "b"), (5, "c")],
    );
}

#[test]
fn two_uids_of_one_file_leave_the_later() {
    let list = format!("3 V7 N4 G{GUID}\n1 :a\n2 :b\n3 :c\n4 :a\n");
    let rig = listed(list.as_bytes());
    assert_eq!(
        answer(&rig),
        (7, vec![(2, "b".into()), (3, "c".into()), (4, "a".into())])
    );
}

#[test]
fn descending_uids_are_kept() {
    expect(
        &format!("3 V7 N4 G{GUID}\n9 :a\n5 :b\n7 :c\n"),
        7,
        &[(5, "b"), (7, "c"), (9, "a")],
    );
}

#[test]
fn uids_out_of_range_cost_only_themselves() {
    let list = format!("3 V7 N4 G{GUID}\n0 :a\n4294967296 :b\n6 :c\n");
    expect(&list, 7, &[(6, "c"), (7, "a"), (8, "b")]);
}

#[test]
fn used_up_uids_start_over_under_a_new_uidvalidity() {
    let list = format!("3 V7 N4 G{GUID}\n5 :a\n4294967295 :b\n");
    expect(&list, 1000, &[(1, "a"), (2, "b"), (3, "c")]);
}

/// The largest number is no UID: an index could not tell the next one.
#[test]
fn the_last_uid_may_be_used() {
    let list = format!("3 V7 N4 G{GUID}\n5 :a\n4294967293 :b\n");
    let rig = listed(list.as_bytes());
    let last = vec![
        (5, "a".into()),
        (4_294_967_293, "b".into()),
        (u32::MAX - 1, "c".into()),
    ];
    assert_eq!(answer(&rig), (7, last));
    let uid = save(&rig.maildir, "d\n", Flags::empty(), &[]).unwrap();
    let status = rig.maildir.status().unwrap();
    assert_eq!((status.uid_validity.get(), uid.get()), (1000, 4));
}

#[test]
fn no_list_at_all() {
    let rig = listed(b"");
    std::fs::remove_file(rig.dir().join("dovecot-uidlist")).unwrap();
    assert_eq!(
        answer(&rig),
        (
            1000,
            vec![(1, "a".into()), (2, "b".into()), (3, "c".into())]
        )
    );
}

#[test]
fn a_header_that_tells_nothing() {
    let mails = [(1, "a"), (2, "b"), (3, "c")];
    for header in [
        "",
        "\n",
        "4 V7 N4 Gx\n",
        "garbage\n",
        "3 V0\n",
        "\0\0\0\0",
        "3",
    ] {
        expect(header, 1000, &mails);
    }
}

#[test]
fn version_1_becomes_3_and_keeps_its_uids() {
    expect("1 7 9\n3 a:2,S\n5 b\n", 7, &[(3, "a"), (5, "b"), (9, "c")]);
}

#[test]
fn a_list_without_guid_gets_one() {
    expect(
        "3 V7 N4\n1 :a\n2 :b\n3 :c\n",
        7,
        &[(1, "a"), (2, "b"), (3, "c")],
    );
}

#[test]
fn lines_of_garbage_at_the_end_may_have_been_uids() {
    expect(
        &format!("3 V7 N2 G{GUID}\n1 :a\nxxxx\n"),
        1000,
        &[(1, "a"), (2, "b"), (3, "c")],
    );
}

#[test]
fn an_append_that_was_cut_short() {
    expect(
        &format!("3 V7 N2 G{GUID}\n1 :a\n2 :b\n3 :"),
        7,
        &[(1, "a"), (2, "b"), (4, "c")],
    );
}

#[test]
fn a_line_of_a_gigabyte_in_little_memory() {
    use std::os::unix::fs::FileExt;
    let rig = listed(format!("3 V7 N9 G{GUID}\n1 :a\n").as_bytes());
    let path = rig.dir().join("dovecot-uidlist");
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    // Sparse: a line of NULs, then a sound one.
    file.write_all_at(b"\n2 :b\n", 1 << 30).unwrap();
    assert_eq!(
        answer(&rig),
        (7, vec![(1, "a".into()), (2, "b".into()), (9, "c".into())])
    );
    assert!(rig.list().len() < 200);
}

/// A process that knew better does not give UIDs out twice.
#[test]
fn a_backup_of_the_list_is_restored() {
    let rig = Rig::new();
    rig.save("one\n");
    let backup = std::fs::read(rig.dir().join("dovecot-uidlist")).unwrap();
    let two = rig.save("two\n");
    let before = rig.maildir.status().unwrap();
    // The whole Maildir from yesterday: without the second message.
    rig.maildir
        .remove(&set(&[two.get()]), format_maildir::change::Removal::All)
        .unwrap();
    std::fs::write(rig.dir().join("dovecot-uidlist"), backup).unwrap();
    let three = rig.save("three\n");
    let after = rig.maildir.status().unwrap();
    assert!(three > two && after.uid_next > before.uid_next);
    assert_eq!(after.uid_validity, before.uid_validity);
}

/// Here another server has given a UID to another message already.
#[test]
fn a_restored_list_in_which_uids_mean_something_else() {
    let rig = Rig::new();
    rig.save("one\n");
    let backup = rig.list();
    rig.save("two\n");
    let before = rig.maildir.status().unwrap();
    std::fs::write(rig.dir().join("cur/other:2,"), "other\n").unwrap();
    std::fs::write(rig.dir().join("dovecot-uidlist"), backup + "2 :other\n").unwrap();
    let after = rig.maildir.status().unwrap();
    assert_ne!(after.uid_validity, before.uid_validity);
    assert_eq!(rig.content().len(), 3);
}

#[test]
fn the_list_vanishes_under_a_running_process() {
    let rig = Rig::new();
    rig.save("one\n");
    rig.save("two\n");
    let before = (rig.maildir.status().unwrap(), rig.content());
    std::fs::remove_file(rig.dir().join("dovecot-uidlist")).unwrap();
    let after = rig.maildir.status().unwrap();
    assert_eq!((after, rig.content()), before);
}

#[test]
fn what_is_no_message_is_no_message() {
    let rig = Rig::with(|dir| {
        std::fs::create_dir(dir.join("cur/directory")).unwrap();
        std::fs::write(dir.join("cur/.hidden"), "x").unwrap();
        std::fs::write(dir.join("cur/line\nbreak"), "x").unwrap();
        std::fs::write(dir.join("cur/ok:2,S"), "x").unwrap();
    });
    assert_eq!(rig.content().len(), 1);
}

#[test]
fn two_messages_of_one_name_both_stay() {
    let rig = Rig::with(|dir| {
        std::fs::write(dir.join("cur/1.x.h:2,S"), "first").unwrap();
        std::fs::write(dir.join("cur/1.x.h:2,F"), "second").unwrap();
        std::fs::write(dir.join("cur/2.x.h:2,"), "same").unwrap();
        std::fs::hard_link(dir.join("cur/2.x.h:2,"), dir.join("cur/2.x.h:2,S")).unwrap();
        std::fs::write(dir.join("new/3.x.h"), "third").unwrap();
        std::fs::write(dir.join("cur/3.x.h:2,"), "fourth").unwrap();
    });
    let content = rig.content();
    let mut bodies: Vec<&[u8]> = content.values().map(|mail| mail.0.as_slice()).collect();
    bodies.sort_unstable();
    assert_eq!(
        bodies,
        [&b"first"[..], b"fourth", b"same", b"second", b"third"]
    );
    assert_eq!(names_in(&rig.dir().join("cur")).len(), 4);
    rig.view();
    assert_eq!(rig.content(), content);
}

#[test]
fn keywords_of_all_kinds() {
    let rig = Rig::with(|dir| {
        std::fs::write(dir.join("cur/1.x.h:2,az"), "x").unwrap();
        std::fs::write(
            dir.join("dovecot-keywords"),
            "0 ok\n25 not ok\n99 x\n\u{1f4a9}\n",
        )
        .unwrap();
    });
    let content = rig.content();
    assert_eq!(content.values().next().unwrap().2, ["ok", "unknown-25"]);
}

#[test]
fn a_file_that_lies_about_its_size() {
    use mailbox::{Mailbox, Seq};
    let rig = Rig::with(|dir| {
        std::fs::write(dir.join("cur/1.x.h,S=3,W=3:2,"), "a\nb\n").unwrap();
        std::fs::write(dir.join("cur/2.x.h:2,"), "a\nb\n").unwrap();
    });
    let mut view = rig.view();
    let mut mail = view.mail(Seq::MIN).unwrap();
    let mut body = Vec::new();
    std::io::Read::read_to_end(&mut mail.body().unwrap(), &mut body).unwrap();
    assert_eq!(mail.size().unwrap(), 6);
    drop(mail);
    assert_eq!(view.mail(Seq::new(2).unwrap()).unwrap().size().unwrap(), 6);
}

#[test]
fn a_fifo_blocks_nobody() {
    use mailbox::{Mailbox, Seq};
    let rig = Rig::with(|dir| {
        let path = dir.join("cur/1.x.h:2,");
        let made = std::process::Command::new("mkfifo")
            .arg(path)
            .status()
            .unwrap();
        assert!(made.success());
    });
    let mut view = rig.view();
    // Directory entries that are no files are no messages.
    assert_eq!(view.len(), 0);
    assert!(matches!(view.mail(Seq::MIN), Err(Error::Expunged)));
}

#[test]
fn the_mailbox_is_gone() {
    let rig = Rig::new();
    let mut view = rig.view();
    std::fs::remove_dir_all(rig.dir()).unwrap();
    use mailbox::{Expunges, Mailbox};
    assert!(matches!(
        view.sync(Expunges::Show),
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(rig.maildir.status(), Err(Error::NotFound { .. })));
    let saved = save(&rig.maildir, "x", Flags::empty(), &[]);
    assert!(matches!(saved, Err(Error::NotFound { .. })), "{saved:?}");
}
