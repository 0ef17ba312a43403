//! Which namespace a name is in.

use mailbox::{Error, MailboxName};

use super::{Namespace, Namespaces};

/// A mailbox, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Number of its namespace.
    pub namespace: usize,
    /// In storage encoding.
    pub levels: Vec<String>,
}

impl Namespaces {
    /// Finds a name's namespace and its levels.
    ///
    /// # Errors
    /// [`Error::InvalidName`]: no mailbox can be called that. [`Error::NotFound`]: it is another user's.
    pub fn resolve(&self, name: &MailboxName) -> Result<Target, Error> {
        let target = resolve(&self.all, name);
        let prefix = |target: &Target| {
            let namespace = self.all.get(target.namespace);
            namespace.map_or(0, |namespace| namespace.prefix.len())
        };
        let known = target.as_ref().map_or(0, prefix);
        let is_others = self
            .others
            .iter()
            .any(|others| name.as_str().starts_with(&others.prefix) && others.prefix.len() > known);
        match is_others {
            true => Err(Error::NotFound {
                mailbox: name.clone(),
            }),
            false => target,
        }
    }
}

fn resolve(namespaces: &[Namespace], name: &MailboxName) -> Result<Target, Error> {
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
