//! Pictures of mailboxes that change in every way.

use mailbox::{Access, FlagChange, MailStore, MailboxName};

use super::*;
use crate::session::testing::Memory;

fn inbox() -> MailboxName {
    MailboxName::new("INBOX").unwrap()
}

fn store(mails: usize) -> Memory {
    let memory = Memory::new();
    for _ in 0..mails {
        memory.deliver("INBOX", b"Subject: x\r\n\r\nx\r\n");
    }
    memory
}

fn open(memory: &mut Memory) -> Box<dyn Mailbox> {
    memory.open(&inbox(), Access::ReadWrite).unwrap()
}

fn uids(numbers: &[u32]) -> UidSet {
    numbers.iter().copied().filter_map(Uid::new).collect()
}

fn seq(number: u32) -> Seq {
    Seq::new(number).unwrap()
}

fn keyword(name: &str) -> Vec<Keyword> {
    vec![Keyword::new(name).unwrap()]
}

#[test]
fn what_is_alike_is_one_run() {
    let mut memory = store(1000);
    let picture = Picture::of(&*open(&mut memory));
    assert_eq!((picture.runs.len(), picture.states.len()), (1, 1));
    let bytes = postcard::to_stdvec(&picture).unwrap();
    assert!(bytes.len() < 20, "{}", bytes.len());
    assert_eq!(postcard::from_bytes::<Picture>(&bytes).unwrap(), picture);
}

#[test]
fn nothing_is_told_where_nothing_happened() {
    let mut memory = store(5);
    let mut view = open(&mut memory);
    view.store_flags(
        &uids(&[2, 4]),
        &FlagChange::Add(Flags::SEEN, keyword("work")),
    )
    .unwrap();
    view.remove(&uids(&[3])).unwrap();
    let picture = Picture::of(&*open(&mut memory));
    let since = picture.compare(&*open(&mut memory)).unwrap();
    assert_eq!(since.changes, []);
}

#[test]
fn every_change_is_told_once_and_in_order() {
    let mut memory = store(6);
    let picture = Picture::of(&*open(&mut memory));
    let mut other = open(&mut memory);
    other
        .store_flags(&uids(&[6]), &FlagChange::Add(Flags::SEEN, Vec::new()))
        .unwrap();
    other
        .store_flags(
            &uids(&[2]),
            &FlagChange::Add(Flags::empty(), keyword("work")),
        )
        .unwrap();
    other.remove(&uids(&[1, 3, 4])).unwrap();
    memory.deliver("INBOX", b"Subject: new\r\n\r\nnew\r\n");
    let view = open(&mut memory);
    let since = picture.compare(&*view).unwrap();
    let expunged = |number, uid| Change::Expunged {
        seq: seq(number),
        uid: Uid::new(uid).unwrap(),
    };
    assert_eq!(
        since.changes,
        [
            expunged(1, 1),
            expunged(2, 3),
            expunged(2, 4),
            Change::Flags { seq: seq(1) },
            Change::Flags { seq: seq(3) },
            Change::Grown {
                messages: 4,
                recent: view.status().recent
            },
        ]
    );
    assert_eq!(picture.knows_all(view.keywords()), 0);
}

#[test]
fn all_gone_and_all_new() {
    let mut memory = store(3);
    let picture = Picture::of(&*open(&mut memory));
    open(&mut memory).remove(&uids(&[1, 2, 3])).unwrap();
    let since = picture.compare(&*open(&mut memory)).unwrap();
    assert_eq!(since.changes.len(), 3);
    let empty = Picture::of(&*open(&mut memory));
    assert!(empty.runs.is_empty());
    memory.deliver("INBOX", b"x");
    let since = empty.compare(&*open(&mut memory)).unwrap();
    assert!(matches!(
        since.changes[..],
        [Change::Grown { messages: 1, .. }]
    ));
}

