//! How many system calls things cost: a regression here is one of speed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{Rig, save, set, view};
use mailbox::{Access, Expunges, FlagChange, Flags, Seq};
use sys::fs::faulty::Fault;

fn names(rig: &Rig) -> Vec<&'static str> {
    rig.faults.calls().iter().map(|call| call.name).collect()
}

#[test]
fn each_step_costs_what_it_must() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    let text = "Subject: x\r\n\r\nbody\r\n";
    drop(view(&sdbox, Access::ReadWrite));
    for _ in 0..3 {
        save(&sdbox, text, Flags::SEEN, &["k"]).unwrap();
    }
    let count = |act: &mut dyn FnMut()| {
        rig.faults.set(Fault::None);
        act();
        names(&rig)
    };
    let calls = count(&mut || drop(save(&sdbox, text, Flags::SEEN, &["k"]).unwrap()));
    // Nine of them are the cache's, which wants to know of NULs and the like, as Dovecot's does.
    assert!(calls.len() <= 24, "save: {calls:?}");
    let syncs = calls.iter().filter(|call| call.starts_with("sync")).count();
    assert_eq!(syncs, 3, "the message, its name, the log");
    // Nobody waits for the clearing of \Recent.
    let calls = count(&mut || drop(view(&sdbox, Access::ReadWrite)));
    assert!(calls.len() <= 8, "select: {calls:?}");
    let mut session = view(&sdbox, Access::ReadWrite);
    let calls = count(&mut || drop(session.sync(Expunges::Show).unwrap()));
    assert_eq!(calls, ["stat"], "noop");
    let change = FlagChange::Add(Flags::FLAGGED, vec![]);
    let calls = count(&mut || session.store_flags(&set(&[2]), &change).unwrap());
    assert!(calls.len() <= 8, "store: {calls:?}");
    let calls = count(&mut || {
        let mut text = String::new();
        let mut mail = session.mail(Seq::MIN).unwrap();
        mail.body().unwrap().read_to_string(&mut text).unwrap();
    });
    // The header and the text; then what is behind it, which tells of attachments.
    assert!(calls.len() <= 5 && calls[0] == "open", "body: {calls:?}");
    let calls = count(&mut || session.remove(&set(&[2])).unwrap());
    // Seven of them count what is gone from the cache.
    assert!(calls.len() <= 19, "expunge: {calls:?}");
    let syncs = calls.iter().filter(|call| call.starts_with("sync")).count();
    assert_eq!(syncs, 1, "expunge: {calls:?}");
}

/// Deliveries at the same time share the log's sync.
#[test]
fn saves_at_once_share_a_sync() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    save(&sdbox, "x", Flags::empty(), &[]).unwrap();
    rig.faults.set(Fault::None);
    let barrier = std::sync::Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..4 {
                    save(&sdbox, "x", Flags::empty(), &[]).unwrap();
                }
            });
        }
    });
    let writes = names(&rig).iter().filter(|name| **name == "write").count();
    assert!(writes <= 64, "one for each message at most: {writes}");
    assert_eq!(rig.content().len(), 65);
}
