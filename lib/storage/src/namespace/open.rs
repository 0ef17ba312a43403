//! Namespaces as the configuration wants them.

use std::sync::Arc;

use super::{Namespace, Namespaces, Others};
use crate::list::index::Kept;
use crate::list::{Indexed, List, Trust};
use crate::location::Location;
use crate::names::{Names, Reserved};
use crate::settings::{Kind, NamespaceSettings, Settings};
use crate::shared::Shared;
use crate::uidvalidity::Counter;
use crate::user::MailUser;
use mailbox::{Durability, Error, NamespaceKind};

impl Namespaces {
    /// The user's namespaces, by their `order`.
    ///
    /// # Errors
    /// [`Error::Config`], naming the namespace and what is wrong with it.
    pub fn open(shared: &Shared, user: &MailUser, settings: &Settings) -> Result<Self, Error> {
        let implicit = [NamespaceSettings::default()];
        let configured = match settings.namespace.as_slice() {
            [] => &implicit[..],
            configured => configured,
        };
        let (mut all, mut others) = (Vec::new(), Vec::new());
        for namespace in configured.iter().filter(|namespace| !namespace.disabled) {
            if namespace.kind == Kind::Shared {
                others.push(Others::new(namespace)?);
                continue;
            }
            match Namespace::new(shared, user, settings, namespace) {
                Ok(namespace) => all.push(namespace),
                Err(error) if namespace.ignore_on_failure => {
                    tracing::info!("namespace {} is left out: {error}", namespace.name);
                }
                Err(error) => return Err(error),
            }
        }
        if !all.iter().any(|namespace| namespace.list.has_inbox) {
            return Err(Error::Config("no namespace has inbox=yes".to_owned()));
        }
        all.sort_by_key(|namespace| namespace.order);
        link_aliases(&mut all, configured)?;
        Ok(Self { all, others })
    }
}

/// Finds what each `alias_for` means. Every prefix is that of one namespace.
fn link_aliases(all: &mut [Namespace], configured: &[NamespaceSettings]) -> Result<(), Error> {
    let prefixes: Vec<String> = all.iter().map(|one| one.prefix.clone()).collect();
    for namespace in configured {
        let Some(wanted) = &namespace.alias_for else {
            continue;
        };
        let number = |prefix: &str| prefixes.iter().position(|known| known == prefix);
        let Some(original) = number(wanted) else {
            let text = format!("alias_for: no namespace has the prefix {wanted:?}");
            return Err(wrong(namespace, &text));
        };
        if let Some(alias) = number(&namespace.prefix).and_then(|alias| all.get_mut(alias)) {
            alias.alias_for = Some(original);
        }
    }
    Ok(())
}

fn wrong(namespace: &NamespaceSettings, what: &str) -> Error {
    Error::Config(format!("namespace {}: {what}", namespace.name))
}

fn separator(namespace: &NamespaceSettings, usual: char) -> Result<char, Error> {
    let mut characters = namespace.separator.chars();
    match (characters.next(), characters.next()) {
        (None, _) => Ok(usual),
        (Some(one), None) if one.is_ascii_graphic() && !"*%\"\\&".contains(one) => Ok(one),
        _ => {
            let text = format!("separator {:?} cannot be one", namespace.separator);
            Err(wrong(namespace, &text))
        }
    }
}

/// What remembers names and numbers of a list, if anything does.
fn indexed(shared: &Shared, settings: &Settings, location: &Location) -> Option<Indexed> {
    let dir = location
        .index_root()
        .filter(|_| settings.mailbox_list_index)?;
    let kept = Kept {
        dir,
        name: location.list_index.clone(),
        settings: mailbox::Settings {
            // Directories know it all.
            durability: Durability::Unsynced,
            ..settings.of_mailboxes()
        },
        locks: settings.lock_method.into(),
    };
    Some(Indexed {
        index: shared.list_index(kept),
        trust: match settings.mailbox_list_index_very_dirty_syncs {
            true => Trust::Blind,
            false => Trust::Checked,
        },
        includes_inbox: settings.mailbox_list_index_include_inbox,
    })
}

impl Others {
    /// `prefix = shared/%%u/`
    fn new(namespace: &NamespaceSettings) -> Result<Self, Error> {
        let separator = separator(namespace, '/')?;
        let (prefix, owner) = namespace.prefix.split_once("%%").unwrap_or_default();
        if owner.is_empty() || !prefix.ends_with(separator) {
            let text = format!(
                "prefix {:?} must have %%u, %%n or %%d after {separator:?}",
                namespace.prefix
            );
            return Err(wrong(namespace, &text));
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            separator,
            hidden: namespace.hidden,
        })
    }
}

impl Namespace {
    fn new(
        shared: &Shared,
        user: &MailUser,
        settings: &Settings,
        namespace: &NamespaceSettings,
    ) -> Result<Self, Error> {
        if namespace.kind == Kind::Public && namespace.inbox {
            return Err(wrong(namespace, "type=public has nobody's INBOX"));
        }
        let setting = match namespace.location.as_str() {
            "" => &settings.mail_location,
            own => own,
        };
        let fs = &shared.fs.locking_by(settings.lock_method.into());
        let location = Location::parse(setting, fs, user)?;
        let separator = separator(namespace, location.layout.separator())?;
        if !namespace.prefix.is_empty() && !namespace.prefix.ends_with(separator) {
            let text = format!("prefix {:?} must end with {separator:?}", namespace.prefix);
            return Err(wrong(namespace, &text));
        }
        let names = Names {
            layout: location.layout,
            encoding: location.encoding,
            separator,
            reserved: Reserved::of(&location),
        };
        let list = List {
            fs: fs.clone(),
            indexed: indexed(shared, settings, &location),
            location,
            has_inbox: namespace.inbox,
        };
        let uid_validities = Arc::new(Counter::new(fs.clone(), list.location.control_root()));
        Ok(Self {
            prefix: namespace.prefix.clone(),
            names,
            list,
            visibility: namespace.list,
            hidden: namespace.hidden,
            subscriptions: namespace.subscriptions,
            known: namespace.mailbox.clone(),
            uid_validities,
            alias_for: None,
            kind: match namespace.kind {
                Kind::Private => NamespaceKind::Personal,
                Kind::Public | Kind::Shared => NamespaceKind::Shared,
            },
            order: namespace.order,
        })
    }
}
