//! Namespaces: which part of a name says where the mailbox is. RFC 2342.

use std::sync::Arc;

use mailbox::{Error, MailboxName, NewUidValidity};
use sys::fs::Fs;

use crate::list::List;
use crate::location::Location;
use crate::names::{Names, Reserved};
use crate::settings::{Auto, Kind, MailboxSettings, NamespaceSettings, Settings, Visibility};
use crate::uidvalidity::Counter;
use crate::user::MailUser;

/// One namespace of one user.
pub struct Namespace {
    /// Every name in it begins with this; ends with the separator unless empty.
    pub prefix: String,
    /// Rules of its names.
    pub names: Names,
    /// Its directories.
    pub list: List,
    /// Told in LIST?
    pub visibility: Visibility,
    /// Not told in NAMESPACE.
    pub hidden: bool,
    /// Has subscriptions of its own.
    pub subscriptions: bool,
    /// Mailboxes that the configuration knows.
    pub known: Vec<MailboxSettings>,
    /// Of its list.
    pub uid_validities: Arc<dyn NewUidValidity>,
    order: u32,
}

/// A mailbox, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Number of its namespace.
    pub namespace: usize,
    /// In storage encoding.
    pub levels: Vec<String>,
}

impl Namespace {
    /// The user's namespaces, those without prefix first among equals of `order`.
    ///
    /// # Errors
    /// [`Error::Config`], naming the namespace and what is wrong with it.
    pub fn all(fs: &Fs, user: &MailUser, settings: &Settings) -> Result<Vec<Self>, Error> {
        let implicit = [NamespaceSettings::default()];
        let configured = match settings.namespace.as_slice() {
            [] => &implicit[..],
            configured => configured,
        };
        let mut all = Vec::new();
        for namespace in configured.iter().filter(|namespace| !namespace.disabled) {
            match Self::new(fs, user, settings, namespace) {
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
        Ok(all)
    }

    fn new(
        fs: &Fs,
        user: &MailUser,
        settings: &Settings,
        namespace: &NamespaceSettings,
    ) -> Result<Self, Error> {
        let wrong = |what: String| {
            Err(Error::Config(format!(
                "namespace {}: {what}",
                namespace.name
            )))
        };
        if namespace.kind == Kind::Shared {
            return wrong("type=shared is not supported by this version".to_owned());
        }
        if namespace.kind == Kind::Public && namespace.inbox {
            return wrong("type=public has nobody's INBOX".to_owned());
        }
        let setting = match namespace.location.as_str() {
            "" => &settings.mail_location,
            own => own,
        };
        let location = Location::parse(setting, fs, user)?;
        let mut characters = namespace.separator.chars();
        let separator = match (characters.next(), characters.next()) {
            (None, _) => location.layout.separator(),
            (Some(one), None) if one.is_ascii_graphic() && !"*%\"\\&".contains(one) => one,
            _ => return wrong(format!("separator {:?} cannot be one", namespace.separator)),
        };
        if !namespace.prefix.is_empty() && !namespace.prefix.ends_with(separator) {
            return wrong(format!(
                "prefix {:?} must end with {separator:?}",
                namespace.prefix
            ));
        }
        let names = Names {
            layout: location.layout,
            encoding: location.encoding,
            separator,
            reserved: Reserved::of(&location),
        };
        let list = List {
            fs: fs.clone(),
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
            order: namespace.order,
        })
    }

    /// What the user calls these levels.
    #[must_use]
    pub fn display(&self, levels: &[String]) -> Option<MailboxName> {
        if self.list.is_inbox(levels) {
            return MailboxName::new(MailboxName::INBOX).ok();
        }
        let name = self.names.display(levels)?;
        MailboxName::new(&format!("{}{name}", self.prefix)).ok()
    }

    /// What the configuration says about a mailbox.
    #[must_use]
    pub fn setting(&self, levels: &[String]) -> Option<&MailboxSettings> {
        let name = if self.list.is_inbox(levels) {
            MailboxName::INBOX.to_owned()
        } else {
            self.names.display(levels)?
        };
        self.known.iter().find(|known| known.name == name)
    }

    /// Does the configuration make this mailbox when it is first used?
    #[must_use]
    pub fn auto(&self, levels: &[String]) -> Auto {
        self.setting(levels)
            .map_or(Auto::No, |setting| setting.auto)
    }
}

/// Finds a name's namespace and its levels.
///
/// # Errors
/// [`Error::InvalidName`]: no mailbox can be called that.
pub fn resolve(namespaces: &[Namespace], name: &MailboxName) -> Result<Target, Error> {
    let invalid = |why| Err(Error::InvalidName { why });
    if name.is_inbox() {
        let with_inbox = namespaces
            .iter()
            .position(|namespace| namespace.list.has_inbox);
        let namespace = with_inbox.unwrap_or(0);
        return Ok(Target {
            namespace,
            levels: vec![MailboxName::INBOX.to_owned()],
        });
    }
    let matching = namespaces
        .iter()
        .enumerate()
        .filter_map(|(number, namespace)| {
            let name = inbox_upper(name.as_str(), namespace.names.separator);
            let rest = name.strip_prefix(&namespace.prefix)?.to_owned();
            Some((number, namespace, rest))
        });
    let Some((number, namespace, rest)) =
        matching.max_by_key(|(_, namespace, _)| namespace.prefix.len())
    else {
        return invalid("Client tried to access nonexistent namespace.");
    };
    let levels = namespace.names.levels(&rest)?;
    if namespace.list.is_inbox(&levels) {
        return invalid("Invalid mailbox name: INBOX has no prefix");
    }
    Ok(Target {
        namespace: number,
        levels,
    })
}

/// The first level INBOX is the same in any case.
fn inbox_upper(name: &str, separator: char) -> String {
    match name.split_once(separator) {
        Some((first, rest)) if first.eq_ignore_ascii_case(MailboxName::INBOX) => {
            format!("{}{separator}{rest}", MailboxName::INBOX)
        }
        _ => name.to_owned(),
    }
}
