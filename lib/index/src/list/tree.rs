//! The tree of names, and what a transaction changes in it.

use std::collections::{BTreeMap, BTreeSet};

use mailbox::Guid;

use super::{LIST, NO_GUID, Names, flag};
use crate::bytes::{array, low32, u32_at};
use crate::state::ExtSpec;
use crate::transaction::Transaction;
use crate::{Corruption, State};

/// Deeper trees have a cycle.
const DEEPEST: usize = 256;

/// One name in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Identifies the name.
    pub uid: u32,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Its last level, in [`Tree::names`].
    pub name_id: u32,
    /// UID of the name above; 0: none.
    pub parent: u32,
    /// Of the mailbox; zeros: none or not known.
    pub guid: Guid,
    /// Of the mailbox; 0: none or not known.
    pub uid_validity: u32,
}

impl Node {
    /// Is it a mailbox?
    #[must_use]
    pub fn is_selectable(&self) -> bool {
        self.flags & (flag::NONEXISTENT | flag::NOSELECT) == 0
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.name_id.to_le_bytes().to_vec();
        bytes.extend(self.parent.to_le_bytes());
        bytes.extend(self.guid.0);
        bytes.extend(self.uid_validity.to_le_bytes());
        bytes
    }
}

/// All names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    names: Names,
    nodes: BTreeMap<u32, Node>,
    /// UIDs by parent and name.
    places: BTreeMap<(u32, Vec<u8>), u32>,
    /// UID of the next node.
    next_uid: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            names: Names::default(),
            nodes: BTreeMap::new(),
            places: BTreeMap::new(),
            next_uid: 1,
        }
    }
}

impl Tree {
    /// Reads the tree out of a list index.
    ///
    /// # Errors
    /// The table of names is damaged. Nodes that make no sense are left out.
    pub fn decode(state: &State) -> Result<Self, Corruption> {
        let mut tree = Self {
            names: Names::decode(state.ext_header(LIST.name).unwrap_or_default())?,
            next_uid: state.header().next_uid(),
            ..Self::default()
        };
        if let Some(extension) = state.extension(LIST.name) {
            for record in state.records() {
                let node = extension
                    .bytes_of(record)
                    .and_then(|bytes| decode_node(record.uid(), record.flags(), bytes));
                if let Some(node) = node {
                    tree.put(node);
                }
            }
        }
        Ok(tree)
    }

    /// Puts a node where nobody is; without a name, or in another's place, it stays out.
    fn put(&mut self, node: Node) {
        let Some(name) = self.names.get(node.name_id) else {
            return;
        };
        let place = (node.parent, name.to_vec());
        if let std::collections::btree_map::Entry::Vacant(free) = self.places.entry(place) {
            free.insert(node.uid);
            self.nodes.insert(node.uid, node);
        }
    }

    fn take(&mut self, uid: u32) -> Option<Node> {
        let node = self.nodes.remove(&uid)?;
        let name = self.names.get(node.name_id)?;
        self.places.remove(&(node.parent, name.to_vec()));
        Some(node)
    }

    /// Must the file system be looked at before any of it is believed?
    #[must_use]
    pub fn wants_refresh(&self) -> bool {
        self.names.refresh != 0
    }

    /// Tells who reads it next to look at the file system first.
    pub fn ask_for_refresh(&mut self) {
        self.names.refresh = 1;
    }

    /// Somebody has looked.
    pub fn note_refresh(&mut self) {
        self.names.refresh = 0;
    }

    /// All nodes, ascending by UID.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// The node of a UID.
    #[must_use]
    pub fn get(&self, uid: u32) -> Option<&Node> {
        self.nodes.get(&uid)
    }

    /// The same, to change what is not its place.
    pub fn get_mut(&mut self, uid: u32) -> Option<&mut Node> {
        self.nodes.get_mut(&uid)
    }

    /// The levels of a node's name from the root on; `None`: a level is missing.
    #[must_use]
    pub fn path(&self, uid: u32) -> Option<Vec<&[u8]>> {
        let mut levels = Vec::new();
        let mut at = uid;
        while at != 0 {
            let node = self.nodes.get(&at)?;
            levels.push(self.names.get(node.name_id)?);
            at = node.parent;
            if levels.len() > DEEPEST {
                return None;
            }
        }
        levels.reverse();
        Some(levels)
    }

    /// The node of a name.
    #[must_use]
    pub fn find(&self, levels: &[impl AsRef<[u8]>]) -> Option<&Node> {
        let mut parent = 0;
        for level in levels {
            parent = self.child(parent, level.as_ref())?;
        }
        self.nodes.get(&parent)
    }

    fn child(&self, parent: u32, name: &[u8]) -> Option<u32> {
        self.places.get(&(parent, name.to_vec())).copied()
    }

    /// Has a node nodes below it?
    #[must_use]
    pub fn has_children(&self, uid: u32) -> bool {
        let from = (uid, Vec::new());
        let next = self.places.range(from..).next();
        next.is_some_and(|((parent, _), _)| *parent == uid)
    }

