//! Saving, copying, expunging, purging: what is on disk, and what others see.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Store, append, keyword, message, open, references, seen};
use format_mdbox::Settings;
use index::{Index, Options, Transaction};
use mailbox::{Access, Expunges, FlagChange, Flags, Mailbox, NewMail, StoredMailbox, Uid, UidSet};
use sys::fs::Fs;

fn uids(numbers: impl IntoIterator<Item = u32>) -> UidSet {
    numbers.into_iter().filter_map(Uid::new).collect()
}

fn all() -> UidSet {
    UidSet::from_ranges([(Uid::MIN, Uid::MAX)])
}

/// The map's log ends with a record that moves the tail behind itself.
fn map_is_settled(store: &Store) {
    let options = Options::map(&mailbox::Settings::default());
    let index = Index::open(&Fs::real(), &store.root.join("storage"), options).unwrap();
    let place = index.state().unwrap().place();
    assert_eq!(place.head, place.tail);
}

fn files(store: &Store) -> Vec<u32> {
    let files = store.storage.dirs().files(&Fs::real()).unwrap();
    files.keys().map(|id| id.0).collect()
}

#[test]
fn saves_are_there_with_all_they_came_with() {
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let inbox = store.create("INBOX");
    let mail = NewMail {
        flags: Flags::SEEN.with(Flags::RECENT),
        keywords: vec![keyword("$Work"), keyword("other")],
        internal_date: Some(mailbox::MailDate::local(1_700_000_000)),
        ..NewMail::default()
    };
    let appended = append(&inbox, &[message(1), message(2)], &mail).unwrap();
    assert_eq!(appended.uids, [Uid::MIN, Uid::new(2).unwrap()]);
    append(&inbox, &[message(3)], &NewMail::default()).unwrap();
    // Another process.
    let other = Store::open(&store.root);
    let mut view = open(&other.mailbox("INBOX"), Access::ReadOnly);
    let shown = seen(view.as_mut());
    for (number, seen) in (1..).zip(&shown) {
        assert_eq!(seen.sha256, common::hash(&message(number)));
        assert_eq!(seen.size, message(number).len() as u64);
    }
    assert_eq!(shown[0].internal_date, 1_700_000_000);
    assert_eq!(shown[1].keywords.len(), 2);
    assert!(shown[2].keywords.is_empty() && shown[2].flags.is_empty());
    assert_eq!(files(&store), [1]);
    assert_eq!(references(&other.storage).values().sum::<u16>(), 3);
    map_is_settled(&store);
}

#[test]
fn files_rotate_by_size() {
    let home = common::scratch();
    let settings = Settings {
        rotate_size: 400,
        ..Settings::default()
    };
    let store = Store::with(&home.path().join("mdbox"), Fs::real(), settings);
    let inbox = store.create("INBOX");
    for number in 0..6 {
        append(&inbox, &[message(number)], &NewMail::default()).unwrap();
    }
    append(
        &inbox,
        &[message(6), vec![b'x'; 1000], message(8)],
        &NewMail::default(),
    )
    .unwrap();
    // Four short ones, three and the last, the long one.
    assert_eq!(files(&store), [1, 2, 3]);
    let mut view = open(&inbox, Access::ReadWrite);
    assert_eq!(seen(view.as_mut()).len(), 9);
}

#[test]
fn old_files_are_not_appended_to() {
    let home = common::scratch();
    let settings = Settings {
        rotate_interval: Duration::from_secs(1),
        ..Settings::default()
    };
    let root = home.path().join("mdbox");
    let store = Store::with(&root, Fs::real(), settings);
    let inbox = store.create("INBOX");
    append(&inbox, &[message(1)], &NewMail::default()).unwrap();
    let path = root.join("storage/m.1");
    let mut bytes = std::fs::read(&path).unwrap();
    // Made in 1970.
    bytes[7..15].copy_from_slice(b"00000001");
    std::fs::write(&path, bytes).unwrap();
    append(&inbox, &[message(2)], &NewMail::default()).unwrap();
    assert_eq!(files(&store), [1, 2]);
}

