//! A mailbox of many messages: the numbers stay right, and memory stays small. Alone in its process:
//! what it measures is the process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{Rig, set, settle, view};
use mailbox::{Access, Change, Expunges, FlagChange, Flags, Mailbox, Seq, Uid, UidSet};

/// Messages.
const MAILS: u32 = 20_000;

/// The most that one of them may cost in memory: its line, its name, its place in a view. The rest of
/// the bound is what comes and goes with a listing.
const BYTES_EACH: u64 = 320;

fn seqs(view: &dyn Mailbox) -> impl Iterator<Item = Seq> {
    (1..=view.len()).filter_map(Seq::new)
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let number = line.unwrap().split_ascii_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

fn store() -> Rig {
    Rig::with(|dir| {
        for number in 0..MAILS {
            // Names in another order than times; every fourth is unseen.
            let flags = if number % 4 == 0 { "" } else { "S" };
            let micros = u64::from(number) * 7919 % 1_000_000;
            let second = 1_500_000_000 + number / 7;
            let name =
                format!("{second}.M{micros}P{number}.mx1.example.org,S=4711,W=4800:2,{flags}");
            std::fs::File::create(dir.join("cur").join(name)).unwrap();
        }
    })
}

#[test]
fn twenty_thousand_messages() {
    let rig = store();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_kib();

    // No list yet: every file gets its UID, in the order of arrival.
    let status = rig.maildir.status().unwrap();
    let unseen = MAILS / 4;
    assert_eq!((status.messages, status.unseen), (MAILS, unseen));
    assert_eq!(status.uid_next.get(), MAILS + 1);
    let mut one = rig.view();
    let two = rig.view();
    let growth = (peak_kib() - before) * 1024;
    assert!(growth < u64::from(MAILS) * BYTES_EACH, "{growth} bytes");

    assert!(seqs(&one).all(|seq| one.uid(seq).unwrap().get() == seq.get()));
    let seen = |view: &dyn Mailbox| {
        let all = seqs(view).map(|seq| view.flags(seq).unwrap().flags);
        all.filter(|flags| flags.contains(Flags::SEEN)).count()
    };
    assert_eq!(seen(&one), usize::try_from(MAILS - unseen).unwrap());
    assert_eq!(one.first_unseen(), Seq::new(1));

    // Another process reads the same from the list.
    let other = rig.other();
    let theirs = view(&other, Access::ReadOnly);
    assert_eq!((theirs.len(), seen(&theirs)), (MAILS, seen(&one)));
    assert!(seqs(&theirs).all(|seq| theirs.uid(seq) == one.uid(seq)));
    drop(theirs);

    changes_of_a_thousand(&rig, &mut one);
    // The second view is still what it was.
    assert_eq!((two.len(), seen(&two)), (MAILS, seen(&one)));
    assert!(!seqs(&two).any(|seq| two.flags(seq).unwrap().flags.contains(Flags::FLAGGED)));

    // One message comes, and the others are not looked at.
    settle(&rig.dir());
    one.sync(Expunges::Show).unwrap();
    rig.faults.set(sys::fs::faulty::Fault::None);
    common::save(&other, "x\n", Flags::empty(), &[]).unwrap();
    let told = one.sync(Expunges::Show).unwrap();
    assert!(matches!(told[..], [Change::Grown { messages, .. }] if messages == MAILS + 1));
    let listed = rig.faults.calls().into_iter();
    let listed: Vec<_> = listed.filter(|call| call.name == "read_dir").collect();
    assert!(
        listed.iter().all(|call| call.path.ends_with("new")),
        "{listed:?}"
    );
}

fn changes_of_a_thousand(rig: &Rig, view: &mut dyn Mailbox) {
    let step = MAILS / 1000;
    let uids = set(&(0..1000)
        .map(|number| 1 + number * step)
        .collect::<Vec<_>>());
    let flag = FlagChange::Add(Flags::FLAGGED, vec![]);
    view.store_flags(&uids, &flag).unwrap();
    let told = view.sync(Expunges::Show).unwrap();
    let expected = (0..1000).filter_map(|number| Seq::new(1 + number * step));
    let expected: Vec<Change> = expected.map(|seq| Change::Flags { seq }).collect();
    assert_eq!(told, expected);

    let copied = format_maildir::copy::copy(&rig.maildir, &uids, &rig.maildir).unwrap();
    let first = copied.to[0].get();
    let next = (first..).filter_map(Uid::new);
    assert!(copied.to.iter().copied().eq(next.take(1000)));
    assert_eq!(view.sync(Expunges::Show).unwrap().len(), 1);
    assert_eq!(view.len(), MAILS + 1000);
    view.remove(&UidSet::from_iter(copied.to)).unwrap();
    assert_eq!(view.sync(Expunges::Show).unwrap().len(), 1000);
    assert_eq!(view.len(), MAILS);
}
