//! The tree of names, and what a transaction changes in it.

use std::collections::{BTreeMap, BTreeSet};

use mailbox::Guid;

use super::{HMODSEQ, LIST, MSGS, NO_GUID, Names, flag};
use crate::bytes::{array, low32, u32_at, u64_at};
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

/// Numbers of a mailbox as somebody last saw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the STATUS item of its name")]
pub struct NodeStatus {
    pub messages: u32,
    pub unseen: u32,
    pub recent: u32,
    pub uid_next: u32,
    pub highest_modseq: u64,
}

/// All names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// Names of the levels.
    pub names: Names,
    nodes: BTreeMap<u32, Node>,
}

impl Tree {
    /// Reads the tree out of a list index.
    ///
    /// # Errors
    /// The table of names is damaged. Nodes that make no sense are left out.
    pub fn decode(state: &State) -> Result<Self, Corruption> {
        let names = Names::decode(state.ext_header(LIST.name).unwrap_or_default())?;
        let mut nodes = BTreeMap::new();
        if let Some(extension) = state.extension(LIST.name) {
            for record in state.records() {
                let node = extension
                    .bytes_of(record)
                    .and_then(|bytes| decode_node(record.uid(), record.flags(), bytes));
                if let Some(node) = node.filter(|node| names.get(node.name_id).is_some()) {
                    nodes.insert(node.uid, node);
                }
            }
        }
        Ok(Self { names, nodes })
    }

    /// All nodes, ascending by UID.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
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
    pub fn find(&self, levels: &[&[u8]]) -> Option<&Node> {
        let mut parent = 0;
        let mut found = None;
        for level in levels {
            let id = self.names.find(level)?;
            let node = self
                .nodes
                .values()
                .find(|node| node.parent == parent && node.name_id == id)?;
            parent = node.uid;
            found = Some(node);
        }
        found
    }

    /// Has a node nodes below it?
    #[must_use]
    pub fn has_children(&self, uid: u32) -> bool {
        self.nodes.values().any(|node| node.parent == uid)
    }

    /// Puts a name in, with what is missing above it (nonexistent), from `next_uid` on; tells its UID and
    /// the next one. `None`: no such name can be.
    pub fn insert(
        &mut self,
        levels: &[&[u8]],
        guid: Guid,
        uid_validity: u32,
        next_uid: u32,
    ) -> Option<(u32, u32)> {
        let (mut parent, mut next) = (0, next_uid.max(1));
        for level in levels {
            let name_id = self.names.add(level)?;
            let known = self
                .nodes
                .values()
                .find(|node| node.parent == parent && node.name_id == name_id)
                .map(|node| node.uid);
            parent = match known {
                Some(uid) => uid,
                None => {
                    let uid = next;
                    next = next.checked_add(1)?;
                    let node = Node {
                        uid,
                        flags: flag::NONEXISTENT,
                        name_id,
                        parent,
                        guid: NO_GUID,
                        uid_validity: 0,
                    };
                    self.nodes.insert(uid, node);
                    uid
                }
            };
        }
        let node = self.nodes.get_mut(&parent)?;
        node.flags &= !(flag::NONEXISTENT | flag::NOSELECT);
        node.guid = guid;
        node.uid_validity = uid_validity;
        Some((parent, next))
    }

    /// Takes a name out; with names below it, it stays as one that does not exist. Names above that only
    /// were there for it go too.
    pub fn remove(&mut self, uid: u32) {
        if let Some(node) = self.nodes.get_mut(&uid) {
            node.flags |= flag::NONEXISTENT;
            node.guid = NO_GUID;
            node.uid_validity = 0;
        }
        let mut at = uid;
        while let Some(node) = self.nodes.get(&at) {
            if node.flags & flag::NONEXISTENT == 0 || self.has_children(at) {
                break;
            }
            let parent = node.parent;
            self.nodes.remove(&at);
            at = parent;
        }
    }

    /// Gives a node another name and parent; its UID, GUID and what is below it stay.
    pub fn rename(&mut self, uid: u32, parent: u32, name: &[u8]) -> Option<()> {
        let name_id = self.names.add(name)?;
        let node = self.nodes.get_mut(&uid)?;
        (node.parent, node.name_id) = (parent, name_id);
        Some(())
    }

    /// What turns the index in this state into one that says this tree.
    #[must_use]
    pub fn changes_from(&self, state: &State) -> Transaction {
        let mut transaction = Transaction::external();
        let mut names = self.names.clone();
        let used: BTreeSet<u32> = self.nodes.values().map(|node| node.name_id).collect();
        names.retain(|id| used.contains(&id));
        let before = state.ext_header(LIST.name).unwrap_or_default();
        let header = names.encode(before.len().max(1));
        let spec = ExtSpec {
            header_size: low32(header.len()),
            ..LIST
        };
        let old = Self::decode(state).unwrap_or_default();
        let change = transaction.extension(&spec);
        if header != before {
            change.set_header(0, &header);
        }
        let changed = |node: &&Node| old.nodes.get(&node.uid) != Some(*node);
        for node in self.nodes.values().filter(changed) {
            change.set_record(node.uid, &encode_node(node));
        }
        for node in self.nodes.values() {
            match old.nodes.get(&node.uid) {
                None => transaction.append(node.uid, node.flags),
                Some(old) if old.flags != node.flags => {
                    let uids = mailbox::Uid::new(node.uid).into_iter().collect();
                    transaction.update_flags(&uids, node.flags, !node.flags);
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
}

impl NodeStatus {
    /// What the list index says about a node's mailbox; it may be old.
    #[must_use]
    pub fn decode(state: &State, uid: u32) -> Option<Self> {
        let seq = state.seq(mailbox::Uid::new(uid)?)?;
        let bytes = state.ext_record(seq, MSGS.name)?;
        let modseq = state.ext_record(seq, HMODSEQ.name);
        Some(Self {
            messages: u32_at(bytes, 0)?,
            unseen: u32_at(bytes, 4)?,
            recent: u32_at(bytes, 8)?,
            uid_next: u32_at(bytes, 12)?,
            highest_modseq: modseq.and_then(|bytes| u64_at(bytes, 0)).unwrap_or(0),
        })
    }

    /// Writes it.
    pub fn put(&self, transaction: &mut Transaction, uid: u32) {
        let numbers = [self.messages, self.unseen, self.recent, self.uid_next];
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        transaction.extension(&MSGS).set_record(uid, &bytes);
        let modseq = self.highest_modseq.to_le_bytes();
        transaction.extension(&HMODSEQ).set_record(uid, &modseq);
    }
}

fn decode_node(uid: u32, flags: u8, bytes: &[u8]) -> Option<Node> {
    Some(Node {
        uid,
        flags,
        name_id: u32_at(bytes, 0)?,
        parent: u32_at(bytes, 4)?,
        guid: Guid(array(bytes, 8)?),
        uid_validity: u32_at(bytes, 24)?,
    })
}

fn encode_node(node: &Node) -> Vec<u8> {
    let mut bytes = node.name_id.to_le_bytes().to_vec();
    bytes.extend(node.parent.to_le_bytes());
    bytes.extend(node.guid.0);
    bytes.extend(node.uid_validity.to_le_bytes());
    bytes
}
