//! Processes that work on one mailbox and are killed at any moment: what they said was done is done,
//! and nothing is there twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{content, place, save, sdbox_at, set, view};
use format_sdbox::rebuild::Mode;
use format_sdbox::{Options, Sdbox};
use mailbox::{Access, FlagChange, Flags, Keyword, StoredMailbox};
use sys::fs::Fs;

const WORKERS: usize = 4;
const ROUNDS: u32 = 8;

fn sdbox(dir: &Path) -> Arc<Sdbox> {
    sdbox_at(Fs::real(), place(dir), Options::default())
}

/// What a child process does; nothing when it is run as a test.
#[test]
fn worker() {
    let Ok(dir) = std::env::var("SDBOX_WORKER") else {
        return;
    };
    let sdbox = sdbox(Path::new(&dir));
    let mut session = view(&sdbox, Access::ReadWrite);
    let mut out = std::io::stdout();
    let mut say = |line: String| {
        out.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let mut last = None;
    for number in 0.. {
        let text = format!("{} {number}", std::process::id());
        let uid = save(&sdbox, &format!("{text}\n"), Flags::empty(), &["k"])
            .unwrap()
            .uids[0];
        say(format!("saved {uid} {text}"));
        if number % 3 == 1 {
            let change = FlagChange::Add(Flags::FLAGGED, vec![Keyword::new("done").unwrap()]);
            session.store_flags(&set(&[uid.get()]), &change).unwrap();
            say(format!("flagged {uid}"));
        }
        if number % 5 == 4
            && let Some(old) = last
        {
            say(format!("removing {old}"));
            session.remove(&set(&[old])).unwrap();
            say(format!("removed {old}"));
        }
        last = Some(uid.get());
    }
}

/// What the children said.
#[derive(Default)]
struct Told {
    saved: BTreeMap<u32, String>,
    flagged: BTreeSet<u32>,
    removing: BTreeSet<u32>,
    removed: BTreeSet<u32>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let Some((what, rest)) = line.strip_prefix('@').and_then(|line| line.split_once(' '))
        else {
            return;
        };
        let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let uid: u32 = number.parse().unwrap();
        match what {
            "saved" => drop(self.saved.insert(uid, text.to_owned())),
            "flagged" => drop(self.flagged.insert(uid)),
            "removing" => drop(self.removing.insert(uid)),
            "removed" => drop(self.removed.insert(uid)),
            other => panic!("{other}"),
        }
    }
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture", "--test-threads", "1"])
        .env("SDBOX_WORKER", dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets children work until one of them has said so many lines, then kills all.
fn round(dir: &Path, lines: u32) -> Told {
    let mut children: Vec<Child> = (0..WORKERS).map(|_| spawn(dir)).collect();
    let heard = AtomicU32::new(0);
    let (enough, is_enough) = std::sync::mpsc::channel();
    let told = std::thread::scope(|scope| {
        let readers: Vec<_> = children
            .iter_mut()
            .map(|child| {
                let out = BufReader::new(child.stdout.take().unwrap());
                let (heard, enough) = (&heard, enough.clone());
                scope.spawn(move || {
                    let mut whole = Vec::new();
                    for line in out.lines().map_while(Result::ok) {
                        whole.push(line);
                        if heard.fetch_add(1, Ordering::Relaxed) == lines {
                            enough.send(()).unwrap();
                        }
                    }
                    whole
                })
            })
            .collect();
        is_enough.recv().unwrap();
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect::<Vec<_>>()
    });
    let mut all = Told::default();
    told.iter().for_each(|line| all.hear(line));
    all
}

#[test]
fn killed_processes_lose_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("dbox-Mails");
    sdbox(&dir).create().unwrap();
    let validity = sdbox(&dir).status().unwrap().uid_validity;
    let mut before: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for number in 1..=ROUNDS {
        let told = round(&dir, 60 + 37 * number);
        assert!(told.saved.len() > 10);
        let now = sdbox(&dir);
        let after = content(&now);
        assert_eq!(now.status().unwrap().uid_validity, validity);
        for (uid, text) in &told.saved {
            match after.get(uid) {
                Some((body, ..)) => assert_eq!(*body, format!("{text}\n").into_bytes()),
                None => assert!(told.removing.contains(uid), "{uid} is lost"),
            }
        }
        for uid in &told.removed {
            assert!(!after.contains_key(uid), "{uid} is back");
        }
        for uid in told.flagged.iter().filter(|uid| after.contains_key(uid)) {
            let (_, flags, keywords) = &after[uid];
            assert!(*flags == Flags::FLAGGED && keywords.contains(&"done".to_owned()));
        }
        for (uid, body) in &before {
            assert_eq!(after.get(uid).map(|(body, ..)| body), Some(body), "{uid}");
        }
        let texts: BTreeSet<&Vec<u8>> = after.values().map(|(body, ..)| body).collect();
        assert_eq!(texts.len(), after.len(), "something is there twice");
        // Those that nobody was told of, and nothing else, may be in the way; they go out of it.
        save(&now, &format!("round {number}\n"), Flags::empty(), &[]).unwrap();
        let found = now.resync(Mode::DryRun).unwrap();
        assert!(found.is_empty(), "{found:?}");
        before = content(&now)
            .into_iter()
            .map(|(uid, (body, ..))| (uid, body))
            .collect();
    }
}