#[test]
fn a_save_that_is_given_up_leaves_nothing() {
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let inbox = store.create("INBOX");
    append(&inbox, &[message(1)], &NewMail::default()).unwrap();
    let before = std::fs::read(store.root.join("storage/m.1")).unwrap();
    let mut save = inbox.clone().begin_save().unwrap();
    save.save(&NewMail::default(), &mut &b"half"[..]).unwrap();
    drop(save);
    assert_eq!(
        std::fs::read(store.root.join("storage/m.1")).unwrap(),
        before
    );
    let names = std::fs::read_dir(store.root.join("storage")).unwrap();
    let temporary = names.filter(|name| {
        let name = name.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with(".temp")
    });
    assert_eq!(temporary.count(), 0);
}

#[test]
fn a_file_in_use_is_left_alone() {
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let inbox = store.create("INBOX");
    append(&inbox, &[message(1)], &NewMail::default()).unwrap();
    let mut slow = inbox.clone().begin_save().unwrap();
    slow.save(&NewMail::default(), &mut message(2).as_slice())
        .unwrap();
    append(&inbox, &[message(3)], &NewMail::default()).unwrap();
    slow.commit().unwrap();
    assert_eq!(files(&store), [1, 2]);
    let mut view = open(&inbox, Access::ReadWrite);
    let shown = seen(view.as_mut());
    let bodies: Vec<_> = shown.iter().map(|seen| seen.sha256.clone()).collect();
    assert_eq!(
        bodies,
        [1, 3, 2].map(|number| common::hash(&message(number)))
    );
}

#[test]
fn copies_share_their_bytes_until_the_last_goes() {
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let (inbox, archive) = (store.create("INBOX"), store.create("Archive"));
    append(&inbox, &[message(1), message(2)], &NewMail::default()).unwrap();
    let size = std::fs::metadata(store.root.join("storage/m.1"))
        .unwrap()
        .len();
    let mut view = open(&inbox, Access::ReadWrite);
    let copied = archive.clone().copy_from(view.as_mut(), &all()).unwrap();
    assert_eq!(copied.from.len(), 2);
    archive
        .clone()
        .copy_from(view.as_mut(), &uids([1]))
        .unwrap();
    inbox.clone().copy_from(view.as_mut(), &uids([1])).unwrap();
    assert_eq!(
        std::fs::metadata(store.root.join("storage/m.1"))
            .unwrap()
            .len(),
        size
    );
    assert_eq!(references(&store.storage), [(1, 4), (2, 2)].into());
    view.sync(Expunges::Show).unwrap();
    assert_eq!(view.len(), 3);
    view.remove(&all()).unwrap();
    assert_eq!(references(&store.storage), [(1, 2), (2, 1)].into());
    // Twice is once.
    view.remove(&all()).unwrap();
    assert_eq!(references(&store.storage), [(1, 2), (2, 1)].into());
    let mut view = open(&archive, Access::ReadWrite);
    let deleted = FlagChange::Add(Flags::DELETED, Vec::new());
    view.store_flags(&uids([2]), &deleted).unwrap();
    view.expunge(None).unwrap();
    assert_eq!(references(&store.storage), [(1, 2), (2, 0)].into());
    let purged = store.storage.purge(&mut |_, _| {}).unwrap();
    assert_eq!((purged.messages, purged.moved, purged.files), (1, 1, 1));
    assert_eq!(references(&store.storage), [(1, 2)].into());
    assert_eq!(files(&store), [2]);
    view.sync(Expunges::Show).unwrap();
    assert!(
        seen(view.as_mut())
            .iter()
            .all(|seen| seen.sha256 == common::hash(&message(1)))
    );
    map_is_settled(&store);
    assert_eq!(store.storage.purge(&mut |_, _| {}).unwrap().files, 0);
}

