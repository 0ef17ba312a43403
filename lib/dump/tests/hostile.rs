//! Damaged files: whatever is in them, dumping ends, and does not panic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use dump::Target;
use testkit::Fixture;

/// Longer files take too long at every byte.
const LONGEST: usize = 6_000;

fn files(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push(path);
        }
    }
}

fn dumped(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    let target = Target { path, words: &[] };
    // What is wrong with it is not the question.
    let _ = dump::dump(None, target, &mut std::io::sink());
    for kind in ["index", "log", "cache", "dbox"] {
        let _ = dump::dump(Some(kind), target, &mut std::io::sink());
    }
}

/// The first file of each name and kind of directory.
fn samples(fixture: &Fixture) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(fixture.directory(), &mut all);
    all.sort();
    let mut names = Vec::new();
    all.retain(|path| {
        let name = path.file_name().unwrap().to_owned();
        let first = !names.contains(&name) && names.len() < 25;
        names.push(name);
        first
    });
    all
}

#[test]
fn every_truncation_and_flipped_byte() {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["maildirrot", "mdbox", "sdbox-sieve"] {
        let fixture = Fixture::unpack(name);
        for path in samples(&fixture) {
            let bytes = std::fs::read(&path).unwrap();
            let copy = scratch.path().join(path.file_name().unwrap());
            let step = (bytes.len().min(LONGEST) / 150).max(1);
            for at in (0..bytes.len().min(LONGEST)).step_by(step) {
                dumped(&copy, &bytes[..at]);
                let mut flipped = bytes.clone();
                flipped[at] ^= 0xff;
                dumped(&copy, &flipped);
            }
            // An empty file was never written.
            let _ = std::fs::remove_file(&copy);
        }
    }
}
