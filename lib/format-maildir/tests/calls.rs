//! What everyday things ask of the disk: no more than they need.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{Rig, save, set, settle};
use mailbox::{Expunges, FlagChange, Flags, Mailbox};
use sys::fs::faulty::Fault;

/// Every call of `act`, with the last part of its path.
fn calls(rig: &Rig, act: impl FnOnce()) -> Vec<String> {
    rig.faults.set(Fault::None);
    act();
    let calls = rig.faults.calls().into_iter();
    let told = calls.map(
        |call| match call.path.file_name().map(|name| name.to_string_lossy()) {
            None => call.name.to_owned(),
            Some(name) if name.contains(".M") => format!("{} message", call.name),
            Some(name) => format!("{} {name}", call.name),
        },
    );
    told.collect()
}

/// Three messages, and everything known of them.
fn settled() -> Rig {
    let rig = Rig::new();
    for text in ["a", "b", "c"] {
        rig.save(text);
    }
    drop(rig.view());
    settle(&rig.dir());
    drop(rig.view());
    rig
}

#[test]
fn a_mailbox_in_memory_costs_four_stats() {
    let rig = settled();
    let stats = [
        "stat dovecot.index.log",
        "stat dovecot-uidlist",
        "stat new",
        "stat cur",
    ];
    assert_eq!(calls(&rig, || drop(rig.view())), stats);
    assert_eq!(
        calls(&rig, || assert_eq!(
            rig.maildir.status().unwrap().messages,
            3
        )),
        stats
    );
    let mut view = rig.view();
    assert_eq!(
        calls(&rig, || drop(view.sync(Expunges::Show).unwrap())),
        stats
    );
}

#[test]
fn a_delivery_syncs_message_directory_and_list() {
    let rig = settled();
    // As in a process that only delivers.
    let deliverer = rig.other();
    save(&deliverer, "first\n", Flags::empty(), &[]).unwrap();
    let made = calls(&rig, || {
        assert!(save(&deliverer, "x\n", Flags::empty(), &[]).is_ok())
    });
    let expected = [
        "create message",
        "write",
        // Its time is given.
        "set_mtime",
        "sync_all",
        "create dovecot-uidlist.lock",
        "set_attribute",
        "write",
        "fstat",
        // Is the index in line?
        "stat dovecot.index.log",
        "stat new",
        "stat cur",
        "stat dovecot-uidlist",
        "stat new",
        "rename message",
        "open new",
        "sync_all",
        "open dovecot-uidlist",
        "write",
        "sync_data",
        "fstat",
        "stat new",
        // Nothing is synced here: the files tell all of it.
        "stat dovecot.index.log",
        "try_lock",
        "stat dovecot.index.log",
        "stat dovecot.index.log",
        "write",
        "try_lock",
        "stat dovecot-uidlist.lock",
        "unlink dovecot-uidlist.lock",
    ];
    assert_eq!(made, expected);
}

#[test]
fn somebody_elses_delivery_is_found_without_listing_what_is_known() {
    let rig = settled();
    let mut view = rig.view();
    save(&rig.other(), "x\n", Flags::empty(), &[]).unwrap();
    let told = calls(&rig, || {
        assert_eq!(view.sync(Expunges::Show).unwrap().len(), 1)
    });
    let listed = told.iter().filter(|call| call.starts_with("read_dir"));
    assert_eq!(listed.collect::<Vec<_>>(), ["read_dir new"]);
    // The same for a message without a line: whoever finds it gives it one.
    settle(&rig.dir());
    view.sync(Expunges::Show).unwrap();
    std::fs::write(rig.dir().join("new/1700000000.M1P1.mta"), "x\n").unwrap();
    let told = calls(&rig, || {
        assert_eq!(view.sync(Expunges::Show).unwrap().len(), 1)
    });
    let listed = told.iter().filter(|call| call.starts_with("read_dir"));
    assert_eq!(listed.collect::<Vec<_>>(), ["read_dir new"]);
}

#[test]
fn a_flag_costs_one_rename_and_one_sync() {
    let rig = settled();
    let mut view = rig.view();
    let change = FlagChange::Add(Flags::FLAGGED, vec![]);
    let made = calls(&rig, || view.store_flags(&set(&[2]), &change).unwrap());
    let count = |name: &str| made.iter().filter(|call| call.starts_with(name)).count();
    assert_eq!(
        (count("rename"), count("sync_all"), count("read_dir")),
        (1, 1, 0),
        "{made:?}"
    );
    // Nothing to change: nothing to sync.
    let made = calls(&rig, || view.store_flags(&set(&[2]), &change).unwrap());
    assert!(
        !made
            .iter()
            .any(|call| call.starts_with("rename") || call.starts_with("sync"))
    );
}
