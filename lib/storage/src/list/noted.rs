//! Names and numbers of mailboxes by the list index, and what goes into it.
//!
//! Dovecot looks at the directories when a session lists for the first time, and whenever the index asks it
//! to; we do each time. `mailbox_list_index_very_dirty_syncs` leaves it at what the index asks for.

use std::collections::HashSet;
use std::sync::Arc;

use index::list::{Tree, flag};
use mailbox::{Error, Guid, Stamp, Status, StoredMailbox};

use super::List;
use super::index::{ListIndex, Note, Picture, put};
use super::scan::Found;
use crate::location::Layout;

/// How much of the list index is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// What a look from outside confirms.
    Checked,
    /// All that it does not doubt itself: `mailbox_list_index_very_dirty_syncs`.
    Blind,
}

/// A list that has an index: `mailbox_list_index`.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// The files.
    pub index: Arc<ListIndex>,
    /// See [`Trust`].
    pub trust: Trust,
    /// Does it have INBOX's numbers, too? `mailbox_list_index_include_inbox`
    pub includes_inbox: bool,
}

impl List {
    /// Every mailbox and level but INBOX, in no order. The index learns what is new.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn names(&self) -> Result<Vec<Found>, Error> {
        let Some(indexed) = &self.indexed else {
            return self.scan();
        };
        if self.location.layout == Layout::Index {
            return self.scan();
        }
        let picture = self.picture(indexed);
        let believed = picture.as_ref().filter(|picture| {
            indexed.trust == Trust::Blind
                && !picture.tree.wants_refresh()
                && picture.tree.nodes().next().is_some()
        });
        let mut found = match believed {
            Some(picture) => found_in(&picture.tree),
            None => {
                let found = self.scan_all()?;
                self.learn(indexed, picture.as_ref(), &found);
                found
            }
        };
        found.retain(|found| !self.is_inbox(&found.levels));
        Ok(found)
    }

    /// The list index, if there is one; one that makes no sense goes.
    fn picture(&self, indexed: &Indexed) -> Option<Picture> {
        let damage = match indexed.index.look() {
            Ok(Some(picture)) if picture.state.header().is_repaired() => {
                "it has lost something".to_owned()
            }
            Ok(picture) => return picture,
            Err(error @ Error::Corrupted { .. }) => error.to_string(),
            Err(error) => {
                tell(Err(error));
                return None;
            }
        };
        if self.location.layout == Layout::Index {
            tracing::error!("list index: {damage}");
            return None;
        }
        tracing::warn!("list index: {damage}: made anew from directories");
        tell(indexed.index.remove().map_err(Error::from));
        None
    }

    fn learn(&self, indexed: &Indexed, known: Option<&Picture>, found: &[Found]) {
        let is_known = match known {
            // Nothing of nothing.
            None => found.is_empty(),
            Some(known) => {
                let mut tree = Tree::clone(&known.tree);
                self.bring_in_line(&mut tree, found);
                tree == *known.tree
            }
        };
        if is_known {
            return;
        }
        tell(indexed.index.change(|tree| {
            self.bring_in_line(tree, found);
            Ok(())
        }));
    }

    /// Makes the tree what was found.
    fn bring_in_line(&self, tree: &mut Tree, found: &[Found]) {
        let mut there = HashSet::new();
        let mut levels_above = HashSet::new();
        for one in found {
            let Some(uid) = tree.insert(&one.levels) else {
                continue;
            };
            there.insert(uid);
            let mut above = tree.get(uid).map_or(0, |node| node.parent);
            while above != 0 && levels_above.insert(above) {
                above = tree.get(above).map_or(0, |node| node.parent);
            }
            set_flags(tree, uid, one.flags());
        }
        for uid in levels_above.difference(&there) {
            set_flags(tree, *uid, flag::NONEXISTENT);
        }
        tree.retain(|node| there.contains(&node.uid) || levels_above.contains(&node.uid));
        tree.note_refresh();
    }

    /// What becomes of a level above a mailbox that is made: a directory, or nothing.
    pub(super) fn above(&self) -> u8 {
        match self.location.layout {
            Layout::Fs => flag::NOSELECT,
            Layout::MaildirPlusPlus | Layout::Index => flag::NONEXISTENT,
        }
    }

    /// A mailbox was made.
    pub fn note_created(&self, levels: &[String]) {
        self.change_names(|tree| {
            let _ = put(tree, levels, self.above());
        });
    }

    /// A mailbox or level is gone; whether its directory is, who lists next looks.
    pub fn note_deleted(&self, levels: &[String]) {
        self.change_names(|tree| {
            if let Some(uid) = tree.find(levels).map(|node| node.uid) {
                tree.remove(uid, self.above());
            }
            tree.ask_for_refresh();
        });
    }

    /// A mailbox and those below it have another name. They keep their numbers.
    pub fn note_renamed(&self, from: &[String], to: &[String]) {
        self.change_names(|tree| {
            let moved = move_node(tree, from, to, self.above());
            if moved.is_none() {
                tracing::debug!("list index did not know {}", from.join("/"));
            }
            tree.ask_for_refresh();
        });
    }

    /// Where there is no index, the first who lists makes it of what is there.
    fn change_names(&self, act: impl FnOnce(&mut Tree)) {
        let Some(indexed) = &self.indexed else {
            return;
        };
        // There names are not noted, but changed.
        if self.location.layout == Layout::Index {
            return;
        }
        if self.picture(indexed).is_some() {
            tell(indexed.index.change(|tree| {
                act(tree);
                Ok(())
            }));
        }
    }

    /// Subscriptions have changed.
    pub fn note_subscriptions(&self) {
        if let Some(indexed) = &self.indexed {
            tell(indexed.index.note_subscriptions(crate::uidvalidity::now()));
        }
    }

    /// Numbers of a mailbox that looks as it did when they were noted.
    pub fn known_status(&self, levels: &[String], mailbox: &dyn StoredMailbox) -> Option<Status> {
        let indexed = self.indexed_for(levels)?;
        let picture = self.picture(indexed)?;
        let node = picture.tree.find(levels)?;
        let status = picture.state.listed_status(node)?;
        let is_believed = node.is_selectable()
            && match indexed.trust {
                Trust::Blind => true,
                Trust::Checked => looks_so(mailbox, &picture, node),
            };
        is_believed.then_some(status)
    }

    /// Whoever is to remember the numbers of a mailbox; `None`: nobody.
    #[must_use]
    pub fn keeper_of(&self, levels: &[String], mailbox: &Arc<dyn StoredMailbox>) -> Option<Keeper> {
        let indexed = self.indexed_for(levels)?;
        Some(Keeper {
            index: Arc::clone(&indexed.index),
            above: self.above(),
            levels: levels.to_vec(),
            mailbox: Arc::clone(mailbox),
        })
    }

    fn indexed_for(&self, levels: &[String]) -> Option<&Indexed> {
        let indexed = self.indexed.as_ref();
        indexed.filter(|indexed| indexed.includes_inbox || !self.is_inbox(levels))
    }
}

