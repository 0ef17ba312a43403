//! Statements become a [`Config`]: scopes by filter, sections by name, every assignment checked by its kind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Assigned, Block, Config, Scope, Text};
use crate::filter::Filter;
use crate::parse::line::{RawValue, Statement};
use crate::parse::nearest::nearest;
use crate::parse::{obsolete, variables};
use crate::problem::{Location, Problems};
use crate::table::{self, Kind, Naming, Section};
use crate::value::Value;

const FILTERS: [&str; 4] = ["protocol", "local", "local_name", "remote"];

/// What the statement at hand stands in.
#[derive(Clone, Debug)]
struct Frame {
    place: Place,
    /// Where it was opened, for a missing `}`.
    at: Location,
}

#[derive(Clone, Debug)]
enum Place {
    /// In this scope, in the section that these indices lead to (empty: none).
    Open { scope: usize, blocks: Vec<usize> },
    /// In something that was refused: read on, note nothing more.
    Refused,
}

/// How deep the frames were when a file began.
pub struct Depth(usize);

pub struct Builder {
    config: Config,
    frames: Vec<Frame>,
    /// The scopes by their filters.
    filters: HashMap<Filter, usize>,
    /// Frames of outer files; a `}` of this file doesn't close them.
    floor: usize,
}

impl Builder {
    pub fn new(path: &Path) -> Self {
        let at = Location::new(Arc::from(path), 0);
        let root = Scope {
            filter: Filter::default(),
            block: Block::new(None, "", &at),
            parent: None,
        };
        let frame = Frame {
            place: Place::Open {
                scope: 0,
                blocks: Vec::new(),
            },
            at,
        };
        let config = Config {
            path: path.to_owned(),
            scopes: vec![root],
            problems: Problems::default(),
            unusable: Problems::default(),
        };
        Self {
            config,
            frames: vec![frame],
            filters: HashMap::from([(Filter::default(), 0)]),
            floor: 1,
        }
    }

    pub fn problems(&mut self) -> &mut Problems {
        &mut self.config.problems
    }

    /// A file begins; what it opens it has to close itself.
    pub fn enter_file(&mut self) -> Depth {
        Depth(std::mem::replace(&mut self.floor, self.frames.len()))
    }

    pub fn leave_file(&mut self, outer: Depth) {
        while self.frames.len() > self.floor {
            let Some(frame) = self.frames.pop() else {
                break;
            };
            self.problems().error(
                &frame.at,
                "Missing '}' (the section that starts here has no end)",
            );
        }
        self.floor = outer.0;
    }

    pub fn finish(self) -> Config {
        self.config
    }

    pub fn statement(&mut self, at: &Location, statement: Statement) {
        match statement {
            Statement::Nothing | Statement::Include { .. } => {}
            Statement::Assign { key, value } => self.assign(at, &key, value),
            Statement::Begin { kind, name } => {
                let place = self.begin(at, &kind, &name).unwrap_or_else(|text| {
                    self.problems().error(at, text);
                    Place::Refused
                });
                self.frames.push(Frame {
                    place,
                    at: at.clone(),
                });
            }
            Statement::End if self.frames.len() > self.floor => drop(self.frames.pop()),
            Statement::End => self.problems().error(at, "Unexpected '}'"),
        }
    }

    fn place(&self) -> Place {
        self.frames
            .last()
            .map_or(Place::Refused, |frame| frame.place.clone())
    }

    fn block(&self, scope: usize, blocks: &[usize]) -> Option<&Block> {
        let top = &self.config.scopes.get(scope)?.block;
        blocks
            .iter()
            .try_fold(top, |block, &index| block.blocks.get(index))
    }

    fn block_mut(&mut self, scope: usize, blocks: &[usize]) -> Option<&mut Block> {
        let top = &mut self.config.scopes.get_mut(scope)?.block;
        blocks
            .iter()
            .try_fold(top, |block, &index| block.blocks.get_mut(index))
    }

    /// `service { unix_listener { ` before a setting's name.
    fn path(&self, scope: usize, blocks: &[usize]) -> String {
        let around =
            (1..=blocks.len()).filter_map(|depth| self.block(scope, blocks.get(..depth)?)?.section);
        around
            .map(|section| format!("{} {{ ", section.name))
            .collect()
    }

    fn begin(&mut self, at: &Location, kind: &str, name: &str) -> Result<Place, String> {
        let Place::Open { scope, blocks } = self.place() else {
            return Ok(Place::Refused);
        };
        if FILTERS.contains(&kind) && blocks.is_empty() {
            return self
                .scope(at, scope, kind, name)
                .map(|scope| Place::Open { scope, blocks });
        }
        self.section(at, (scope, blocks), kind, name)
    }

