//! Files of real projects, damaged: whatever stands in them is a configuration or problems with places.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

use std::fs;
use std::path::{Path, PathBuf};

use config::{Error, NoNames, Problems, parse_text};

/// Where the text pretends to stand: what it includes is not there.
const PATH: &str = "/nowhere/dovecot.conf";

/// Pieces of the language, put where they may not belong.
const PIECES: [&str; 16] = [
    "{",
    "}",
    "\n}\n",
    " = ",
    "\"",
    "'",
    "\\",
    "\\\n",
    "$mail_plugins",
    "$",
    "%{",
    "#",
    "<",
    "\nprotocol !imap {\n",
    "\nlocal_name \"*.x y\" {\n",
    "é\u{feff}",
];

#[test]
fn every_error_has_a_place() {
    let rounds = match std::env::var_os("CULVER_FULL") {
        Some(_) => 10_000,
        None => 1_000,
    };
    let files = files();
    assert!(files.len() > 40);
    let mut errors = 0;
    for seed in 1..=rounds {
        let text = mutated(&files, seed);
        errors += judge(seed, &text);
    }
    assert!(
        errors > rounds / 4,
        "only {errors} errors: was anything damaged?"
    );
}

/// The texts of all fixtures.
fn files() -> Vec<String> {
    let projects = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/config");
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = vec![projects];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            files.push((path.clone(), fs::read_to_string(path).unwrap()));
        }
    }
    // The same seed gives the same text, whatever the order of the directory.
    files.sort();
    files.into_iter().map(|(_, text)| text).collect()
}

/// Reads, checks and compiles; gives the number of problems.
fn judge(seed: usize, text: &str) -> usize {
    let config = parse_text(Path::new(PATH), text);
    let lines = text.lines().count();
    let mut found = placed(seed, lines, config.problems());
    found += placed(seed, lines, &config.check());
    let inside = |line: u32| (1..=lines).contains(&usize::try_from(line).unwrap());
    assert!(
        config
            .effects()
            .iter()
            .all(|effect| inside(effect.at.line())),
        "seed {seed}"
    );
    match config.snapshot("imap", &NoNames) {
        Ok(snapshot) => assert!(!snapshot.to_bytes().unwrap().is_empty()),
        Err(Error::Configuration(problems)) => found += placed(seed, lines, &problems),
        Err(other) => panic!("seed {seed}: {other}"),
    }
    found
}

fn placed(seed: usize, lines: usize, problems: &Problems) -> usize {
    for problem in problems.iter() {
        let line = usize::try_from(problem.at.line()).unwrap();
        assert_eq!(problem.at.file(), Path::new(PATH), "seed {seed}: {problem}");
        assert!((1..=lines).contains(&line), "seed {seed}: {problem}");
        assert!(
            !problem.text.is_empty() && !problem.text.contains('\n'),
            "seed {seed}: {problem}"
        );
    }
    problems.iter().count()
}

/// One file with a few changes; the same seed gives the same text.
fn mutated(files: &[String], seed: usize) -> String {
    let mut dice = Dice(
        u64::try_from(seed)
            .unwrap()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            | 1,
    );
    let mut bytes = files[dice.below(files.len())].clone().into_bytes();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.get_mut(at).map(|byte| *byte ^= 1 << dice.below(8))),
            2 => drop(bytes.drain(at..bytes.len().min(at + dice.below(40)))),
            3 => drop(bytes.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
            4 => {
                let other = files[dice.below(files.len())].as_bytes();
                let from = dice.below(other.len() + 1);
                let piece = &other[from..other.len().min(from + dice.below(200))];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let end = bytes.len().min(at + dice.below(60));
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice);
            }
        }
    }
    // Only the text is looked at, not what an absolute path in it names.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.replace("!include_try /", "!include_try ")
        .replace("</", "<")
}

/// Numbers by a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}