/// Directories know it all: what cannot be noted fails nobody.
fn tell(noted: Result<(), Error>) {
    match noted {
        Ok(()) => {}
        // Whoever may only read mailboxes notes nothing of them.
        Err(error) if error.is_denied() => tracing::debug!("{error}"),
        Err(error) => tracing::warn!("{error}"),
    }
}

/// Remembers the numbers of one mailbox.
pub struct Keeper {
    index: Arc<ListIndex>,
    above: u8,
    levels: Vec<String>,
    mailbox: Arc<dyn StoredMailbox>,
}

impl Keeper {
    /// Somebody may have changed the mailbox: notes its numbers if it does not look as before.
    pub fn note(&self) {
        match self.renew() {
            // It was deleted; who did that noted it.
            Err(Error::NotFound { .. }) | Ok(()) => {}
            other => tell(other),
        }
    }

    fn renew(&self) -> Result<(), Error> {
        let mailbox = &*self.mailbox;
        let Some(mut stamp) = mailbox.stamp()? else {
            return Ok(());
        };
        let picture = self.index.look()?;
        let node = picture
            .as_ref()
            .and_then(|picture| picture.tree.find(&self.levels));
        if let (Some(picture), Some(node)) = (&picture, node)
            && picture.state.listed_status(node).is_some()
            && node.is_selectable()
            && has_marks(picture, node, &stamp)
        {
            return Ok(());
        }
        let mut status = mailbox.status()?;
        // Asking may have brought it in line with what others did, which is a change to look at.
        let after = mailbox.stamp()?;
        if after.as_ref() != Some(&stamp) {
            let Some(after) = after else {
                return Ok(());
            };
            stamp = after;
            status = mailbox.status()?;
        }
        let same = node
            .filter(|node| node.uid_validity == status.uid_validity.get() && node.guid != NO_GUID);
        let guid = match same {
            Some(_) => None,
            None => Some(mailbox.guid()?),
        };
        let note = Note {
            status,
            stamp,
            guid,
        };
        self.index.note(&self.levels, self.above, &note)
    }
}

/// No GUID is known.
pub(super) const NO_GUID: Guid = Guid([0; 16]);

fn looks_so(mailbox: &dyn StoredMailbox, picture: &Picture, node: &index::list::Node) -> bool {
    // Whoever opens it tells what is wrong.
    let Ok(Some(stamp)) = mailbox.stamp() else {
        return false;
    };
    has_marks(picture, node, &stamp)
}

/// Does the index know a mailbox that looks like this?
fn has_marks(picture: &Picture, node: &index::list::Node, stamp: &Stamp) -> bool {
    let mut marks = stamp.marks.iter();
    marks.all(|mark| picture.state.has_mark(node, mark))
}

impl Found {
    fn flags(&self) -> u8 {
        let selectable = if self.selectable { 0 } else { flag::NOSELECT };
        let inferiors = if self.no_inferiors {
            flag::NOINFERIORS
        } else {
            0
        };
        selectable | inferiors
    }
}

fn set_flags(tree: &mut Tree, uid: u32, flags: u8) {
    if let Some(node) = tree.get_mut(uid) {
        node.flags = flags;
        if !node.is_selectable() {
            (node.guid, node.uid_validity) = (NO_GUID, 0);
        }
    }
}

pub(super) fn move_node(tree: &mut Tree, from: &[String], to: &[String], above: u8) -> Option<()> {
    let uid = tree.find(from)?.uid;
    let (name, parents) = to.split_last()?;
    let parent = match parents {
        [] => 0,
        parents => match tree.find(parents) {
            Some(parent) => parent.uid,
            None => {
                let parent = put(tree, parents, above)?;
                tree.get_mut(parent)?.flags = above;
                parent
            }
        },
    };
    tree.rename(uid, parent, name.as_bytes())
}

pub(super) fn found_in(tree: &Tree) -> Vec<Found> {
    let found = tree.nodes().filter_map(|node| {
        let levels = tree.path(node.uid)?.into_iter();
        let levels = levels.map(|level| String::from_utf8(level.to_vec()).ok());
        Some(Found {
            levels: levels.collect::<Option<_>>()?,
            selectable: node.is_selectable(),
            exists: node.flags & flag::NONEXISTENT == 0,
            no_inferiors: node.flags & flag::NOINFERIORS != 0,
        })
    });
    found.collect()
}
