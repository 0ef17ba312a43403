//! Settings as text, in the order and the words of Dovecot's doveconf.

use std::fmt::Write;

use config::table::{self, Kind, Naming, Readers, Setting};
use config::{Assigned, Block, Scope, Text, Value};

use crate::secrets;

/// Which settings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All, defaults too.
    All,
    /// All, also what nobody needs to know of.
    Hidden,
    /// Those that differ from their defaults; in sections all that were set.
    Changed,
    /// Those that were set.
    Assigned,
    /// As `Assigned`, in a filter.
    InFilter,
}

impl Which {
    /// Also what was not set.
    pub fn is_all(self) -> bool {
        matches!(self, Self::All | Self::Hidden)
    }
}

/// How values look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As written; secrets are hidden.
    RawHidden,
    /// As written, secrets too.
    Raw,
    /// Variables replaced, files read; secrets are hidden.
    ExpandedHidden,
    /// Variables replaced, files read, secrets too.
    Expanded,
}

/// Makes nodes of blocks.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    pub which: Which,
    pub look: Look,
    /// Only global settings that one of these services reads.
    pub readers: Readers,
}

/// A line or a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// `name = text`.
    Value { name: String, text: String },
    /// `kind name { … }`.
    Section {
        kind: String,
        name: String,
        nodes: Vec<Node>,
    },
}

/// Settings and their defaults, where a service differs from the table.
type Defaults = &'static [(&'static str, &'static str)];

impl Printer {
    /// The settings outside of filters.
    pub fn root(&self, block: &Block) -> Vec<Node> {
        let read = |setting: &&Setting| {
            self.readers == Readers::ALL || setting.readers.includes(self.readers)
        };
        let mut nodes: Vec<Node> = table::globals()
            .filter(read)
            .filter_map(|setting| self.global(block, setting))
            .collect();
        nodes.extend(
            block
                .blocks
                .iter()
                .filter(|block| !is_service(block))
                .filter_map(|block| self.section(block)),
        );
        nodes.extend(self.services(block));
        sorted(nodes)
    }

    /// A filter with what stands in it; None when that is nothing.
    pub fn scope(&self, scope: &Scope) -> Option<Node> {
        let inner = Self {
            which: Which::InFilter,
            ..*self
        };
        let mut nodes: Vec<Node> = scope
            .block
            .values
            .keys()
            .map(|name| inner.value(&scope.block, name, ""))
            .collect();
        nodes.extend(
            scope
                .block
                .blocks
                .iter()
                .filter_map(|block| inner.section(block)),
        );
        let filter = &scope.filter;
        let conditions = [
            ("protocol", filter.protocol.clone()),
            (
                "remote",
                filter.remote.as_ref().map(|(name, _)| name.clone()),
            ),
            ("local_name", filter.local_name.clone()),
            ("local", filter.local.as_ref().map(|(name, _)| name.clone())),
        ];
        let mut nodes = sorted(nodes);
        if nodes.is_empty() {
            return None;
        }
        for (kind, name) in conditions {
            if let Some(name) = name {
                nodes = vec![Node::Section {
                    kind: kind.to_owned(),
                    name,
                    nodes,
                }];
            }
        }
        nodes.pop()
    }

    fn global(&self, block: &Block, setting: &Setting) -> Option<Node> {
        let assigned = block.values.get(setting.name);
        let wanted = match self.which {
            Which::All => !setting.hidden || assigned.is_some(),
            Which::Hidden => true,
            Which::Changed => assigned.is_some_and(|assigned| self.differs(assigned, setting)),
            Which::Assigned | Which::InFilter => assigned.is_some(),
        };
        wanted.then(|| self.value(block, setting.name, setting.default))
    }

    /// Is it something else than by default, as it is printed?
    fn differs(&self, assigned: &Assigned, setting: &Setting) -> bool {
        let text = match (self.look, &assigned.text) {
            (Look::Expanded | Look::ExpandedHidden, Text::Plain(text)) => {
                Value::show(setting.kind, text)
            }
            _ => assigned.show(setting.kind),
        };
        text != Value::show(setting.kind, setting.default)
    }

    fn value(&self, block: &Block, name: &str, default: &str) -> Node {
        let kind = block.kind(name);
        let text = match block.values.get(name) {
            Some(assigned) => self.show(name, kind, assigned),
            None => Value::show(kind, default),
        };
        Node::Value {
            name: name.to_owned(),
            text,
        }
    }

    fn show(&self, name: &str, kind: Kind, assigned: &Assigned) -> String {
        let text = match (self.look, &assigned.text) {
            (Look::RawHidden | Look::Raw, _) => assigned.show(kind),
            (_, Text::Plain(text)) => Value::show(kind, text),
            (_, Text::File(path)) => std::fs::read_to_string(path)
                .unwrap_or_else(|error| format!("# {}: {error}", path.display())),
        };
        match self.look {
            Look::RawHidden | Look::ExpandedHidden => secrets::hidden(name, &text).unwrap_or(text),
            Look::Raw | Look::Expanded => text,
        }
    }

    fn section(&self, block: &Block) -> Option<Node> {
        self.section_with(block, &[])
    }

