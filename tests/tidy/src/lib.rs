//! House rules: edges, sizes, names, forbidden words.
//!
//! A rule is a function that looks at the checkout and returns its violations; `tests/rules.rs` runs every
//! rule over the sources, and the tests in here show each rule something that it must find. Nothing is
//! compiled for it and nothing is run but `cargo metadata` and `cargo tree`.
#![allow(clippy::panic, reason = "a failed test is a panic")]

pub mod cargo;
pub mod crates;
pub mod documents;
pub mod edges;
pub mod manifests;
pub mod sizes;
pub mod source;
pub mod units;
pub mod words;

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// From the root of the checkout.
    pub path: PathBuf,
    /// From 1; 0 where it is about the whole file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl Violation {
    /// At a line of a file.
    pub fn new(path: &Path, line: usize, what: impl Into<String>) -> Violation {
        Violation {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

/// Panics with all of them, sorted, under the name of the rule.
///
/// # Panics
/// There is at least one.
pub fn none(rule: &str, mut violations: Vec<Violation>) {
    if violations.is_empty() {
        return;
    }
    violations.sort();
    let list: Vec<String> = violations.iter().map(Violation::to_string).collect();
    panic!("{rule}: {} violations\n{}", list.len(), list.join("\n"));
}

/// The root of the checkout.
///
/// # Panics
/// The checkout was moved after this was compiled.
#[must_use]
pub fn checkout() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .canonicalize()
        .expect("the checkout is where it was compiled")
}

/// A file of the checkout; `path` from its root.
///
/// # Panics
/// It cannot be read.
#[must_use]
pub fn read(path: &str) -> String {
    std::fs::read_to_string(checkout().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
