//! What is looked at: the file as it is, or as it counts for one connection (`-f`).

use anyhow::{Context, bail};
use config::{Block, Condition, Config, Facts, Filter, Names, Scope};
use ipnet::IpNet;

use crate::names::Host;

/// Settings outside of filters, and the filters that are left.
pub struct View {
    pub root: Block,
    pub scopes: Vec<Scope>,
}

/// Values of `-f`, kept for as long as [`Facts`] borrow them.
#[derive(Debug, Default)]
struct Given {
    protocol: Option<String>,
    local: Option<String>,
    name: Option<String>,
    remote: Option<String>,
}

/// Does a filter count?
enum Match {
    Yes,
    No,
    /// It asks for what was not given.
    Open,
}

/// The view of a configuration under `-f` arguments.
pub fn of(config: &Config, filters: &[String]) -> anyhow::Result<View> {
    let given = given(filters)?;
    let [root, scopes @ ..] = config.scopes() else {
        bail!("BUG: no settings at all")
    };
    let mut scopes: Vec<_> = scopes
        .iter()
        .map(|scope| (condition(&scope.filter), scope))
        .collect();
    scopes.sort_by_key(|(condition, _)| condition.rank());
    let mut view = View {
        root: root.block.clone(),
        scopes: Vec::new(),
    };
    let mut matching = Vec::new();
    for (condition, scope) in scopes {
        match given.decide(&condition)? {
            Match::Yes => matching.push((condition.rank(), &scope.block)),
            Match::Open => view.scopes.push(scope.clone()),
            Match::No => {}
        }
    }
    // Among equals the one that stands first in the file wins.
    matching.reverse();
    matching.sort_by_key(|(rank, _)| *rank);
    for (_, block) in matching {
        overlay(&mut view.root, block);
    }
    Ok(view)
}

fn condition(filter: &Filter) -> Condition {
    filter.condition(&mut |host| Host.host(host).into_iter().map(IpNet::from).collect())
}

fn given(filters: &[String]) -> anyhow::Result<Given> {
    let mut given = Given::default();
    for filter in filters {
        let (name, value) = filter
            .split_once('=')
            .with_context(|| format!("Missing '=' in filter argument: {filter}"))?;
        let place = match name {
            "protocol" | "service" => &mut given.protocol,
            "local" => &mut given.local,
            "lname" | "local_name" => &mut given.name,
            "remote" => &mut given.remote,
            _ => bail!("Unknown filter argument: {filter}"),
        };
        *place = Some(value.to_owned());
    }
    Ok(given)
}

impl Given {
    fn decide(&self, condition: &Condition) -> anyhow::Result<Match> {
        let address = |text: &Option<String>| {
            text.as_deref()
                .map(|text| {
                    text.parse()
                        .with_context(|| format!("not an address: {text}"))
                })
                .transpose()
        };
        let facts = Facts {
            protocol: self.protocol.as_deref().unwrap_or_default(),
            local_ip: address(&self.local)?,
            remote_ip: address(&self.remote)?,
            local_name: self.name.as_deref(),
        };
        let none = Condition::default;
        let parts = [
            (
                condition.protocol.is_empty(),
                self.protocol.is_some(),
                Condition {
                    protocol: condition.protocol.clone(),
                    ..none()
                },
            ),
            (
                condition.local.is_empty(),
                facts.local_ip.is_some(),
                Condition {
                    local: condition.local.clone(),
                    ..none()
                },
            ),
            (
                condition.remote.is_empty(),
                facts.remote_ip.is_some(),
                Condition {
                    remote: condition.remote.clone(),
                    ..none()
                },
            ),
            (
                condition.local_name.is_empty(),
                facts.local_name.is_some(),
                Condition {
                    local_name: condition.local_name.clone(),
                    ..none()
                },
            ),
        ];
        let asked = || parts.iter().filter(|(any, ..)| !any);
        if asked().any(|(_, given, part)| *given && !part.matches(&facts)) {
            return Ok(Match::No);
        }
        Ok(if asked().all(|(_, given, _)| *given) {
            Match::Yes
        } else {
            Match::Open
        })
    }
}

/// The more specific block changes the other.
fn overlay(under: &mut Block, over: &Block) {
    under.values.extend(
        over.values
            .iter()
            .map(|(name, assigned)| (name.clone(), assigned.clone())),
    );
    for block in &over.blocks {
        let same = |known: &&mut Block| {
            block.section.is_some_and(|section| {
                known.is(section, &block.name)
                    && (!block.name.is_empty() || section.name == "plugin")
            })
        };
        match under.blocks.iter_mut().find(same) {
            Some(known) => overlay(known, block),
            None => under.blocks.push(block.clone()),
        }
    }
}
