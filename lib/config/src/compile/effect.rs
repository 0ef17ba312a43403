//! What every assignment does here, by the table: all of it for `doveconf --explain`, problems for those who compile.

use std::fmt;

use crate::config::{Assigned, Block, Config, Text};
use crate::filter::Filter;
use crate::problem::{Location, Problems};
use crate::table::{self, Naming, Status};
use crate::value::Value;

/// What one assignment, or one section, does.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Where it stands.
    pub at: Location,
    /// `mail_debug`, `service imap { user }`, `protocol imap { mail_plugins }`.
    pub name: String,
    /// What it does here.
    pub status: Status,
    /// Does it ask for anything else than what would be without it?
    pub differs: bool,
}

const SERVICE: &str = "there is no such service here";
const PROTOCOL: &str = "a protocol that is not served";
const SERVED: &str = "it is served until its socket unit is masked";

/// Protocols that are served.
const PROTOCOLS: [&str; 2] = ["imap", "lmtp"];

impl Config {
    /// What every assignment does here, in the order of the filters and of the names in them.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for scope in &self.scopes {
            gather(&scope.block, &around(&scope.filter), &mut effects);
        }
        if let Some(protocols) = self.assigned("protocols") {
            served(protocols, &mut effects);
        }
        effects
    }
}

impl Effect {
    /// Would this configuration do something else under Dovecot?
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.differs && matches!(self.status, Status::NotYet(_) | Status::Refused(_))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.status {
            Status::Works => write!(out, "{name} works"),
            Status::NoMeaning(why) => write!(out, "{name} has no effect: {why}"),
            Status::NotYet(what) => write!(out, "{name} has no effect: not there yet ({what})"),
            Status::Refused(why) => write!(out, "{name}: {why}"),
        }
    }
}

/// Refuses what must not be passed over.
pub(super) fn check(config: &Config, problems: &mut Problems) {
    let effects = config.effects();
    let refused = |effect: &&Effect| effect.differs && matches!(effect.status, Status::Refused(_));
    for effect in effects.iter().filter(refused) {
        problems.error(&effect.at, effect.to_string());
    }
}

/// `protocol imap { ` before the names of what stands in a filter.
fn around(filter: &Filter) -> Vec<String> {
    let local = filter.local.as_ref().map(|(name, _)| name);
    let remote = filter.remote.as_ref().map(|(name, _)| name);
    let conditions = [
        ("local", local),
        ("local_name", filter.local_name.as_ref()),
        ("remote", remote),
        ("protocol", filter.protocol.as_ref()),
    ];
    let named = conditions
        .into_iter()
        .filter_map(|(kind, name)| Some(format!("{kind} {}", name?)));
    named.collect()
}

/// The name of a setting in what is around it.
fn in_path(path: &[String], name: &str) -> String {
    let open: String = path.iter().map(|part| format!("{part} {{ ")).collect();
    format!("{open}{name}{}", " }".repeat(path.len()))
}

fn gather(block: &Block, path: &[String], effects: &mut Vec<Effect>) {
    let kind = block.section.map_or("", |section| section.name);
    for (name, assigned) in &block.values {
        effects.push(Effect {
            at: assigned.at.clone(),
            name: in_path(path, name),
            status: status(block, name),
            differs: differs(block, name, assigned),
        });
    }
    for inner in &block.blocks {
        let section = inner.section.map_or("", |section| section.name);
        let label = match inner.name.as_str() {
            "" => section.to_owned(),
            name => format!("{section} {name}"),
        };
        let is_unknown = |service: &&Block| {
            section == "service"
                && table::SERVICES
                    .iter()
                    .all(|(known, ..)| *known != service.name)
        };
        if Some(inner).filter(is_unknown).is_some() || (kind == "service" && !is_empty(inner)) {
            effects.push(whole(inner, in_path(path, &label), kind));
            continue;
        }
        gather(inner, &[path, &[label]].concat(), effects);
    }
}

/// A service that is not there, or a listener: one line for all that stands in it.
fn whole(block: &Block, name: String, around: &str) -> Effect {
    let why = match around {
        "service" => table::SOCKETS_REASON,
        _ => SERVICE,
    };
    let status = match block.name.as_str() {
        name if around != "service" && is_served_later(name) => Status::NotYet(PROTOCOL),
        _ => Status::NoMeaning(why),
    };
    Effect {
        at: block.at.clone(),
        name,
        status,
        differs: !is_empty(block),
    }
}

/// Services of protocols that are to come.
fn is_served_later(service: &str) -> bool {
    let protocol = service.trim_end_matches("-login");
    ["pop3", "managesieve", "submission"].contains(&protocol)
}

fn status(block: &Block, name: &str) -> Status {
    match (block.setting(name), block.section) {
        (Some(setting), _) => setting.status,
        (None, Some(section)) if section.name == "plugin" => {
            table::plugin_status(name).unwrap_or(Status::Works)
        }
        (None, Some(section)) if section.naming == Naming::Free => Status::NotYet("dictionaries"),
        (None, _) => Status::Works,
    }
}

fn differs(block: &Block, name: &str, assigned: &Assigned) -> bool {
    let default = block.default(name).unwrap_or_default();
    assigned.show(block.kind(name)) != Value::show(block.kind(name), default)
}

/// Does nothing stand in it?
fn is_empty(block: &Block) -> bool {
    block.values.is_empty() && block.blocks.iter().all(is_empty)
}

/// `protocols` names what is served; here, sockets do.
fn served(protocols: &Assigned, effects: &mut Vec<Effect>) {
    let Text::Plain(text) = &protocols.text else {
        return;
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut add = |word: &str, status| {
        effects.push(Effect {
            at: protocols.at.clone(),
            name: format!("protocols: {word}"),
            status,
            differs: true,
        });
    };
    for word in words.iter().filter(|word| !PROTOCOLS.contains(word)) {
        add(word, Status::NotYet(PROTOCOL));
    }
    for missing in PROTOCOLS.iter().filter(|known| !words.contains(known)) {
        add(&format!("no {missing}"), Status::NoMeaning(SERVED));
    }
}
