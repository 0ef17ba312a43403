//! The mailboxes of a storage, as a rebuild needs them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use index::{Backup, Index, Options, RecordRef, State};
use mailbox::Error;

use crate::guid;
use crate::mailbox_ext::{GUID, MDBOX, MDBOX_HDR};
use crate::number::MapUid;
use crate::rebuild::plan::Wanted;
use crate::record::{BoxHeader, BoxRecord};
use crate::storage::Storage;

/// One mailbox.
#[derive(Debug)]
pub(crate) struct OpenBox {
    /// Directory of its index.
    pub dir: PathBuf,
    pub index: Index,
    pub state: Arc<State>,
}

impl OpenBox {
    pub fn header(&self) -> Option<BoxHeader> {
        self.state.ext_header(MDBOX_HDR).and_then(BoxHeader::decode)
    }

    /// Its records. `uid_validity`: numbers of another map mean nothing.
    pub fn wanted(&self, mailbox: usize, uid_validity: u32) -> impl Iterator<Item = Wanted> {
        let ours = self
            .header()
            .is_some_and(|header| header.map_uid_validity == uid_validity);
        let records = self.state.records();
        records.map(move |record| Wanted {
            mailbox,
            uid: record.uid(),
            map_uid: self.map_uid(record).filter(|_| ours),
            guid: self.bytes(GUID, record).and_then(guid::from_record),
        })
    }

    fn map_uid(&self, record: RecordRef<'_>) -> Option<MapUid> {
        let bytes = self.bytes(MDBOX, record)?;
        Some(BoxRecord::decode(bytes)?.map_uid)
    }

    fn bytes<'r>(&self, name: &str, record: RecordRef<'r>) -> Option<&'r [u8]> {
        self.state.extension(name)?.bytes_of(record)
    }

    /// Is it the one that messages saved to `name` were in?
    pub fn is_called(&self, mailboxes: &Path, name: &str) -> bool {
        if let Some(called) = dbox::listed::name_of(&self.state) {
            return called == name;
        }
        let named = mailboxes.join(name);
        self.dir == named || self.dir.parent() == Some(&named)
    }
}

impl Storage {
    /// All mailboxes that have an index.
    ///
    /// # Errors
    /// One cannot be read: nothing can be said about who wants what.
    pub(crate) fn boxes(&self) -> Result<Vec<OpenBox>, Error> {
        let options = Options {
            backup: Backup::Keep,
            ..Options::mailbox(&self.settings.common)
        };
        let mut boxes = Vec::new();
        for dir in self.dirs.indexes(&self.fs)? {
            let index = match Index::open(&self.fs, &dir, options.clone()) {
                Err(index::Error::NotFound { .. } | index::Error::Deleted { .. }) => continue,
                other => other?,
            };
            let state = index.state()?;
            boxes.push(OpenBox { dir, index, state });
        }
        Ok(boxes)
    }
}