    /// The scope of this filter within `outer`; made when it is new.
    fn scope(
        &mut self,
        at: &Location,
        outer: usize,
        kind: &str,
        name: &str,
    ) -> Result<usize, String> {
        let around = self
            .config
            .scopes
            .get(outer)
            .map(|scope| scope.filter.clone())
            .unwrap_or_default();
        let filter = around.narrowed(kind, name)?;
        if let Some(known) = self.filters.get(&filter) {
            return Ok(*known);
        }
        self.filters
            .insert(filter.clone(), self.config.scopes.len());
        self.config.scopes.push(Scope {
            filter,
            block: Block::new(None, "", at),
            parent: Some(outer),
        });
        Ok(self.config.scopes.len().saturating_sub(1))
    }

    /// The section of this name in the block at `place`; made when it is new.
    fn section(
        &mut self,
        at: &Location,
        place: (usize, Vec<usize>),
        kind: &str,
        name: &str,
    ) -> Result<Place, String> {
        let (scope, mut blocks) = place;
        let unknown = || format!("Unknown setting: {kind}");
        let parent = self.block(scope, &blocks).ok_or_else(unknown)?;
        let known = parent
            .section
            .map_or(table::SECTIONS, |section| section.sections);
        let section = known.iter().find(|section| section.name == kind);
        let section = section
            .ok_or_else(|| format!("Unknown section: {}{kind}", self.path(scope, &blocks)))?;
        check_auth(section, self.config.scopes.get(scope))?;
        let same = parent
            .blocks
            .iter()
            .position(|block| block.is(section, name));
        let same = same.filter(|_| !name.is_empty() || section.naming == Naming::Free);
        if let (Some(index), Naming::Once) = (same, section.naming) {
            let first = parent
                .blocks
                .get(index)
                .map(|block| block.at.to_string())
                .unwrap_or_default();
            return Err(format!("{kind} {name} already exists at {first}"));
        }
        let parent = self.block_mut(scope, &blocks).ok_or_else(unknown)?;
        let index = same.unwrap_or(parent.blocks.len());
        if same.is_none() {
            parent.blocks.push(Block::new(Some(section), name, at));
        }
        blocks.push(index);
        Ok(Place::Open { scope, blocks })
    }

    fn assign(&mut self, at: &Location, key: &str, value: RawValue) {
        let assigned = match self.place() {
            Place::Refused => Ok(()),
            Place::Open { scope, blocks } => {
                let obsolete = obsolete::replaced(key, &value).filter(|_| blocks.is_empty());
                let place = (scope, blocks);
                match obsolete {
                    None => self.assign_path(at, place, key, value),
                    Some(replaced) => {
                        self.problems().warning(at, replaced.warning);
                        let by = replaced.by;
                        by.map_or(Ok(()), |(key, value)| {
                            self.assign_path(at, place, key, value)
                        })
                    }
                }
            }
        };
        if let Err(text) = assigned {
            self.problems().error(at, text);
        }
    }

    /// `service/imap/vsz_limit` and `plugin/quota`: sections without their braces.
    fn assign_path(
        &mut self,
        at: &Location,
        place: (usize, Vec<usize>),
        key: &str,
        value: RawValue,
    ) -> Result<(), String> {
        let (scope, blocks) = place;
        let step = self
            .block(scope, &blocks)
            .and_then(|block| path_step(block, key));
        let Some((section, name, rest)) = step else {
            return self.try_assign(at, (scope, &blocks), key, value);
        };
        match self.section(at, (scope, blocks), section, name)? {
            Place::Open { scope, blocks } => self.assign_path(at, (scope, blocks), rest, value),
            Place::Refused => Ok(()),
        }
    }

    fn try_assign(
        &mut self,
        at: &Location,
        place: (usize, &[usize]),
        key: &str,
        value: RawValue,
    ) -> Result<(), String> {
        let (scope, blocks) = place;
        let block = self.block(scope, blocks).ok_or("Nothing may stand here")?;
        if key == "name" && block.section.is_some_and(has_name) {
            return self.rename(at, place, value);
        }
        let free = block
            .section
            .is_some_and(|section| section.naming == Naming::Free);
        let kind = match block.setting(key) {
            Some(setting) => setting.kind,
            None if free && !key.contains('/') => Kind::Text,
            None => return Err(unknown_setting(block, &self.path(scope, blocks), key)),
        };
        if blocks.is_empty() {
            check_filter(key, self.config.scopes.get(scope))?;
        }
        let assigned = self.evaluate(at, place, key, value)?;
        if let Text::Plain(text) = &assigned.text {
            Value::parse(kind, text)?;
        }
        self.warn_of_earlier_filters(at, scope, blocks, key);
        let block = self
            .block_mut(scope, blocks)
            .ok_or("Nothing may stand here")?;
        block.values.insert(key.to_owned(), assigned);
        Ok(())
    }

