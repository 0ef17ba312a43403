//! A large mailbox: calls grow no faster than messages.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Rig, all, save, view};
use mailbox::{Access, Expunges, FlagChange, Flags, Keyword, Seq, StoredMailbox, Uid, UidSet};
use sys::fs::faulty::Fault;

const MESSAGES: usize = 4096;

#[test]
fn thousands_of_messages() {
    let rig = Rig::new();
    let sdbox = rig.sdbox();
    save(&sdbox, "Subject: x\n\nbody\n", Flags::SEEN, &["k", "l"]).unwrap();
    let calls = |rig: &Rig| {
        let calls = rig.faults.calls().len();
        rig.faults.set(Fault::None);
        calls
    };
    let mut session = view(&sdbox, Access::ReadWrite);
    calls(&rig);
    while (session.len() as usize) < MESSAGES {
        Arc::clone(&sdbox)
            .copy_from(session.as_mut(), &all())
            .unwrap();
        session.sync(Expunges::Show).unwrap();
    }
    // Is it there, is its name free, link.
    assert!(calls(&rig) < 3 * MESSAGES + 500);
    let change = FlagChange::Replace(Flags::FLAGGED, vec![Keyword::new("m").unwrap()]);
    session.store_flags(&all(), &change).unwrap();
    let told = session.sync(Expunges::Show).unwrap();
    assert_eq!(told.len(), MESSAGES);
    assert!(calls(&rig) < 30);
    let sizes = |session: &mut Box<dyn mailbox::Mailbox>| {
        for seq in (1..=session.len()).filter_map(Seq::new) {
            assert_eq!(session.mail(seq).unwrap().size().unwrap(), 20);
        }
        session.sync(Expunges::Show).unwrap();
    };
    sizes(&mut session);
    assert!(calls(&rig) < 6 * MESSAGES);
    sizes(&mut session);
    assert!(calls(&rig) < MESSAGES / 10, "sizes are cached");
    let fresh = rig.sdbox();
    let mut other = view(&fresh, Access::ReadWrite);
    assert!(calls(&rig) < 40, "nobody reads messages to open a mailbox");
    let half: UidSet = (1..=session.len())
        .step_by(2)
        .filter_map(Uid::new)
        .collect();
    session.remove(&half).unwrap();
    assert_eq!(session.sync(Expunges::Show).unwrap().len(), MESSAGES / 2);
    assert!(other.sync(Expunges::Hold).unwrap().is_empty());
    assert_eq!(other.sync(Expunges::Show).unwrap().len(), MESSAGES / 2);
    // Primary and ALT storage.
    assert!(calls(&rig) < MESSAGES + 100);
}
