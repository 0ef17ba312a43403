//! Processes that append, change flags and expunge are killed at any moment, several at a time. Whoever
//! comes next finds everything that was acknowledged, once, and waits for no lock of the dead.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use common::{Home, append, fresh, mbox_at, new_mail, open, place, uids};
use format_mbox::Settings;
use mailbox::{FlagChange, Flags};
use sys::fs::Fs;

const CHILD: &str = "FORMAT_MBOX_CHILD";
const WORKERS: usize = 3;
const ROUNDS: usize = 12;

/// Is no test: what the killed processes do. Each line that it says is an acknowledgement.
#[test]
fn worker() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let (dir, name) = told.rsplit_once(':').unwrap();
    let dir = std::path::Path::new(dir);
    let place = place(dir.join("mail/box"), dir.join("mail/.imap/box"));
    let mbox = mbox_at(Fs::real(), place, Settings::default());
    let mut say = std::io::stdout();
    for number in 0.. {
        let text = format!("Subject: {name}-{number}\nMessage-ID: <{name}-{number}@x>\n\nbody\n");
        let uid = append(&mbox, &new_mail(Flags::empty(), &["k"], 0), &text).unwrap();
        writeln!(say, "\nappended {uid} {name}-{number}").unwrap();
        let mut view = open(&mbox);
        if number % 3 == 1 {
            view.store_flags(&uids(&[uid]), &FlagChange::Add(Flags::FLAGGED, Vec::new()))
                .unwrap();
            writeln!(say, "\nflagged {uid} x").unwrap();
        }
        if number % 3 == 2 {
            view.remove(&uids(&[uid])).unwrap();
            writeln!(say, "\nremoved {uid} x").unwrap();
        }
    }
}

/// Everything that was acknowledged so far.
#[derive(Default)]
struct Told {
    appended: BTreeMap<u32, String>,
    flagged: BTreeSet<u32>,
    removed: BTreeSet<u32>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, uid, subject] = words[..] else {
            return;
        };
        let Ok(uid) = uid.parse() else { return };
        match what {
            "appended" => drop(self.appended.insert(uid, subject.to_owned())),
            "flagged" => drop(self.flagged.insert(uid)),
            "removed" => drop(self.removed.insert(uid)),
            _ => {}
        }
    }

    fn check(&self, home: &Home, round: usize) {
        let found = fresh(home);
        let subject = |body: &str| body.lines().next().unwrap().to_owned();
        let mut subjects = BTreeSet::new();
        for seen in &found {
            assert!(
                subjects.insert(subject(&seen.body)),
                "twice in round {round}: {seen:?}"
            );
        }
        let by_uid: BTreeMap<u32, _> = found.iter().map(|seen| (seen.uid, seen)).collect();
        for (uid, told) in &self.appended {
            let Some(seen) = by_uid.get(uid) else {
                // It may be gone without an answer to the request, if it was to go at all.
                let number: usize = told.rsplit('-').next().unwrap().parse().unwrap();
                assert!(number % 3 == 2, "round {round}: {uid} {told} is lost");
                continue;
            };
            assert!(
                !self.removed.contains(uid),
                "round {round}: {uid} is there again"
            );
            assert_eq!(
                subject(&seen.body),
                format!("Subject: {told}"),
                "round {round}"
            );
            assert_eq!(seen.keywords, ["k"], "round {round}: {uid}");
            if self.flagged.contains(uid) {
                assert!(
                    seen.flags.contains(Flags::FLAGGED),
                    "round {round}: {uid} lost its flag"
                );
            }
        }
    }
}

fn spawn(home: &Home, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture"])
        .env(CHILD, format!("{}:{name}", home.dir.path().display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_moment() {
    let home = Home::with("");
    let mut told = Told::default();
    for round in 0..ROUNDS {
        let mut children: Vec<Child> = (0..WORKERS)
            .map(|worker| spawn(&home, &format!("r{round}w{worker}")))
            .collect();
        let mut pipes: Vec<_> = children
            .iter_mut()
            .map(|child| BufReader::new(child.stdout.take().unwrap()))
            .collect();
        // How far they get before they die is different every time.
        let mut line = String::new();
        for _ in 0..5 + round {
            line.clear();
            pipes[round % WORKERS].read_line(&mut line).unwrap();
            told.hear(line.trim());
        }
        for child in &mut children {
            child.kill().unwrap();
        }
        for (mut pipe, mut child) in pipes.into_iter().zip(children) {
            line.clear();
            while pipe.read_line(&mut line).unwrap() > 0 {
                told.hear(line.trim());
                line.clear();
            }
            child.wait().unwrap();
        }
        told.check(&home, round);
    }
    assert!(told.appended.len() > ROUNDS);
    // Who needs the locks of the dead breaks them.
    append(
        &home.mbox(),
        &new_mail(Flags::empty(), &[], 0),
        "Subject: last\n\nx\n",
    )
    .unwrap();
    let left = std::fs::read_dir(home.file().parent().unwrap())
        .unwrap()
        .flatten();
    let names: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(!names.contains(&"box.lock".into()), "{names:?}");
}