#[test]
fn what_another_asked_for_is_done_once() {
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let inbox = store.create("INBOX");
    append(
        &inbox,
        &[message(1), message(2), message(3)],
        &NewMail::default(),
    )
    .unwrap();
    // As Dovecot asks for it.
    let dir = store.root.join("mailboxes/INBOX/dbox-Mails");
    let options = Options::mailbox(&mailbox::Settings::default());
    let other = Index::open(&Fs::real(), &dir, options).unwrap();
    let mut transaction = Transaction::internal();
    transaction.expunge(2, [0; 16]);
    other.commit(&transaction).unwrap();
    assert!(other.has_requests());
    // EXAMINE changes nothing.
    assert_eq!(open(&inbox, Access::ReadOnly).len(), 3);
    assert_eq!(references(&store.storage), [(1, 1), (2, 1), (3, 1)].into());
    for _ in 0..2 {
        assert_eq!(open(&inbox, Access::ReadWrite).len(), 2);
        assert_eq!(references(&store.storage), [(1, 1), (2, 0), (3, 1)].into());
    }
    other.refresh().unwrap();
    assert!(!other.has_requests());
}

#[test]
fn deleting_a_mailbox_gives_its_references_up() {
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let (inbox, other) = (store.create("INBOX"), store.create("Other"));
    append(&other, &[message(1), message(2)], &NewMail::default()).unwrap();
    let mut view = open(&other, Access::ReadWrite);
    inbox.clone().copy_from(view.as_mut(), &uids([1])).unwrap();
    other.prepare_delete().unwrap();
    assert_eq!(references(&store.storage), [(1, 1), (2, 0)].into());
    assert!(matches!(
        other.status(),
        Err(mailbox::Error::NotFound { .. })
    ));
    assert!(matches!(
        view.sync(Expunges::Show),
        Err(mailbox::Error::NotFound { .. })
    ));
    std::fs::remove_dir_all(store.root.join("mailboxes/Other")).unwrap();
    assert!(!other.exists().unwrap());
    other.create().unwrap();
    assert_eq!(open(&other, Access::ReadWrite).len(), 0);
    assert_eq!(seen(open(&inbox, Access::ReadWrite).as_mut()).len(), 1);
}

#[test]
fn messages_move_to_alt_storage_and_back() {
    let home = common::scratch();
    std::fs::create_dir_all(home.path().join("alt/storage")).unwrap();
    let store = Store::open(&home.path().join("mdbox"));
    let (inbox, other) = (store.create("INBOX"), store.create("Other"));
    append(
        &inbox,
        &[message(1), message(2), message(3)],
        &NewMail::default(),
    )
    .unwrap();
    let mut view = open(&inbox, Access::ReadWrite);
    other.clone().copy_from(view.as_mut(), &uids([1])).unwrap();
    let before = seen(view.as_mut());
    inbox.mark_place(&uids([1, 2]), dbox::Place::Alt).unwrap();
    store.storage.purge(&mut |_, _| {}).unwrap();
    let alt = || {
        std::fs::read_dir(home.path().join("alt/storage"))
            .unwrap()
            .count()
    };
    // The first is wanted here by its copy.
    assert_eq!(alt(), 1);
    assert_eq!(seen(view.as_mut()), before);
    other.mark_place(&all(), dbox::Place::Alt).unwrap();
    store.storage.purge(&mut |_, _| {}).unwrap();
    assert_eq!(alt(), 2);
    inbox.mark_place(&all(), dbox::Place::Primary).unwrap();
    other.mark_place(&all(), dbox::Place::Primary).unwrap();
    store.storage.purge(&mut |_, _| {}).unwrap();
    assert_eq!(alt(), 0);
    assert_eq!(seen(view.as_mut()), before);
}

