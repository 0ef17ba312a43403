//! Settings of one user: what userdb says beside uid, gid and home counts before the configuration.
//!
//! ```text
//! mail_max_userip_connections=3    a setting that the service may read
//! namespace/inbox/prefix=Mail/     a setting of a section that the configuration has
//! mail_plugins+= zlib              more text behind what the configuration says
//! quota_rule=*:storage=1G          anything else: a setting of plugin { }
//! ```
//! Values come with their variables put in: what stands for itself in them is not read again.

use std::collections::BTreeMap;

use crate::problem::Error;
use crate::snapshot::{Compiled, Snapshot};
use crate::table::{self, Kind, Naming, Readers, Section, Setting};
use crate::value::Value;

/// Settings whose variables are put in when a user's mail is opened; userdb has done that for its own.
const WITH_VARIABLES: [&str; 6] = [
    "mail_attachment_dir",
    "mail_chroot",
    "mail_home",
    "mail_location",
    "location",
    "prefix",
];

/// What userdb says of settings, checked.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) blocks: Vec<Compiled>,
    pub(crate) plugin: BTreeMap<String, Value>,
    /// To be put behind what the configuration says.
    pub(crate) more: BTreeMap<String, String>,
    /// As `more`, for settings of `plugin { }`.
    pub(crate) more_plugin: BTreeMap<String, String>,
}

impl Overrides {
    /// Of fields as auth gives them, for the service of this snapshot. A field without a value means `yes`.
    ///
    /// # Errors
    /// [`Error::Settings`]: a value that its setting does not take.
    pub fn new<'f>(
        snapshot: &Snapshot,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, Error> {
        let mut overrides = Self::default();
        for (name, value) in fields {
            let value = if value.is_empty() { "yes" } else { value };
            let added = match name.strip_suffix('+') {
                Some(name) => {
                    overrides.append(name, value, snapshot.reader());
                    Ok(())
                }
                None => overrides.set(name, value, snapshot.reader()),
            };
            added.map_err(|error| Error::Settings {
                service: snapshot.service().to_owned(),
                reason: format!("Invalid userdb input '{name}={value}': {error}"),
            })?;
        }
        Ok(overrides)
    }

    /// True if settings of plugins are all there is: what the rest of a service reads is the same for every user.
    #[must_use]
    pub fn is_plugin_only(&self) -> bool {
        self.values.is_empty() && self.blocks.is_empty() && self.more.is_empty()
    }

    fn set(&mut self, name: &str, value: &str, reader: Readers) -> Result<(), String> {
        if let Some(setting) = known(name, reader) {
            self.values.insert(name.to_owned(), parse(setting, value)?);
        } else if let Some((section, path)) = within(name, reader) {
            insert(&mut self.blocks, section, path, value)?;
        } else {
            let value = Value::Text(value.to_owned());
            self.plugin.insert(plugin_name(name).to_owned(), value);
        }
        Ok(())
    }

    /// Where there is no text to put it behind, it is nothing, as in Dovecot.
    fn append(&mut self, name: &str, value: &str, reader: Readers) {
        let (more, name) = match known(name, reader) {
            Some(setting) if matches!(setting.kind, Kind::Text | Kind::List) => {
                (&mut self.more, name)
            }
            Some(_) => return,
            None => (&mut self.more_plugin, plugin_name(name)),
        };
        more.insert(name.to_owned(), value.to_owned());
    }
}

/// The global setting of this name, if the service has it.
fn known(name: &str, reader: Readers) -> Option<&'static Setting> {
    table::global(name).filter(|setting| setting.readers.includes(reader))
}

fn plugin_name(name: &str) -> &str {
    name.strip_prefix("plugin/").unwrap_or(name)
}

/// A section and the names of what is in it: `namespace`, and `inbox/mailbox/Trash/auto`.
fn within(name: &str, reader: Readers) -> Option<(&'static Section, &str)> {
    let (section, path) = name.split_once('/')?;
    let section = table::SECTIONS
        .iter()
        .find(|known| known.name == section && known.readers.includes(reader))?;
    let is_known = section.naming != Naming::Free && setting_in(section, path).is_some();
    is_known.then_some((section, path))
}

/// The setting at the end of a path in a section.
fn setting_in(section: &'static Section, path: &str) -> Option<&'static Setting> {
    let (_, rest) = path.split_once('/')?;
    match rest.split_once('/') {
        None => section.settings.iter().find(|known| known.name == rest),
        Some((inner, path)) => {
            let inner = section.sections.iter().find(|known| known.name == inner)?;
            setting_in(inner, path)
        }
    }
}

fn insert(
    blocks: &mut Vec<Compiled>,
    section: &'static Section,
    path: &str,
    value: &str,
) -> Result<(), String> {
    let (Some((name, rest)), Some(setting)) = (path.split_once('/'), setting_in(section, path))
    else {
        return Ok(());
    };
    let mut block = Compiled {
        section: section.name.to_owned(),
        // Dovecot's escape for a slash in a name.
        name: name.replace("\\s", "/"),
        ..Compiled::default()
    };
    match rest.split_once('/') {
        None => {
            block.values.insert(rest.to_owned(), parse(setting, value)?);
        }
        Some((inner, path)) => {
            let inner = section.sections.iter().find(|known| known.name == inner);
            if let Some(inner) = inner {
                insert(&mut block.blocks, inner, path, value)?;
            }
        }
    }
    blocks.push(block);
    Ok(())
}

fn parse(setting: &Setting, text: &str) -> Result<Value, String> {
    let value = match WITH_VARIABLES.contains(&setting.name) {
        true => Value::parse(setting.kind, &text.replace('%', "%%")),
        false => Value::parse(setting.kind, text),
    }?;
    let unknown = match &value {
        Value::User(name, None) if !name.is_empty() => Some(name),
        Value::Groups(groups) => {
            let unknown = groups.iter().find(|(_, id)| id.is_none());
            unknown.map(|(name, _)| name)
        }
        _ => None,
    };
    match unknown {
        // A process that serves mail cannot ask who that is.
        Some(name) => Err(format!("{name} is no number")),
        None => Ok(value),
    }
}
