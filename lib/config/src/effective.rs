//! The settings of one connection: all matching filters laid over each other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::filter::Facts;
use crate::snapshot::{Compiled, Layer, Snapshot};
use crate::table::{self, Section, Setting};
use crate::value::Value;

/// The layers that match, least specific first.
pub(crate) struct Effective<'s> {
    snapshot: &'s Snapshot,
    layers: Vec<&'s Layer>,
}

impl<'s> Effective<'s> {
    pub fn new(snapshot: &'s Snapshot, facts: &Facts<'_>) -> Self {
        let places = snapshot.matching(facts).into_iter();
        let layers = places
            .filter_map(|place| snapshot.layers.get(place))
            .collect();
        Self { snapshot, layers }
    }

    /// The value of a global setting; the error says why the service can't have it.
    pub fn value(&self, name: &str) -> Result<Cow<'s, Value>, String> {
        let setting = table::global(name).ok_or_else(|| format!("there is no setting {name}"))?;
        if !setting.readers.includes(self.snapshot.reader()) {
            return Err(format!("the table doesn't let this service read {name}"));
        }
        let assigned = self
            .layers
            .iter()
            .rev()
            .find_map(|layer| layer.values.get(name));
        assigned.map_or_else(
            || default(setting, setting.default),
            |value| Ok(Cow::Borrowed(value)),
        )
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
        Ok(all)
    }

    /// `plugin { … }` of all layers.
    pub fn plugin(&self, section: &Section) -> Result<BTreeMap<String, Value>, String> {
        let sections = self.sections(section)?;
        Ok(sections
            .into_iter()
            .flat_map(|block| block.into_owned().values)
            .collect())
    }
}

fn merge(known: &mut Compiled, more: &Compiled) {
    known.values.extend(
        more.values
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    for block in &more.blocks {
        let same = known.blocks.iter_mut().find(|old| {
            !block.name.is_empty() && old.section == block.section && old.name == block.name
        });
        match same {
            Some(old) => merge(old, block),
            None => known.blocks.push(block.clone()),
        }
    }
}

/// A default of the table as a value.
pub(crate) fn default<'s>(setting: &Setting, text: &str) -> Result<Cow<'s, Value>, String> {
    Value::parse(setting.kind, text)
        .map(Cow::Owned)
        .map_err(|error| format!("default of {}: {error}", setting.name))
}
