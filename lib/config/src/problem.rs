//! What is wrong with a configuration, and where. All problems are told at once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A line of a file. Line 0 means the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    file: Arc<Path>,
    line: u32,
}

impl Location {
    /// This line (from 1) of this file.
    pub fn new(file: Arc<Path>, line: u32) -> Self {
        Self { file, line }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}", self.file.display()),
            line => write!(out, "{}:{line}", self.file.display()),
        }
    }
}

/// Does a problem keep the configuration from being used?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It doesn't, but the administrator should know.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where.
    pub at: Location,
    /// What, in one line.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.at, self.text)
    }
}

/// Problems in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds an error.
    pub fn error(&mut self, at: &Location, text: impl Into<String>) {
        self.0.push(Problem {
            severity: Severity::Error,
            at: at.clone(),
            text: text.into(),
        });
    }

    /// Adds a warning.
    pub fn warning(&mut self, at: &Location, text: impl Into<String>) {
        self.0.push(Problem {
            severity: Severity::Warning,
            at: at.clone(),
            text: text.into(),
        });
    }

    /// Adds others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Is one of them an error?
    pub fn have_errors(&self) -> bool {
        self.0
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }
}

/// Why a configuration or a snapshot can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The administrator's: the configuration is wrong; one line each.
    #[error("{}", lines(.0))]
    Configuration(Problems),
    /// The host's: a file can't be read or written.
    #[error("{call}({}) failed: {source}", path.display())]
    Syscall {
        /// The call.
        call: &'static str,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A snapshot that somebody else could have written, or that is of another version.
    #[error("{}: {reason}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Ours: a service's struct doesn't fit the table of settings.
    #[error("BUG: settings of {service}: {reason}")]
    Settings {
        /// Whose.
        service: String,
        /// Which setting, and how.
        reason: String,
    },
}

fn lines(problems: &Problems) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