    /// `name = x` instead of a name before the brace.
    fn rename(
        &mut self,
        at: &Location,
        place: (usize, &[usize]),
        value: RawValue,
    ) -> Result<(), String> {
        let name = self.evaluate(at, place, "name", value)?;
        if let Some(block) = self.block_mut(place.0, place.1) {
            block.name = plain(&name);
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        at: &Location,
        place: (usize, &[usize]),
        key: &str,
        value: RawValue,
    ) -> Result<Assigned, String> {
        let (raw, text) = match value {
            RawValue::Quoted(text) => (text.clone(), Text::Plain(text)),
            RawValue::File(path) => {
                let folder = at.file().parent().unwrap_or(Path::new("/"));
                (
                    format!("<{path}"),
                    Text::File(folder.join(PathBuf::from(path))),
                )
            }
            RawValue::Plain(text) => {
                let expanded = variables::expand(key, &text, |name| self.lookup(place, name));
                for name in expanded.unknown {
                    let text = format!("Unknown variable: ${name}");
                    self.config.unusable.error(at, text);
                }
                (expanded.raw, Text::Plain(expanded.full))
            }
        };
        Ok(Assigned {
            raw,
            text,
            at: at.clone(),
        })
    }

    /// What a variable is worth in this block: in it, in its scope, in the scopes around, by default.
    fn lookup(&self, place: (usize, &[usize]), name: &str) -> Option<String> {
        if let Some(variable) = name.strip_prefix("ENV:") {
            return std::env::var(variable).ok();
        }
        let (scope, blocks) = place;
        let block = self.block(scope, blocks)?;
        if !blocks.is_empty()
            && let Some(text) = block.text(name)
        {
            return Some(text);
        }
        let mut next = Some(scope);
        while let Some(index) = next {
            let scope = self.config.scopes.get(index)?;
            if let Some(assigned) = scope.block.values.get(name) {
                return Some(plain(assigned));
            }
            next = scope.parent;
        }
        table::global(name).map(|setting| setting.default.to_owned())
    }

    fn warn_of_earlier_filters(
        &mut self,
        at: &Location,
        scope: usize,
        blocks: &[usize],
        key: &str,
    ) {
        if scope != 0 || !blocks.is_empty() {
            return;
        }
        let earlier = self
            .config
            .scopes
            .iter()
            .skip(1)
            .find_map(|scope| scope.block.values.get(key));
        if let Some(earlier) = earlier.map(|assigned| assigned.at.clone()) {
            let text = format!(
                "Global setting {key} won't change the setting inside an earlier filter at {earlier} \
                 (if this is intentional, avoid this warning by moving the global setting before {earlier})"
            );
            self.problems().warning(at, text);
        }
    }
}

/// Sections whose name is a setting of theirs, too.
fn has_name(section: &Section) -> bool {
    matches!(section.name, "namespace" | "passdb" | "userdb")
}

fn plain(assigned: &Assigned) -> String {
    match &assigned.text {
        Text::Plain(text) => text.clone(),
        Text::File(_) => assigned.raw.clone(),
    }
}

/// Authentication happens before addresses and names are compared: its settings know only `protocol`.
fn check_filter(key: &str, scope: Option<&Scope>) -> Result<(), String> {
    let by_address = scope.is_some_and(|scope| by_connection(&scope.filter));
    match by_address && is_of_auth(key) {
        true => Err(format!(
            "Auth settings not supported inside local/remote blocks: {key}"
        )),
        false => Ok(()),
    }
}

/// Does Dovecot's auth read it? `auth_socket_path` is for those who ask auth.
fn is_of_auth(key: &str) -> bool {
    let others = [
        "base_dir",
        "first_valid_gid",
        "first_valid_uid",
        "last_valid_gid",
        "last_valid_uid",
        "ssl_client_ca_dir",
        "ssl_client_ca_file",
        "verbose_proctitle",
    ];
    key.starts_with("auth_") && key != "auth_socket_path" || others.contains(&key)
}

fn check_auth(section: &Section, scope: Option<&Scope>) -> Result<(), String> {
    let by_address = scope.is_some_and(|scope| by_connection(&scope.filter));
    match by_address && matches!(section.name, "passdb" | "userdb") {
        true => Err(format!(
            "Auth settings not supported inside local/remote blocks: {}",
            section.name
        )),
        false => Ok(()),
    }
}

fn by_connection(filter: &Filter) -> bool {
    filter.local.is_some() || filter.remote.is_some() || filter.local_name.is_some()
}

/// The section that a key with slashes leads into: its kind, its name, the rest of the key.
fn path_step<'k>(block: &Block, key: &'k str) -> Option<(&'k str, &'k str, &'k str)> {
    let (kind, rest) = key.split_once('/')?;
    let known = block
        .section
        .map_or(table::SECTIONS, |section| section.sections);
    match known.iter().find(|section| section.name == kind)?.naming {
        Naming::Free => Some((kind, "", rest)),
        Naming::Merged => rest.split_once('/').map(|(name, rest)| (kind, name, rest)),
        Naming::Once => None,
    }
}

fn unknown_setting(block: &Block, path: &str, key: &str) -> String {
    let near = match block.section {
        None => nearest(key, table::globals().map(|setting| setting.name)),
        Some(section) => nearest(key, section.settings.iter().map(|setting| setting.name)),
    };
    let hint = near
        .map(|name| format!(" (did you mean {name}?)"))
        .unwrap_or_default();
    format!("Unknown setting: {path}{key}{hint}")
}
