//! A configuration becomes one snapshot per service: only what that service may know, names resolved.

mod check;
mod effect;
mod values;

use std::collections::BTreeMap;

use crate::config::{Block, Config, Scope};
use crate::names::Names;
use crate::problem::{Error, Location, Problems};
use crate::snapshot::{Compiled, Layer, ServiceSettings, Snapshot, reader};
use crate::table::{self, Readers};
pub use effect::Effect;
use values::Values;

impl Config {
    /// The snapshots of all services, in the order of [`table::SERVICES`].
    ///
    /// # Errors
    /// [`Error::Configuration`] with all problems of reading and compiling.
    pub fn compile(&self, names: &dyn Names) -> Result<Vec<Snapshot>, Error> {
        let mut values = Values::new(names);
        let services = table::SERVICES.iter().map(|(service, ..)| *service);
        let snapshots = services
            .map(|service| snapshot(self, service, &mut values))
            .collect();
        self.judge(values).map(|()| snapshots)
    }

    /// The snapshot of one service. As [`Self::compile`].
    ///
    /// # Errors
    /// As [`Self::compile`]; also for a name that is no service of ours.
    pub fn snapshot(&self, service: &str, names: &dyn Names) -> Result<Snapshot, Error> {
        let mut values = Values::new(names);
        if reader(service) == Readers(0) {
            return Err(Error::Settings {
                service: service.to_owned(),
                reason: "no such service".to_owned(),
            });
        }
        let snapshot = snapshot(self, service, &mut values);
        self.judge(values).map(|()| snapshot)
    }

    /// Warnings and errors that only show when the configuration is looked at as a whole.
    pub fn check(&self) -> Problems {
        let mut problems = self.unusable.clone();
        problems.extend(check::check(self));
        effect::check(self, &mut problems);
        problems
    }

    fn judge(&self, values: Values<'_>) -> Result<(), Error> {
        let mut problems = self.problems.clone();
        problems.extend(self.check());
        problems.extend(values.problems);
        if problems.have_errors() {
            Err(Error::Configuration(problems))
        } else {
            Ok(())
        }
    }
}

fn snapshot(config: &Config, service: &str, values: &mut Values<'_>) -> Snapshot {
    let reader = reader(service);
    let mut layers: Vec<Layer> = config
        .scopes
        .iter()
        .map(|scope| layer(scope, reader, values))
        .collect();
    // The first one stays even when it is empty: it has no condition and the lowest rank.
    let mut number = 0;
    layers.retain(|layer| {
        number += 1;
        number == 1 || !layer.values.is_empty() || !layer.blocks.is_empty()
    });
    let users = table::SERVICES.iter().map(|(_, user, _)| *user);
    let peers: BTreeMap<_, _> = users
        .filter_map(|user| Some((user.to_owned(), values.names.user(user)?)))
        .collect();
    Snapshot::new(service, layers, limits(config, service), peers)
}

fn layer(scope: &Scope, reader: Readers, values: &mut Values<'_>) -> Layer {
    let block = compiled(&scope.block, reader, values);
    let condition = scope
        .filter
        .condition(&mut |host| values.host(host, &scope.block.at));
    Layer {
        condition,
        values: block.values,
        blocks: block.blocks,
    }
}

fn compiled(block: &Block, reader: Readers, values: &mut Values<'_>) -> Compiled {
    let mut result = Compiled {
        name: block.name.clone(),
        ..Compiled::default()
    };
    result.section = block
        .section
        .map(|section| section.name.to_owned())
        .unwrap_or_default();
    for (name, assigned) in &block.values {
        let may_read = block
            .setting(name)
            .is_none_or(|setting| setting.readers.includes(reader));
        if may_read && let Some(value) = values.value(name, block.kind(name), assigned) {
            result.values.insert(name.clone(), value);
        }
    }
    // `service` blocks are for `limits`: no service learns the limits of another.
    let wanted = |block: &&Block| {
        block
            .section
            .is_some_and(|section| section.readers.includes(reader) && section.name != "service")
    };
    result.blocks = block
        .blocks
        .iter()
        .filter(wanted)
        .map(|block| compiled(block, reader, values))
        .collect();
    result
}

fn limits(config: &Config, service: &str) -> ServiceSettings {
    let root = config.scopes.first().map(|scope| &scope.block);
    let is_mine = |block: &&Block| {
        block.name == service
            && block
                .section
                .is_some_and(|section| section.name == "service")
    };
    let unset = service_block(service);
    let mine = root
        .and_then(|root| root.blocks.iter().find(is_mine))
        .unwrap_or(&unset);
    let number = |name| values::number(mine, name);
    let general = |name| root.map_or(0, |root| values::number(root, name));
    let or_general = |name, default| {
        if number(name) == 0 {
            general(default)
        } else {
            number(name)
        }
    };
    let idle_kill = or_general("idle_kill", "default_idle_kill");
    let vsz_limit = match number("vsz_limit") {
        u64::MAX => general("default_vsz_limit"),
        bytes => bytes,
    };
    ServiceSettings {
        client_limit: or_general("client_limit", "default_client_limit"),
        process_limit: or_general("process_limit", "default_process_limit"),
        process_min_avail: number("process_min_avail"),
        service_count: number("service_count"),
        says_who_shares: ["client_limit", "service_count"]
            .iter()
            .any(|name| mine.values.contains_key(*name)),
        idle_kill: (idle_kill != u64::from(u32::MAX)).then_some(idle_kill),
        vsz_limit: (vsz_limit != 0).then_some(vsz_limit),
    }
}

/// A `service` block in which nothing is assigned.
fn service_block(service: &str) -> Block {
    let at = Location::new(std::path::Path::new("").into(), 0);
    let section = table::SECTIONS
        .iter()
        .find(|section| section.name == "service");
    Block::new(section, service, &at)
}