    /// The UID of a name, which is put in if it is not there: nonexistent, and so is what is missing above
    /// it. `None`: no such name can be.
    pub fn insert(&mut self, levels: &[impl AsRef<[u8]>]) -> Option<u32> {
        let mut parent = 0;
        for level in levels {
            parent = match self.child(parent, level.as_ref()) {
                Some(known) => known,
                None => {
                    let uid = self.next_uid;
                    let node = Node {
                        uid,
                        flags: flag::NONEXISTENT,
                        name_id: self.names.add(level.as_ref())?,
                        parent,
                        guid: NO_GUID,
                        uid_validity: 0,
                    };
                    self.next_uid = uid.checked_add(1)?;
                    self.put(node);
                    uid
                }
            };
        }
        (parent != 0).then_some(parent)
    }

    /// Takes a name out. With names below it, it stays with `above`, one of [`flag`]; names above that do not
    /// exist and only were there for it go too.
    pub fn remove(&mut self, uid: u32, above: u8) {
        if self.has_children(uid) {
            if let Some(node) = self.nodes.get_mut(&uid) {
                node.flags = above;
                (node.guid, node.uid_validity) = (NO_GUID, 0);
            }
            return;
        }
        let mut at = self.take(uid).map(|node| node.parent);
        while let Some(above) = at.and_then(|uid| self.nodes.get(&uid)) {
            if above.flags & flag::NONEXISTENT == 0 || self.has_children(above.uid) {
                break;
            }
            at = self.take(above.uid).map(|node| node.parent);
        }
    }

    /// Takes out every name that `stays` does not want.
    pub fn retain(&mut self, stays: impl Fn(&Node) -> bool) {
        let gone = self.nodes.values().filter(|node| !stays(node));
        let gone: Vec<u32> = gone.map(|node| node.uid).collect();
        for uid in gone {
            self.take(uid);
        }
    }

    /// Gives a node another name and parent; its UID, GUID and what is below it stay. `None`: somebody is
    /// there, or no such name can be.
    pub fn rename(&mut self, uid: u32, parent: u32, name: &[u8]) -> Option<()> {
        if self.child(parent, name).is_some() || !self.nodes.contains_key(&uid) {
            return None;
        }
        let name_id = self.names.add(name)?;
        let node = self.take(uid)?;
        self.put(Node {
            name_id,
            parent,
            ..node
        });
        Some(())
    }

    /// What turns the index in this state into one that says this tree.
    #[must_use]
    pub fn changes_from(&self, state: &State) -> Transaction {
        self.changes(&Self::decode(state).unwrap_or_default(), state)
    }

    /// The same, by the tree that was read from the state.
    #[must_use]
    pub fn changes(&self, old: &Self, state: &State) -> Transaction {
        let mut transaction = Transaction::external();
        if self.names != old.names || state.extension(LIST.name).is_none() {
            self.put_names(state, &mut transaction);
        }
        let change = transaction.extension(&LIST);
        let changed = |node: &&Node| old.nodes.get(&node.uid) != Some(*node);
        for node in self.nodes.values().filter(changed) {
            change.set_record(node.uid, &node.encode());
        }
        for node in self.nodes.values() {
            match old.nodes.get(&node.uid) {
                None => transaction.append(node.uid, node.flags),
                Some(old) if old.flags != node.flags => {
                    let uids = mailbox::Uid::new(node.uid).into_iter().collect();
                    transaction.update_flags(&uids, node.flags, !node.flags & flag::ALL);
                }
                Some(_) => {}
            }
        }
        let gone = state.records().map(|record| record.uid());
        for uid in gone.filter(|uid| !self.nodes.contains_key(uid)) {
            transaction.expunge(uid, [0; 16]);
        }
        transaction
    }

    /// The table of names, from where it differs. Names of nodes that are gone go when others come.
    fn put_names(&self, state: &State, transaction: &mut Transaction) {
        let before = state.ext_header(LIST.name).unwrap_or_default();
        let mut names = self.names.clone();
        let used: BTreeSet<u32> = self.nodes.values().map(|node| node.name_id).collect();
        names.retain(|id| used.contains(&id));
        let header = names.encode(before.len());
        let same = header
            .iter()
            .zip(before)
            .take_while(|(new, old)| new == old);
        let same = same.count();
        let tail = header.get(same..).unwrap_or_default();
        // Zeros are there already where the header grows.
        let length = tail
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let length = length.max(before.len().saturating_sub(same));
        if header.len() == before.len() && length == 0 {
            return;
        }
        let spec = ExtSpec {
            header_size: low32(header.len()),
            ..LIST
        };
        let change = transaction.extension(&spec);
        let changed = tail.get(..length.max(1)).unwrap_or(tail);
        change.set_header(low32(same), changed);
    }
}

fn decode_node(uid: u32, flags: u8, bytes: &[u8]) -> Option<Node> {
    Some(Node {
        uid,
        flags: flags & !flag::SYNC_MARK,
        name_id: u32_at(bytes, 0)?,
        parent: u32_at(bytes, 4)?,
        guid: Guid(array(bytes, 8)?),
        uid_validity: u32_at(bytes, 24)?,
    })
}
