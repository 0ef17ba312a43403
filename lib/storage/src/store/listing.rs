//! LIST and LSUB.

use std::collections::{BTreeMap, HashSet};

use mailbox::{Error, ListEntry, MailboxName, SpecialUse};

use super::Storage;
use crate::namespace::Namespace;
use crate::pattern;
use crate::settings::{Auto, Visibility};

/// What one name of a namespace is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Node {
    selectable: bool,
    exists: bool,
    has_children: bool,
    no_inferiors: bool,
}

/// Names in storage encoding.
type Tree = BTreeMap<Vec<String>, Node>;

impl Storage {
    pub(super) fn list_matching(&self, patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        let subscribed: HashSet<MailboxName> = self.subscribed_names()?.into_iter().collect();
        let mut entries = Vec::new();
        for namespace in self.namespaces.all.iter() {
            if !namespace.is_asked_for(patterns) {
                continue;
            }
            let tree = namespace.tree()?;
            let mut of_namespace: Vec<ListEntry> = tree
                .iter()
                .filter_map(|(levels, node)| namespace.entry(levels, *node))
                .collect();
            of_namespace.extend(namespace.prefix_entry(&tree));
            entries.extend(
                of_namespace
                    .into_iter()
                    .filter(|entry| matches_any(patterns, entry)),
            );
        }
        for entry in &mut entries {
            entry.subscribed = subscribed.contains(&entry.name);
        }
        Ok(in_order(entries))
    }

    pub(super) fn special_use_of(&self, name: &MailboxName) -> Vec<SpecialUse> {
        let Ok(target) = self.resolve(name) else {
            return Vec::new();
        };
        let namespace = self.namespaces.all.get(target.namespace);
        namespace.map_or_else(Vec::new, |namespace| namespace.special_use(&target.levels))
    }

    pub(super) fn list_subscribed_matching(
        &self,
        patterns: &[String],
    ) -> Result<Vec<ListEntry>, Error> {
        let mut all: BTreeMap<MailboxName, ListEntry> = BTreeMap::new();
        for namespace in self.namespaces.all.iter() {
            let tree = namespace.tree()?;
            let entries = tree
                .iter()
                .filter_map(|(levels, node)| namespace.entry(levels, *node));
            all.extend(entries.map(|entry| (entry.name.clone(), entry)));
        }
        let subscribed = self.subscribed_names()?;
        let mut told: Vec<ListEntry> = Vec::new();
        for name in &subscribed {
            let separator = self.separator_of(name);
            let entry = all.get(name).cloned();
            let mut entry = entry.unwrap_or_else(|| missing(name.clone(), separator));
            entry.subscribed = true;
            if matches_any(patterns, &entry) {
                told.push(entry);
            } else {
                told.extend(levels_above(patterns, &entry));
            }
        }
        let names: HashSet<&MailboxName> = subscribed.iter().collect();
        // A level above stands in for its subscribed mailboxes; one that is subscribed itself does not.
        told.retain(|entry| entry.subscribed || !names.contains(&entry.name));
        Ok(in_order(told))
    }

    /// Names of all subscriptions, and of mailboxes that will be subscribed when they are made.
    fn subscribed_names(&self) -> Result<Vec<MailboxName>, Error> {
        let mut names = Vec::new();
        for namespace in self.namespaces.all.iter() {
            if namespace.subscriptions && namespace.alias_for.is_none() {
                let file = self.read_subscriptions(namespace)?;
                names.extend(file.names().filter_map(|levels| namespace.display(levels)));
            }
            for known in namespace
                .automatic()
                .filter(|known| known.auto == Auto::Subscribe)
            {
                let levels = namespace.names.levels(&known.name)?;
                if !namespace.list.is_selectable(&levels)? {
                    names.extend(namespace.display(&levels));
                }
            }
        }
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(names)
    }

    fn separator_of(&self, name: &MailboxName) -> char {
        let namespace = self
            .resolve(name)
            .ok()
            .and_then(|target| self.namespaces.all.get(target.namespace));
        namespace
            .or(self.namespaces.all.first())
            .map_or('/', |namespace| namespace.names.separator)
    }
}

impl Namespace {
    /// A namespace with `list = no` is told of only to who names it.
    fn is_asked_for(&self, patterns: &[String]) -> bool {
        self.visibility != Visibility::No
            || (!self.prefix.is_empty()
                && patterns
                    .iter()
                    .any(|pattern| pattern.starts_with(&self.prefix)))
    }

