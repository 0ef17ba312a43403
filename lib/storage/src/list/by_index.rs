//! `LAYOUT=index`: the list index is the only table of names, and directories are named by GUID.
//! FORMATS.md §1.11.

use dbox::Listed;
use index::list::Tree;
use mailbox::{Error, Guid, Place};

use super::List;
use super::index::{ListIndex, put};
use super::noted::{NO_GUID, found_in, move_node};
use super::scan::Found;
use crate::location::Layout;

impl List {
    fn index(&self) -> Result<&ListIndex, Error> {
        let indexed = self.indexed.as_ref();
        let index = indexed.map(|indexed| &*indexed.index);
        index.ok_or_else(|| {
            let text =
                "mail_location: LAYOUT=index requires mailbox_list_index=yes and index files";
            Error::Config(text.to_owned())
        })
    }

    /// The names, INBOX among them.
    pub(super) fn listed(&self) -> Result<Vec<Found>, Error> {
        let picture = self.index()?.look()?;
        Ok(picture.map_or(Vec::new(), |picture| found_in(&picture.tree)))
    }

    /// The mailbox of a name, if there is one.
    pub(super) fn guid(&self, levels: &[String]) -> Result<Option<Guid>, Error> {
        let picture = self.index()?.look()?;
        let node = picture
            .as_ref()
            .and_then(|picture| picture.tree.find(levels));
        let node = node.filter(|node| node.is_selectable() && node.guid != NO_GUID);
        Ok(node.map(|node| node.guid))
    }

    /// What a mailbox that is there knows of itself.
    #[must_use]
    pub fn listed_as(&self, levels: &[String], place: &Place) -> Option<Listed> {
        let name = place.mail.file_name()?;
        let guid = Guid::from_hex(name.as_encoded_bytes())?;
        let listed = Listed {
            levels: levels.to_vec(),
            guid,
        };
        (self.location.layout == Layout::Index).then_some(listed)
    }

    /// Gives a mailbox that was made its name: from now on it is there.
    ///
    /// # Errors
    /// The list index cannot be written.
    pub fn enter(&self, levels: &[String], guid: Guid) -> Result<(), Error> {
        self.index()?.change(|tree| {
            let node = put(tree, levels, self.above()).and_then(|uid| tree.get_mut(uid));
            let node = node.ok_or(NO_NAME)?;
            node.guid = guid;
            Ok(())
        })
    }

    /// A mailbox, or a level, is gone. With mailboxes below it, its name stays.
    ///
    /// # Errors
    /// The list index cannot be written.
    pub fn leave(&self, levels: &[String]) -> Result<(), Error> {
        let remove = |tree: &mut Tree| {
            if let Some(uid) = tree.find(levels).map(|node| node.uid) {
                tree.remove(uid, index::list::flag::NOSELECT);
            }
            Ok(())
        };
        self.index()?.change(remove)
    }

    /// A mailbox and those below it have another name from now on.
    ///
    /// # Errors
    /// The list index cannot be written.
    pub fn move_name(&self, from: &[String], to: &[String]) -> Result<(), Error> {
        let above = self.above();
        self.index()?
            .change(|tree| move_node(tree, from, to, above).ok_or(NO_NAME))
    }
}

const NO_NAME: Error = Error::InvalidName {
    why: "Invalid mailbox name",
};
