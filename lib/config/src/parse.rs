//! Dovecot's configuration language: text becomes a [`Config`], every problem is noted with file and line.
//!
//! *Invariant:* reading goes on after an error, so that one run names all of them.

mod build;
mod glob;
mod line;
mod nearest;
mod obsolete;
mod variables;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::parse::build::Builder;
use crate::parse::line::{Joined, Joiner, Statement};
use crate::problem::Location;

/// Deepest chain of `!include`.
const MAX_INCLUDES: usize = 20;

/// Reads the file and what it includes. Problems are in [`Config::problems`]; only a file that can't
/// be read at all is such a problem as well.
pub fn parse_file(path: &Path) -> Config {
    let mut reader = Reader::new(path);
    let at = Location::new(Arc::from(path), 0);
    match fs::read(path) {
        Ok(bytes) => reader.text(path, &bytes),
        Err(error) => reader
            .builder
            .problems()
            .error(&at, format!("open() failed: {error}")),
    }
    reader.builder.finish()
}

/// Reads `text` as if it stood in the file `path`.
pub fn parse_text(path: &Path, text: &str) -> Config {
    let mut reader = Reader::new(path);
    reader.text(path, text.as_bytes());
    reader.builder.finish()
}

struct Reader {
    builder: Builder,
    /// The files that are being read, outermost first.
    open: Vec<PathBuf>,
}

impl Reader {
    fn new(path: &Path) -> Self {
        Self {
            builder: Builder::new(path),
            open: Vec::new(),
        }
    }

    fn text(&mut self, path: &Path, bytes: &[u8]) {
        let file: Arc<Path> = Arc::from(path);
        self.open.push(path.to_owned());
        let outer = self.builder.enter_file();
        let mut joiner = Joiner::default();
        let text = String::from_utf8_lossy(bytes);
        let mut at = Location::new(file.clone(), 0);
        if matches!(text, std::borrow::Cow::Owned(_)) {
            self.builder.problems().error(&at, "The file is not UTF-8");
        }
        for (number, line) in (1..).zip(text.lines()) {
            at = Location::new(file.clone(), number);
            match joiner.add(line) {
                Joined::More => {}
                Joined::Whole { line, ambiguous } => self.line(&at, &line, ambiguous),
            }
        }
        if let Some(rest) = joiner.rest() {
            self.line(&at, &rest, line::Comment::Clear);
        }
        self.builder.leave_file(outer);
        self.open.pop();
    }

    fn line(&mut self, at: &Location, line: &str, comment: line::Comment) {
        if comment == line::Comment::Ambiguous {
            let text = "Ambiguous '#' character in line, treating it as comment. Add a space before it to remove this warning.";
            self.builder.problems().warning(at, text);
        }
        match Statement::parse(line) {
            Ok(Statement::Include {
                pattern,
                must_exist,
            }) => self.include(at, &pattern, must_exist),
            Ok(statement) => self.builder.statement(at, statement),
            Err(text) => self.builder.problems().error(at, text),
        }
    }

    fn include(&mut self, at: &Location, pattern: &str, must_exist: line::Presence) {
        let folder = at.file().parent().unwrap_or(Path::new("/"));
        let files = glob::files(&folder.join(pattern));
        if files.is_empty() && must_exist == line::Presence::Required {
            self.builder
                .problems()
                .error(at, format!("!include {pattern}: No matches"));
        }
        for path in files {
            self.include_file(at, &path, must_exist);
        }
    }

    fn include_file(&mut self, at: &Location, path: &Path, must_exist: line::Presence) {
        if self.open.len() >= MAX_INCLUDES || self.open.iter().any(|open| open == path) {
            let text = format!("Recursive include file: {}", path.display());
            return self.builder.problems().error(at, text);
        }
        match fs::read(path) {
            Ok(bytes) => self.text(path, &bytes),
            Err(_) if must_exist == line::Presence::Optional => {}
            Err(error) => {
                let text = format!("Couldn't open include file {}: {error}", path.display());
                self.builder.problems().error(at, text);
            }
        }
    }
}
