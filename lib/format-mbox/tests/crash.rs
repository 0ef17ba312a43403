//! Every file operation of every change fails once, for good, or for want of space. Afterwards a new
//! process finds everything that was acknowledged, nothing twice, and no UID moved.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Home, Seen, append, fresh, new_mail, seen, try_open, uids};
use format_mbox::{Mbox, Settings, Writes};
use mailbox::{Error, Expunges, FlagChange, Flags, Keyword, StoredMailbox};
use sys::fs::Fs;
use sys::fs::faulty::Fault;

const MESSAGE: &str = "Subject: new\nMessage-ID: <n@x>\n\nnew\n";

/// One change, and what it makes of the messages.
struct Operation {
    name: &'static str,
    act: fn(&Arc<Mbox>) -> Result<(), Error>,
    after: fn(Vec<Seen>) -> Vec<Seen>,
}

fn operations() -> Vec<Operation> {
    vec![
        Operation {
            name: "append",
            act: |mbox| {
                let mail = new_mail(Flags::SEEN, &["Work"], 0);
                append(mbox, &mail, MESSAGE).map(|_| ())
            },
            after: |mut all| {
                all.push(Seen {
                    uid: 5,
                    flags: Flags::SEEN,
                    keywords: vec!["Work".to_owned()],
                    date: 0,
                    guid: "16bdaa48c57aa8dd44f1f6ae9ae35d5e".to_owned(),
                    body: MESSAGE.to_owned(),
                });
                all
            },
        },
        Operation {
            name: "flags, written when closed",
            act: |mbox| {
                let keyword = Keyword::new("Other").unwrap();
                let change = FlagChange::Add(Flags::FLAGGED, vec![keyword]);
                try_open(mbox)?.store_flags(&uids(&[1, 2]), &change)
            },
            after: flagged,
        },
        Operation {
            name: "expunge",
            act: |mbox| {
                let mut view = try_open(mbox)?;
                view.remove(&uids(&[1, 3]))?;
                view.sync(Expunges::Show).map(|_| ())
            },
            after: |all| {
                all.into_iter()
                    .filter(|seen| ![1, 3].contains(&seen.uid))
                    .collect()
            },
        },
        Operation {
            name: "expunge all",
            act: |mbox| try_open(mbox)?.remove(&uids(&[1, 2, 3, 4])),
            after: |_| Vec::new(),
        },
        Operation {
            name: "look",
            act: |mbox| mbox.status().map(|_| ()),
            after: |all| all,
        },
    ]
}

fn flagged(mut all: Vec<Seen>) -> Vec<Seen> {
    for seen in all.iter_mut().filter(|seen| seen.uid < 3) {
        seen.flags = seen.flags.with(Flags::FLAGGED);
        seen.keywords.push("Other".to_owned());
        seen.keywords.sort();
    }
    all
}

/// Three messages that the index knows, one of them dirty, and one that was delivered since.
fn home() -> Home {
    let home = Home::with("@@Subject: old\n\nold\n\n");
    let mbox = home.mbox();
    append(
        &mbox,
        &new_mail(Flags::empty(), &["Work"], 7),
        "Subject: 2\n\ntwo\n",
    )
    .unwrap();
    append(
        &mbox,
        &new_mail(Flags::DRAFT, &[], 8),
        "Subject: 3\n\nthree\n",
    )
    .unwrap();
    mbox.status().unwrap();
    home.deliver("Subject: 4\n\nfour\n");
    home
}

fn outcome(home: &Home, fault: Fault, operation: &Operation) -> Result<(), Error> {
    home.faulty.set(fault);
    let mbox = home.failing();
    let result = (operation.act)(&mbox);
    drop(mbox);
    home.faulty.set(Fault::None);
    // The lock of the dead, which Dovecot and we break when its process is gone.
    let _ = std::fs::remove_file(home.file().with_file_name("box.lock"));
    result
}

