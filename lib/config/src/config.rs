//! A configuration that was read: what was assigned where, in its filters and sections, before it is compiled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::filter::Filter;
use crate::problem::{Location, Problems};
use crate::table::{self, Kind, Section, Setting};
use crate::value::Value;

/// The whole configuration. `scopes[0]` holds what stands outside of all filters.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) path: PathBuf,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) problems: Problems,
    /// What can be printed but not run: values that stand for nothing.
    pub(crate) unusable: Problems,
}

/// What stands under one filter, gathered from all of its blocks.
#[derive(Clone, Debug)]
pub struct Scope {
    /// When it counts.
    pub filter: Filter,
    /// Its settings and sections.
    pub block: Block,
    /// The scope around it, whose settings its variables see.
    pub(crate) parent: Option<usize>,
}

/// Settings and sections: of a scope, or of a section.
#[derive(Clone, Debug)]
pub struct Block {
    /// None at the top of a scope.
    pub section: Option<&'static Section>,
    /// The section's name; empty without one.
    pub name: String,
    /// Where it began first.
    pub at: Location,
    /// What was assigned in it.
    pub values: BTreeMap<String, Assigned>,
    /// Sections in it, in their order.
    pub blocks: Vec<Block>,
}

/// One assignment.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// As `doveconf` prints it without `-x`: only a variable that names the setting itself is replaced.
    pub raw: String,
    /// What it means.
    pub text: Text,
    /// Where it stands.
    pub at: Location,
}

/// The meaning of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// This text, variables replaced.
    Plain(String),
    /// The content of this file, read when it is compiled.
    File(PathBuf),
}

impl Config {
    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it; only without errors may it be compiled.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// All filters with their settings; the first one has no condition.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// What was assigned to a global setting outside of all filters.
    pub fn assigned(&self, name: &str) -> Option<&Assigned> {
        self.scopes.first()?.block.values.get(name)
    }
}

impl Block {
    pub(crate) fn new(section: Option<&'static Section>, name: &str, at: &Location) -> Self {
        Self {
            section,
            name: name.to_owned(),
            at: at.clone(),
            values: BTreeMap::new(),
            blocks: Vec::new(),
        }
    }

    /// The row of the table for a setting in this block. None when there is none, or any name is allowed.
    pub fn setting(&self, name: &str) -> Option<&'static Setting> {
        match self.section {
            None => table::global(name),
            Some(section) => section.settings.iter().find(|setting| setting.name == name),
        }
    }

    /// The kind of a setting in this block; what isn't in the table is text (`plugin`).
    pub fn kind(&self, name: &str) -> Kind {
        self.setting(name)
            .map_or(Kind::Text, |setting| setting.kind)
    }

    /// Does this block have that section name and that name?
    pub fn is(&self, section: &Section, name: &str) -> bool {
        self.name == name && self.section.is_some_and(|mine| mine.name == section.name)
    }

    /// What a setting is worth here as text: assigned, else by default. None for what is in no table.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        if let Some(assigned) = self.values.get(name) {
            return Some(assigned.raw.clone());
        }
        self.default(name).map(str::to_owned)
    }

    /// The default of a setting in this block.
    pub fn default(&self, name: &str) -> Option<&'static str> {
        let setting = self.setting(name)?;
        let is_service = self
            .section
            .is_some_and(|section| section.name == "service");
        let service = table::service_defaults(&self.name).filter(|_| is_service);
        let own = service.and_then(|service| service.settings.iter().find(|(key, _)| *key == name));
        Some(own.map_or(setting.default, |(_, text)| text))
    }
}

impl Assigned {
    /// What `doveconf` prints.
    pub fn show(&self, kind: Kind) -> String {
        match self.text {
            Text::File(_) => self.raw.clone(),
            Text::Plain(_) => Value::show(kind, &self.raw),
        }
    }
}
