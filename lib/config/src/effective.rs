//! The settings of one connection: all matching filters laid over each other, and what userdb says over all of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::filter::Facts;
use crate::overrides::Overrides;
use crate::snapshot::{Compiled, Layer, Snapshot};
use crate::table::{self, Section, Setting};
use crate::value::Value;

/// The layers that match, least specific first.
pub(crate) struct Effective<'s> {
    snapshot: &'s Snapshot,
    layers: Vec<&'s Layer>,
    overrides: &'s Overrides,
}

impl<'s> Effective<'s> {
    pub fn new(snapshot: &'s Snapshot, facts: &Facts<'_>, overrides: &'s Overrides) -> Self {
        let places = snapshot.matching(facts).into_iter();
        let layers = places
            .filter_map(|place| snapshot.layers.get(place))
            .collect();
        Self {
            snapshot,
            layers,
            overrides,
        }
    }

    /// The value of a global setting; the error says why the service can't have it.
    pub fn value(&self, name: &str) -> Result<Cow<'s, Value>, String> {
        let setting = table::global(name).ok_or_else(|| format!("there is no setting {name}"))?;
        if !setting.readers.includes(self.snapshot.reader()) {
            return Err(format!("the table doesn't let this service read {name}"));
        }
        let layers = self.layers.iter().rev();
        let assigned = self
            .overrides
            .values
            .get(name)
            .or_else(|| layers.into_iter().find_map(|layer| layer.values.get(name)));
        let value = match assigned {
            Some(value) => Cow::Borrowed(value),
            None => default(setting, setting.default)?,
        };
        Ok(match self.overrides.more.get(name) {
            Some(more) => Cow::Owned(longer(value.into_owned(), more)),
            None => value,
        })
    }

    /// All sections of a kind: those of more specific filters change those of their name, or are added.
    pub fn sections(&self, section: &Section) -> Result<Vec<Cow<'s, Compiled>>, String> {
        if !section.readers.includes(self.snapshot.reader()) {
            return Err(format!(
                "the table doesn't let this service read {}",
                section.name
            ));
        }
        let mut all: Vec<Cow<'s, Compiled>> = Vec::new();
        for block in self
            .layers
            .iter()
            .flat_map(|layer| &layer.blocks)
            .filter(|block| block.section == section.name)
        {
            let named = |known: &&mut Cow<'s, Compiled>| {
                (!block.name.is_empty() || section.name == "plugin") && known.name == block.name
            };
            match all.iter_mut().find(named) {
                Some(known) => merge(known.to_mut(), block),
                None => all.push(Cow::Borrowed(block)),
            }
        }
        for block in &self.overrides.blocks {
            let named = |known: &&mut Cow<'s, Compiled>| is_same(known, block);
            if let Some(known) = all.iter_mut().find(named) {
                change(known.to_mut(), block);
            }
        }
        Ok(all)
    }

    /// `plugin { … }` of all layers.
    pub fn plugin(&self, section: &Section) -> Result<BTreeMap<String, Value>, String> {
        let sections = self.sections(section)?;
        let mut values: BTreeMap<_, _> = sections
            .into_iter()
            .flat_map(|block| block.into_owned().values)
            .collect();
        values.extend(self.overrides.plugin.clone());
        for (name, more) in &self.overrides.more_plugin {
            let value = values.remove(name);
            let value = value.unwrap_or_else(|| Value::Text(String::new()));
            values.insert(name.clone(), longer(value, more));
        }
        Ok(values)
    }
}

fn merge(known: &mut Compiled, more: &Compiled) {
    known.values.extend(
        more.values
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    for block in &more.blocks {
        let same = known
            .blocks
            .iter_mut()
            .find(|old| !block.name.is_empty() && is_same(old, block));
        match same {
            Some(old) => merge(old, block),
            None => known.blocks.push(block.clone()),
        }
    }
}

/// What userdb says of a section: it makes none that the configuration has not.
fn change(known: &mut Compiled, more: &Compiled) {
    known.values.extend(more.values.clone());
    for block in &more.blocks {
        if let Some(inner) = known.blocks.iter_mut().find(|old| is_same(old, block)) {
            change(inner, block);
        }
    }
}

fn is_same(one: &Compiled, other: &Compiled) -> bool {
    one.section == other.section && one.name == other.name
}

/// A text with more behind it, a list with more words.
fn longer(value: Value, more: &str) -> Value {
    match value {
        Value::Text(text) => Value::Text(text + more),
        Value::List(mut words) => {
            words.extend(more.split_whitespace().map(str::to_owned));
            Value::List(words)
        }
        other => other,
    }
}

/// A default of the table as a value.
pub(crate) fn default<'s>(setting: &Setting, text: &str) -> Result<Cow<'s, Value>, String> {
    Value::parse(setting.kind, text)
        .map(Cow::Owned)
        .map_err(|error| format!("default of {}: {error}", setting.name))
}