    fn tree(&self) -> Result<Tree, Error> {
        let mut tree = Tree::new();
        for found in self.list.names()? {
            let node = Node {
                selectable: found.selectable,
                exists: found.exists,
                has_children: false,
                no_inferiors: found.no_inferiors,
            };
            tree.insert(found.levels, node);
        }
        for known in self.automatic() {
            let node = tree.entry(self.names.levels(&known.name)?).or_default();
            (node.selectable, node.exists) = (true, true);
        }
        if self.list.has_inbox {
            let inbox = tree.entry(vec![MailboxName::INBOX.to_owned()]).or_default();
            *inbox = Node {
                selectable: true,
                exists: true,
                ..*inbox
            };
        }
        let names: Vec<Vec<String>> = tree.keys().cloned().collect();
        for levels in names {
            for depth in 1..levels.len() {
                if let Some(above) = levels.get(..depth) {
                    tree.entry(above.to_vec()).or_default().has_children = true;
                }
            }
        }
        Ok(tree)
    }

    fn entry(&self, levels: &[String], node: Node) -> Option<ListEntry> {
        Some(ListEntry {
            name: self.display(levels)?,
            separator: self.names.separator,
            selectable: node.selectable,
            exists: node.exists,
            has_children: node.has_children,
            no_inferiors: node.no_inferiors,
            subscribed: false,
            special_use: self.special_use(levels),
        })
    }

    fn special_use(&self, levels: &[String]) -> Vec<SpecialUse> {
        let words = self.setting(levels).map(|setting| &setting.special_use);
        words
            .into_iter()
            .flatten()
            .cloned()
            .map(SpecialUse)
            .collect()
    }

    /// The prefix itself: a level above all mailboxes of the namespace. `INBOX.` is INBOX.
    fn prefix_entry(&self, tree: &Tree) -> Option<ListEntry> {
        let name = self.prefix.strip_suffix(self.names.separator)?;
        let name = MailboxName::new(name).ok()?;
        let has_children = tree.keys().any(|levels| !self.list.is_inbox(levels));
        let told = match self.visibility {
            Visibility::Yes => true,
            Visibility::Children | Visibility::No => has_children,
        };
        if !told {
            return None;
        }
        let mut entry = missing(name, self.names.separator);
        (entry.exists, entry.has_children) = (true, has_children);
        Some(entry)
    }
}

fn missing(name: MailboxName, separator: char) -> ListEntry {
    ListEntry {
        name,
        separator,
        selectable: false,
        exists: false,
        has_children: false,
        no_inferiors: false,
        subscribed: false,
        special_use: Vec::new(),
    }
}

fn matches_any(patterns: &[String], entry: &ListEntry) -> bool {
    patterns
        .iter()
        .any(|wanted| pattern::matches(wanted, entry.name.as_str(), entry.separator))
}

/// RFC 3501 §6.3.9: where `%` matches a level above a subscribed mailbox, that level is told.
fn levels_above(patterns: &[String], entry: &ListEntry) -> Option<ListEntry> {
    let name = entry.name.as_str();
    let ends = name
        .match_indices(entry.separator)
        .map(|(at, _)| at)
        .collect::<Vec<_>>();
    let above = ends.into_iter().rev().filter_map(|end| name.get(..end));
    let mut wanted = above.filter(|above| {
        let with_percent = patterns.iter().filter(|pattern| pattern.contains('%'));
        with_percent
            .into_iter()
            .any(|wanted| pattern::matches(wanted, above, entry.separator))
    });
    let mut level = missing(MailboxName::new(wanted.next()?).ok()?, entry.separator);
    (level.exists, level.has_children) = (true, true);
    Some(level)
}

/// Sorted, INBOX first. Where two namespaces tell of one name, the one with a mailbox counts.
fn in_order(mut entries: Vec<ListEntry>) -> Vec<ListEntry> {
    let key = |entry: &ListEntry| {
        (
            !entry.name.is_inbox(),
            entry.name.clone(),
            !entry.selectable,
        )
    };
    entries.sort_by_key(key);
    entries.dedup_by(|later, first| {
        let same = later.name == first.name;
        if same {
            first.has_children |= later.has_children;
        }
        same
    });
    entries
}