    /// A section whose settings may have other defaults than the table says.
    fn section_with(&self, block: &Block, defaults: Defaults) -> Option<Node> {
        let section = block.section?;
        let default = |setting: &Setting| {
            defaults
                .iter()
                .find(|(name, _)| *name == setting.name)
                .map_or(setting.default, |(_, text)| text)
        };
        let mut nodes: Vec<Node> = match section.naming {
            Naming::Free => block
                .values
                .keys()
                .map(|name| self.value(block, name, ""))
                .collect(),
            _ => {
                let wanted = |setting: &&Setting| {
                    (self.which.is_all() && (!setting.hidden || self.which == Which::Hidden))
                        || self.is_told(block, setting)
                        || always(section.name, setting.name)
                };
                section
                    .settings
                    .iter()
                    .filter(wanted)
                    .map(|setting| self.value(block, setting.name, default(setting)))
                    .collect()
            }
        };
        // Where Dovecot has `name` as a setting of the section.
        let named = !block.name.is_empty() || self.which != Which::Changed;
        if section.naming == Naming::Once && named {
            nodes.push(Node::Value {
                name: "name".to_owned(),
                text: block.name.clone(),
            });
        }
        nodes.extend(block.blocks.iter().filter_map(|block| self.section(block)));
        let label = if section.naming == Naming::Once {
            String::new()
        } else {
            block.name.clone()
        };
        (!nodes.is_empty()).then(|| Node::Section {
            kind: section.name.to_owned(),
            name: label,
            nodes: sorted(nodes),
        })
    }

    /// Is this setting of a section printed because it was set? Of databases only what differs.
    fn is_told(&self, block: &Block, setting: &Setting) -> bool {
        let is_once = block
            .section
            .is_some_and(|section| section.naming == Naming::Once);
        block.values.get(setting.name).is_some_and(|assigned| {
            !is_once || self.which != Which::Changed || self.differs(assigned, setting)
        })
    }

    /// Services: those that were set, and with [`Which::All`] those that are there anyway.
    fn services(&self, root: &Block) -> Vec<Node> {
        let set = root.blocks.iter().filter(|block| is_service(block));
        let mut nodes: Vec<Node> = set
            .clone()
            .filter_map(|block| self.service(block))
            .collect();
        if self.which.is_all() {
            let section = table::SECTIONS
                .iter()
                .find(|section| section.name == "service");
            let missing = table::all_service_defaults()
                .iter()
                .filter(|service| set.clone().all(|block| block.name != service.name));
            let blocks = missing.map(|service| empty(root, section, service.name));
            nodes.extend(blocks.filter_map(|block| self.service(&block)));
        }
        nodes
    }

    fn service(&self, block: &Block) -> Option<Node> {
        let defaults = table::service_defaults(&block.name);
        let mut block = block.clone();
        let mut extra = Vec::new();
        for (kind, name, settings) in defaults
            .map(|service| service.listeners)
            .unwrap_or_default()
        {
            let section = block.section.and_then(|service| {
                service
                    .sections
                    .iter()
                    .find(|section| section.name == *kind)
            });
            let place = block
                .blocks
                .iter()
                .position(|listener| section.is_some_and(|section| listener.is(section, name)));
            let listener = match place {
                Some(place) => block.blocks.remove(place),
                None => empty(&block, section, name),
            };
            if self.which.is_all() || place.is_some() {
                extra.extend(self.section_with(&listener, settings));
            }
        }
        let settings = defaults.map(|service| service.settings).unwrap_or_default();
        let node = self.section_with(&block, settings);
        if extra.is_empty() {
            return node;
        }
        let mut nodes = match node {
            Some(Node::Section { nodes, .. }) => nodes,
            _ => Vec::new(),
        };
        nodes.extend(extra);
        Some(Node::Section {
            kind: "service".to_owned(),
            name: block.name,
            nodes: sorted(nodes),
        })
    }
}

fn is_service(block: &Block) -> bool {
    block
        .section
        .is_some_and(|section| section.name == "service")
}

/// A section in which nothing was set.
fn empty(near: &Block, section: Option<&'static table::Section>, name: &str) -> Block {
    Block {
        section,
        name: name.to_owned(),
        at: near.at.clone(),
        values: Default::default(),
        blocks: Vec::new(),
    }
}

/// Dovecot prints these even when nobody set them.
fn always(section: &str, setting: &str) -> bool {
    section == "namespace" && matches!(setting, "location" | "prefix")
}

/// By name, as Dovecot's internal keys sort: a slash ends a section's name, in which spaces and slashes are
/// escaped, and bytes beyond ASCII come before the others. Sections without a name keep their order.
fn sorted(mut nodes: Vec<Node>) -> Vec<Node> {
    let key = |node: &Node| match node {
        Node::Value { name, .. } => name.clone(),
        Node::Section { kind, name, .. } if name.is_empty() => kind.clone(),
        Node::Section { kind, name, .. } => {
            format!("{kind}/{}/", crate::simple::escaped(name))
        }
    };
    let signed = |text: String| text.bytes().map(u8::cast_signed).collect::<Vec<_>>();
    nodes.sort_by_cached_key(|node| signed(key(node)));
    nodes
}

/// In quotes where the language needs them.
fn quoted(text: &str) -> String {
    let edge = |letter: Option<char>| letter.is_some_and(|letter| letter == ' ' || letter == '\t');
    if !secrets::is_hidden(text)
        && (edge(text.chars().next()) || edge(text.chars().last()) || text.contains('#'))
    {
        return format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    text.to_owned()
}

impl Node {
    /// Appends the lines, indented.
    pub fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        // Writing to a String doesn't fail.
        let _ = match self {
            Self::Value { name, text } => writeln!(out, "{indent}{name} = {}", quoted(text)),
            Self::Section { kind, name, .. } if name.is_empty() => {
                writeln!(out, "{indent}{kind} {{")
            }
            Self::Section { kind, name, .. } if name.contains(' ') && kind != "local_name" => {
                writeln!(out, "{indent}{kind} \"{name}\" {{")
            }
            Self::Section { kind, name, .. } => writeln!(out, "{indent}{kind} {name} {{"),
        };
        if let Self::Section { nodes, .. } = self {
            for node in nodes {
                node.write(out, depth.saturating_add(1));
            }
            out.push_str(&indent);
            out.push_str("}\n");
        }
    }
}
