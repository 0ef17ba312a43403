//! Processes that change one index at the same time, and are killed: what they acknowledged is there, each
//! transaction is there as a whole or not at all, and nothing needs repair but a torn end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::options;
use index::{Backup, ExtSpec, Index, Options, Thresholds, Transaction};
use sys::fs::Fs;

const DIRECTORY: &str = "INDEX_OF_THE_CHILD";

const GUID: ExtSpec<'static> = ExtSpec {
    name: "guid",
    header_size: 0,
    record_size: 16,
    record_align: 1,
};

fn busy() -> Options {
    Options {
        backup: Backup::Keep,
        thresholds: Thresholds {
            rewrite_min: 200,
            rewrite_max: 400,
            rotate_min: 1500,
            rotate_max: 2000,
            rotate_age: 0,
            log2_age: 100,
        },
        ..options()
    }
}

/// Appends pairs and tells each one's first UID, until it is killed. Does nothing as a test.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let index = Index::open(&Fs::real(), Path::new(&dir), busy()).unwrap();
    let mut out = std::io::stdout();
    loop {
        let mut sync = index.begin_sync().unwrap();
        let first = sync.state().header().next_uid();
        let mut transaction = Transaction::external();
        for uid in first..first + 2 {
            transaction.append(uid, 0);
            let guid = [uid.to_le_bytes()[0]; 16];
            transaction.extension(&GUID).set_record(uid, &guid);
        }
        sync.commit(&transaction).unwrap();
        writeln!(out, "\nacknowledged {first}").unwrap();
        out.flush().unwrap();
        sync.finish().unwrap();
    }
}

fn start(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a child acknowledges, until it has done so `count` times; then it is killed, and read to its end.
fn kill_after(mut child: Child, count: usize) -> Vec<u32> {
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(uid) = line.strip_prefix("acknowledged ") else {
            continue;
        };
        told.push(uid.parse().unwrap());
        if told.len() == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(told.len() >= count, "it ended by itself");
    told
}

#[test]
fn what_killed_processes_acknowledged_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Transaction::external();
    first.set_uid_validity(5);
    Index::create(&Fs::real(), dir.path(), busy(), &first).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..30 {
        let counts = [5 + round * 3, 9 + round];
        std::thread::scope(|scope| {
            let threads = counts.map(|count| {
                let child = start(dir.path());
                scope.spawn(move || kill_after(child, count))
            });
            for thread in threads {
                acknowledged.extend(thread.join().unwrap());
            }
        });
        let index = Index::open(&Fs::real(), dir.path(), busy()).unwrap();
        let state = index.begin_sync().unwrap().finish().unwrap();
        assert!(!state.header().is_repaired(), "{round}");
        assert_eq!(state.header().next_uid() % 2, 1);
        assert_eq!(state.len() + 1, state.header().next_uid());
        let guid = state.extension("guid").unwrap();
        for record in state.records() {
            let bytes = guid.bytes_of(record).unwrap();
            assert_eq!(bytes, [record.uid().to_le_bytes()[0]; 16]);
        }
        acknowledged.sort_unstable();
        assert!(acknowledged.windows(2).all(|pair| pair[0] + 2 <= pair[1]));
        assert!(*acknowledged.last().unwrap() < state.header().next_uid());
    }
}
