//! Processes that are killed while they save, copy, expunge and purge: what they were told is done is
//! done, and nothing is there twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Store, append, message, open, seen};
use format_mdbox::Settings;
use format_mdbox::rebuild::{Extent, Run};
use mailbox::{Access, NewMail, StoredMailbox, UidSet};
use sys::fs::Fs;

const WORKERS: u32 = 4;
const ROUNDS: u32 = 12;

/// What a worker has written down: `+` saved, `*` copied, `?` about to expunge, `-` expunged; UID in INBOX
/// and number.
type Notes = BTreeMap<(char, u32), u32>;

fn store(root: &Path) -> Store {
    let settings = Settings {
        rotate_size: 3000,
        ..Settings::default()
    };
    Store::with(root, Fs::real(), settings)
}

/// A worker, when the suite runs itself as one.
#[test]
fn worker() {
    let Ok(root) = std::env::var("MDBOX_ROOT") else {
        return;
    };
    let worker: u32 = std::env::var("MDBOX_WORKER").unwrap().parse().unwrap();
    let notes = std::env::var("MDBOX_NOTES").unwrap();
    let notes = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(notes);
    let mut notes = notes.unwrap();
    let mut note = |what: char, uid: u32, number: u32| {
        notes
            .write_all(format!("{what} {uid} {number}\n").as_bytes())
            .unwrap();
    };
    let store = store(Path::new(&root));
    let (inbox, other) = (store.mailbox("INBOX"), store.mailbox("Other"));
    let mut view = open(&inbox, Access::ReadWrite);
    for step in 0.. {
        let number = worker * 100_000 + step;
        let appended = append(&inbox, &[message(number)], &NewMail::default()).unwrap();
        let uid = appended.uids[0];
        note('+', uid.get(), number);
        view.sync(mailbox::Expunges::Show).unwrap();
        let one = UidSet::from_iter([uid]);
        if step % 2 == 0 {
            other.clone().copy_from(view.as_mut(), &one).unwrap();
            note('*', uid.get(), number);
        }
        if step % 3 == 0 {
            note('?', uid.get(), number);
            view.remove(&one).unwrap();
            note('-', uid.get(), number);
        }
        if step % 7 == worker {
            store.storage.purge(&mut |_, _| {}).unwrap();
        }
    }
}

fn spawn(root: &Path, notes: &Path, worker: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture"])
        .env("MDBOX_ROOT", root)
        .env("MDBOX_WORKER", worker.to_string())
        .env("MDBOX_NOTES", notes)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn read_notes(path: &Path) -> Notes {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let what = words.next()?.chars().next()?;
        let uid = words.next()?.parse().ok()?;
        Some(((what, uid), words.next()?.parse().ok()?))
    });
    whole.collect()
}

/// UID and body of every message, none twice.
fn look(store: &Store, name: &str) -> BTreeMap<u32, String> {
    let mut view = open(&store.mailbox(name), Access::ReadWrite);
    let shown = seen(view.as_mut());
    let bodies: BTreeSet<&String> = shown.iter().map(|seen| &seen.sha256).collect();
    assert_eq!(bodies.len(), shown.len(), "{name}: twice");
    shown
        .iter()
        .map(|seen| (seen.uid, seen.sha256.clone()))
        .collect()
}

#[test]
fn what_was_told_is_done() {
    let home = common::scratch();
    let root = home.path().join("mdbox");
    let first = store(&root);
    first.create("INBOX");
    first.create("Other");
    drop(first);
    let notes: Vec<_> = (0..WORKERS)
        .map(|at| home.path().join(format!("notes.{at}")))
        .collect();
    let mut known = 0;
    for round in 0..ROUNDS {
        let workers = (0..WORKERS).zip(&notes);
        // Numbers go on from round to round.
        let mut workers: Vec<Child> = workers
            .map(|(at, notes)| spawn(&root, notes, round * WORKERS + at))
            .collect();
        // Until all are at work, and then at any moment.
        let at_work = |notes: &std::path::PathBuf| read_notes(notes).len();
        let begun: usize = notes.iter().map(at_work).sum();
        while notes.iter().map(at_work).sum::<usize>() < begun + 8 {
            std::thread::sleep(Duration::from_millis(1));
            let gone = workers
                .iter_mut()
                .find_map(|worker| worker.try_wait().unwrap());
            assert!(gone.is_none(), "a worker ended: {gone:?}");
        }
        std::thread::sleep(Duration::from_millis(u64::from(round * 37 % 60)));
        for worker in &mut workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
        let notes: Notes = notes.iter().flat_map(|notes| read_notes(notes)).collect();
        let store = store(&root);
        let (inbox, other) = (look(&store, "INBOX"), look(&store, "Other"));
        let copies: BTreeSet<&String> = other.values().collect();
        for (&(what, uid), &number) in &notes {
            let body = common::hash(&message(number));
            let may_be_gone = notes.contains_key(&('?', uid));
            match what {
                '+' if !may_be_gone => assert_eq!(inbox.get(&uid), Some(&body), "{number}"),
                '*' => assert!(copies.contains(&body), "copy of {number}"),
                '-' => assert!(!inbox.contains_key(&uid), "{number} is back"),
                _ => {}
            }
        }
        assert!(notes.len() > known);
        known = notes.len();
        let told = store.storage.rebuild(Extent::Relink, Run::Dry).unwrap();
        assert_eq!(told, [], "round {round}");
    }
}