#[test]
fn a_lost_map_is_found_again() {
    let home = common::scratch();
    let root = home.path().join("mdbox");
    let store = Store::open(&root);
    let (inbox, other) = (store.create("INBOX"), store.create("Other"));
    append(
        &inbox,
        &[message(1), message(2), message(3)],
        &NewMail::default(),
    )
    .unwrap();
    let mut view = open(&inbox, Access::ReadWrite);
    other.clone().copy_from(view.as_mut(), &uids([2])).unwrap();
    view.remove(&uids([3])).unwrap();
    view.sync(Expunges::Show).unwrap();
    let before = seen(view.as_mut());
    for file in std::fs::read_dir(root.join("storage")).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().contains("dovecot.map") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let store = Store::open(&root);
    let mut view = open(&store.mailbox("INBOX"), Access::ReadWrite);
    assert_eq!(seen(view.as_mut()), before);
    assert_eq!(references(&store.storage), [(1, 1), (2, 2)].into());
    // What was garbage comes back only when somebody asks for everything.
    use format_mdbox::rebuild::{Extent, Run};
    let told = store.storage.rebuild(Extent::Everything, Run::Dry).unwrap();
    assert!(!told.is_empty());
    assert_eq!(open(&store.mailbox("INBOX"), Access::ReadWrite).len(), 2);
    store
        .storage
        .rebuild(Extent::Everything, Run::Real)
        .unwrap();
    assert_eq!(open(&store.mailbox("INBOX"), Access::ReadWrite).len(), 3);
    assert_eq!(
        store
            .storage
            .rebuild(Extent::Everything, Run::Real)
            .unwrap(),
        []
    );
}

#[test]
fn a_map_made_anew_and_left_so_costs_nothing() {
    let home = common::scratch();
    let root = home.path().join("mdbox");
    let store = Store::open(&root);
    let inbox = store.create("INBOX");
    append(&inbox, &[message(1), message(2)], &NewMail::default()).unwrap();
    let before = seen(open(&inbox, Access::ReadWrite).as_mut());
    for first in 0..3 {
        for file in std::fs::read_dir(root.join("storage")).unwrap() {
            let path = file.unwrap().path();
            if path.to_string_lossy().contains("dovecot.map") {
                std::fs::remove_file(path).unwrap();
            }
        }
        // Somebody makes the map, and is killed before the messages are found again.
        Store::open(&root).storage.map().picture().unwrap();
        let store = Store::open(&root);
        match first {
            0 => drop(store.storage.purge(&mut |_, _| {}).unwrap()),
            1 => drop(append(&store.create("Other"), &[message(3)], &NewMail::default()).unwrap()),
            _ => {}
        }
        let shown = seen(open(&store.mailbox("INBOX"), Access::ReadWrite).as_mut());
        assert_eq!(shown, before, "{first}");
        store.storage.purge(&mut |_, _| {}).unwrap();
        let shown = seen(open(&store.mailbox("INBOX"), Access::ReadWrite).as_mut());
        assert_eq!(shown, before, "{first}");
    }
}

#[test]
fn sessions_at_the_same_time() {
    let home = common::scratch();
    let root = home.path().join("mdbox");
    Store::open(&root).create("INBOX");
    Store::open(&root).create("Other");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let root = &root;
            scope.spawn(move || {
                let store = Store::open(root);
                let (inbox, other) = (store.mailbox("INBOX"), store.mailbox("Other"));
                for number in 0..10 {
                    let appended = append(
                        &inbox,
                        &[message(thread * 100 + number)],
                        &NewMail::default(),
                    );
                    let uid = appended.unwrap().uids[0];
                    let mut view = open(&inbox, Access::ReadWrite);
                    let one = UidSet::from_iter([uid]);
                    other.clone().copy_from(view.as_mut(), &one).unwrap();
                    if number % 2 == 0 {
                        view.remove(&one).unwrap();
                    }
                    if number % 5 == 0 {
                        store.storage.purge(&mut |_, _| {}).unwrap();
                    }
                }
            });
        }
    });
    let store = Store::open(&root);
    let mut inbox = open(&store.mailbox("INBOX"), Access::ReadWrite);
    let mut other = open(&store.mailbox("Other"), Access::ReadWrite);
    assert_eq!((inbox.len(), other.len()), (20, 40));
    let bodies = |view: &mut dyn Mailbox| -> std::collections::BTreeSet<String> {
        seen(view).into_iter().map(|seen| seen.sha256).collect()
    };
    assert_eq!(bodies(other.as_mut()).len(), 40);
    assert!(bodies(inbox.as_mut()).is_subset(&bodies(other.as_mut())));
    use format_mdbox::rebuild::{Extent, Run};
    assert_eq!(
        store.storage.rebuild(Extent::Everything, Run::Dry).unwrap(),
        []
    );
    map_is_settled(&store);
}