fn check(home: &Home, fault: Fault, operation: &Operation, before: &[Seen]) {
    let result = outcome(home, fault, operation);
    let name = operation.name;
    let found = fresh(home);
    let mut done = (operation.after)(before.to_vec());
    for (done, found) in done.iter_mut().zip(&found) {
        // The message that is new has whatever sum it has.
        if done.body == MESSAGE {
            done.guid.clone_from(&found.guid);
        }
    }
    let is_done = found == done;
    assert!(
        is_done || (result.is_err() && found == before),
        "{name} {fault:?} {result:?}\nfound {found:#?}\n{}",
        home.content()
    );
    // It goes on as if nothing had been.
    let highest = found.last().map_or(4, |seen| seen.uid.max(4));
    let next = append(
        &home.mbox(),
        &new_mail(Flags::empty(), &[], 0),
        "Subject: x\n\nx\n",
    );
    let next = next.unwrap();
    assert!(next > highest && next <= 6, "{name} {fault:?}: {next}");
    assert_eq!(fresh(home)[..found.len()], found, "{name} {fault:?}");
    let mut view = common::open(&home.mbox());
    assert_eq!(seen(&mut *view)[..found.len()], found);
    drop(view);
    assert_eq!(
        fresh(home)[..found.len()],
        found,
        "{name} {fault:?}: closed"
    );
}

fn each(fault: fn(usize) -> Fault) {
    let template = home();
    let before = fresh(&template.copy());
    assert_eq!(
        before.iter().map(|seen| seen.uid).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    for operation in operations() {
        let counting = template.copy();
        outcome(&counting, Fault::None, &operation).unwrap();
        counting.faulty.set(Fault::None);
        let counting = template.copy();
        let mbox = counting.failing();
        (operation.act)(&mbox).unwrap();
        drop(mbox);
        let calls = counting.faulty.calls().len();
        assert!(calls > 5, "{}", operation.name);
        for nth in 1..=calls {
            check(&template.copy(), fault(nth), &operation, &before);
        }
    }
}

#[test]
fn dead_at_any_call() {
    each(|nth| Fault::From { nth, errno: 5 });
}

#[test]
fn any_call_fails_once() {
    each(|nth| Fault::Once { nth, errno: 5 });
}

#[test]
fn interrupted_once() {
    each(|nth| Fault::Once { nth, errno: 4 });
}

#[test]
fn the_disk_is_full() {
    each(|nth| Fault::Full { nth });
}

#[test]
fn prompt_writes_dead_at_any_call() {
    let template = home();
    let before = fresh(&template.copy());
    let settings = Settings {
        writes: Writes::Prompt,
        ..Settings::default()
    };
    let calls = {
        let home = template.copy();
        let mbox = home.mbox_with(Fs::new(Arc::clone(&home.faulty) as _), settings.clone());
        let change = FlagChange::Add(Flags::FLAGGED, vec![Keyword::new("Other").unwrap()]);
        try_open(&mbox)
            .unwrap()
            .store_flags(&uids(&[1, 2]), &change)
            .unwrap();
        home.faulty.calls().len()
    };
    for nth in 1..=calls {
        let home = template.copy();
        home.faulty.set(Fault::From { nth, errno: 5 });
        let mbox = home.mbox_with(Fs::new(Arc::clone(&home.faulty) as _), settings.clone());
        let change = FlagChange::Add(Flags::FLAGGED, vec![Keyword::new("Other").unwrap()]);
        let result = try_open(&mbox).and_then(|mut view| view.store_flags(&uids(&[1, 2]), &change));
        drop(mbox);
        home.faulty.set(Fault::None);
        let _ = std::fs::remove_file(home.file().with_file_name("box.lock"));
        let found = fresh(&home);
        let is_done = found == flagged(before.clone());
        assert!(
            is_done || (result.is_err() && found == before),
            "{nth} {result:?} {found:#?}"
        );
    }
}