#[test]
fn keywords_are_compared_by_name() {
    let mut memory = store(2);
    let mut view = open(&mut memory);
    view.store_flags(
        &uids(&[1]),
        &FlagChange::Add(Flags::empty(), keyword("one")),
    )
    .unwrap();
    view.store_flags(
        &uids(&[2]),
        &FlagChange::Add(Flags::empty(), keyword("two")),
    )
    .unwrap();
    let mut picture = Picture::of(&*open(&mut memory));
    // As a process before had them, in another order and spelling.
    picture.keywords = vec!["TWO".to_owned(), "one".to_owned()];
    for (_, keywords) in &mut picture.states {
        for number in keywords {
            *number = 1 - *number;
        }
    }
    let view = open(&mut memory);
    assert_eq!(picture.compare(&*view).unwrap().changes, []);
    assert_eq!(picture.knows_all(view.keywords()), 2);
}

#[test]
fn another_mailbox_is_told_apart() {
    let mut memory = store(2);
    let mut picture = Picture::of(&*open(&mut memory));
    // A mail that was not there stands in between: no client could be told.
    picture.runs[0].gap = 0;
    picture.runs[0].mails = 1;
    picture.add(5, 0);
    let view = open(&mut memory);
    assert!(picture.compare(&*view).is_ok(), "it went, another came");
    picture.runs = vec![Run {
        gap: 1,
        mails: 1,
        state: 0,
    }];
    assert_eq!(picture.compare(&*view), Err(Another));
    let mut picture = Picture::of(&*view);
    picture.uid_validity += 1;
    assert_eq!(picture.compare(&*view), Err(Another));
    let mut picture = Picture::of(&*view);
    picture.states.clear();
    assert_eq!(picture.compare(&*view), Err(Another), "no picture of ours");
}

/// What happens to mails by UID: `(0, _)` another comes; else a flag, a keyword, or the end.
fn happens(memory: &mut Memory, (what, uid): (u8, u32)) {
    let mut view = open(memory);
    let one = uids(&[uid]);
    let change = |flags, words| FlagChange::Add(flags, words);
    match what {
        0 => memory.deliver("INBOX", b"x"),
        1 => view
            .store_flags(&one, &change(Flags::SEEN, vec![]))
            .unwrap(),
        2 => view
            .store_flags(&one, &FlagChange::Replace(Flags::empty(), vec![]))
            .unwrap(),
        3 => view
            .store_flags(&one, &change(Flags::empty(), keyword("a")))
            .unwrap(),
        4 => view
            .store_flags(&one, &change(Flags::FLAGGED, keyword("b")))
            .unwrap(),
        _ => view.remove(&one).unwrap(),
    }
}

proptest::proptest! {
    /// A client that does as it is told knows what is there; and of nothing is it told that it knows.
    #[test]
    fn a_client_that_is_told_the_changes_knows_everything(
        before in proptest::collection::vec((0_u8..6, 1_u32..20), 0..40),
        after in proptest::collection::vec((0_u8..6, 1_u32..30), 0..40),
    ) {
        let mut memory = store(10);
        before.into_iter().for_each(|what| happens(&mut memory, what));
        let known = open(&mut memory);
        let mut client: Vec<_> = mails(&*known).collect();
        let bytes = postcard::to_stdvec(&Picture::of(&*known)).unwrap();
        let picture: Picture = postcard::from_bytes(&bytes).unwrap();
        after.into_iter().for_each(|what| happens(&mut memory, what));
        let view = open(&mut memory);
        for change in picture.compare(&*view).unwrap().changes {
            let at = |seq: Seq| seq.get() as usize - 1;
            match change {
                Change::Expunged { seq, uid } => assert_eq!(client.remove(at(seq)).0, uid),
                Change::Flags { seq } => {
                    let flags = view.flags(seq).unwrap();
                    assert_ne!(client[at(seq)].1, flags);
                    client[at(seq)].1 = flags;
                }
                Change::Grown { messages, .. } => {
                    let new = u32::try_from(client.len()).unwrap() + 1..=messages;
                    assert!(!new.is_empty());
                    client.extend(new.map(|seq| {
                        let seq = Seq::new(seq).unwrap();
                        (view.uid(seq).unwrap(), view.flags(seq).unwrap())
                    }));
                }
            }
        }
        assert_eq!(client, mails(&*view).collect::<Vec<_>>());
    }
}