#[test]
fn whoever_waits_is_woken() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let (inbox, other) = (
        store.create("INBOX"),
        Store::open(&store.root).mailbox("INBOX"),
    );
    let mut waiting = open(&inbox, Access::ReadWrite);
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
    append(&other, &[message(1)], &NewMail::default()).unwrap();
    assert!(is_woken(waiting.as_ref(), 60));
    assert_eq!(waiting.sync(Expunges::Show).unwrap().len(), 1);
    inbox.wake();
    assert!(is_woken(waiting.as_ref(), 60));
}

#[test]
fn deliveries_at_once_are_each_there() {
    use std::sync::Barrier;
    const THREADS: u32 = 8;
    const ROUNDS: u32 = 10;
    let home = common::scratch();
    let store = Store::open(&home.path().join("mdbox"));
    let inbox = store.create("INBOX");
    let barrier = Barrier::new(THREADS as usize);
    let told: Vec<Uid> = std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| {
            let (inbox, barrier) = (&inbox, &barrier);
            scope.spawn(move || {
                let mut uids = Vec::new();
                for round in 0..ROUNDS {
                    let mut save = inbox.clone().begin_save().unwrap();
                    let body = message(thread * 100 + round);
                    save.save(&NewMail::default(), &mut body.as_slice())
                        .unwrap();
                    barrier.wait();
                    uids.extend(save.commit().unwrap().uids);
                }
                uids
            })
        });
        let threads: Vec<_> = threads.collect();
        let uids = threads.into_iter().map(|thread| thread.join().unwrap());
        uids.flatten().collect()
    });
    let mut once = told.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), told.len());
    let mut view = open(&inbox, Access::ReadWrite);
    let shown = seen(view.as_mut());
    for (thread, uids) in (0..).zip(told.chunks(ROUNDS as usize)) {
        for (round, uid) in (0..).zip(uids) {
            let body = common::hash(&message(thread * 100 + round));
            let found = shown.iter().find(|seen| seen.uid == uid.get()).unwrap();
            assert_eq!(found.sha256, body);
        }
    }
    map_is_settled(&store);
}

#[test]
fn a_hidden_file_comes_to_light() {
    use format_mdbox::rebuild::{Extent, Finding, Run};
    let home = common::scratch();
    let alt = home.path().join("alt/storage");
    std::fs::create_dir_all(&alt).unwrap();
    let store = Store::open(&home.path().join("mdbox"));
    let inbox = store.create("INBOX");
    append(&inbox, &[message(1), message(2)], &NewMail::default()).unwrap();
    let before = seen(open(&inbox, Access::ReadWrite).as_mut());
    // Another storage's file has come to the primary place under the number of ours.
    let file = store.root.join("storage/m.1");
    std::fs::rename(&file, alt.join("m.1")).unwrap();
    std::fs::write(&file, b"2 M1e C6b042e53\n").unwrap();
    let store = Store::open(&store.root);
    let told = store
        .storage
        .rebuild(Extent::Everything, Run::Real)
        .unwrap();
    assert!(
        told.iter()
            .any(|finding| matches!(finding, Finding::Renumbered { .. })),
        "{told:?}"
    );
    let after = seen(open(&store.mailbox("INBOX"), Access::ReadWrite).as_mut());
    assert_eq!(after, before);
    assert_eq!(
        store
            .storage
            .rebuild(Extent::Everything, Run::Real)
            .unwrap(),
        []
    );
}
