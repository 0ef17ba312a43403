//! Assigned texts become values: files are read, names of users, groups and hosts looked up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::config::{Assigned, Block, Text};
use crate::names::Names;
use crate::problem::{Location, Problems};
use crate::table::Kind;
use crate::value::Value;

/// Evaluates and remembers what the host said, so that each file is read once and each problem told once.
pub(super) struct Values<'n> {
    pub names: &'n dyn Names,
    pub problems: Problems,
    files: BTreeMap<PathBuf, Option<String>>,
    told: Vec<String>,
}

impl<'n> Values<'n> {
    pub fn new(names: &'n dyn Names) -> Self {
        Self {
            names,
            problems: Problems::default(),
            files: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    /// None after a problem.
    pub fn value(&mut self, name: &str, kind: Kind, assigned: &Assigned) -> Option<Value> {
        let text = match &assigned.text {
            Text::Plain(text) => text.clone(),
            Text::File(path) => self.file(name, path, &assigned.at)?,
        };
        match Value::parse(kind, &text) {
            Ok(value) => Some(self.resolved(name, value, &assigned.at)),
            // Plain texts were checked when they were read.
            Err(error) => self.tell(&assigned.at, error),
        }
    }

    fn resolved(&mut self, name: &str, value: Value, at: &Location) -> Value {
        match value {
            Value::User(user, None) if !user.is_empty() => {
                let id = self
                    .names
                    .user(&user)
                    .or_else(|| self.tell(at, format!("{name}: there is no user {user}")));
                Value::User(user, id)
            }
            Value::Groups(groups) => {
                let each = groups.into_iter().map(|(group, id)| {
                    let looked_up = id.or_else(|| self.names.group(&group));
                    let id = looked_up
                        .or_else(|| self.tell(at, format!("{name}: there is no group {group}")));
                    (group, id)
                });
                Value::Groups(each.collect())
            }
            other => other,
        }
    }

    fn file(&mut self, name: &str, path: &Path, at: &Location) -> Option<String> {
        if let Some(known) = self.files.get(path) {
            return known.clone();
        }
        let text = match self.names.file(path) {
            Ok(text) => Some(text),
            Err(error) => self.tell(
                at,
                format!("{name}: Can't open file {}: {error}", path.display()),
            ),
        };
        self.files.insert(path.to_owned(), text.clone());
        text
    }

    /// The addresses of a host name in a filter. Without one the block never counts, which is an error.
    pub fn host(&mut self, host: &str, at: &Location) -> Vec<IpNet> {
        let addresses = self.names.host(host);
        if addresses.is_empty() {
            self.tell::<()>(at, format!("There is no address for the host name {host}"));
        }
        addresses.into_iter().map(IpNet::from).collect()
    }

    fn tell<T>(&mut self, at: &Location, text: String) -> Option<T> {
        let line = format!("{at}: {text}");
        if !self.told.contains(&line) {
            self.problems.error(at, text);
            self.told.push(line);
        }
        None
    }
}

/// A number, size or time in a block: assigned or by default; 0 for anything else.
pub(super) fn number(block: &Block, name: &str) -> u64 {
    let text = block
        .values
        .get(name)
        .and_then(|assigned| match &assigned.text {
            Text::Plain(text) => Some(text.as_str()),
            Text::File(_) => None,
        });
    let text = text.or_else(|| block.default(name)).unwrap_or_default();
    match Value::parse(block.kind(name), text) {
        Ok(
            Value::Number(number)
            | Value::Size(number)
            | Value::Seconds(number)
            | Value::Millis(number),
        ) => number,
        _ => 0,
    }
}
