//! What is to be written to the log at once. FORMATS.md §1.3.

mod encode;
mod extension;
mod update;

use mailbox::UidSet;

pub use extension::{ExtChange, Preserve};

use crate::log::record::{Append, Attribute, Expunge, FlagUpdate, Origin, Patch, Toggle, UidRange};
use crate::state::{ExtSpec, field};

/// Changes that are written with one `write()`, all or none. Its order is not that of the calls but
/// Dovecot's: header, appends, flags, extensions, keywords, modseqs, expunges, header.
#[derive(Debug, Clone)]
pub struct Transaction {
    origin: Origin,
    durable: bool,
    undelete: bool,
    delete: bool,
    header_before: Vec<Patch>,
    header_after: Vec<Patch>,
    attributes: Vec<Attribute>,
    appends: Vec<Append>,
    flags: Vec<FlagUpdate>,
    extensions: Vec<ExtChange>,
    keywords: Vec<(Toggle, String, Vec<UidRange>)>,
    modseqs: Vec<(u32, u64)>,
    expunges: Vec<Expunge>,
}

impl Transaction {
    /// Nothing yet. Internal: requests of a client; external: what has been done to the mail.
    /// FORMATS.md §1.2 tells which is which for each format.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            durable: false,
            undelete: false,
            delete: false,
            header_before: Vec::new(),
            header_after: Vec::new(),
            attributes: Vec::new(),
            appends: Vec::new(),
            flags: Vec::new(),
            extensions: Vec::new(),
            keywords: Vec::new(),
            modseqs: Vec::new(),
            expunges: Vec::new(),
        }
    }

    /// [`Transaction::new`] with [`Origin::External`].
    #[must_use]
    pub fn external() -> Self {
        Self::new(Origin::External)
    }

    /// [`Transaction::new`] with [`Origin::Internal`].
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Origin::Internal)
    }

    /// Committing it returns only when it survives a power failure (`fdatasync`), unless `mail_fsync` is
    /// `never`. With `always` each one does.
    pub fn make_durable(&mut self) {
        self.durable = true;
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable
    }

    /// Nothing to write?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.undelete
            && !self.delete
            && self.header_before.is_empty()
            && self.header_after.is_empty()
            && self.attributes.is_empty()
            && self.appends.is_empty()
            && self.flags.is_empty()
            && self.extensions.iter().all(ExtChange::is_empty)
            && self.keywords.is_empty()
            && self.modseqs.is_empty()
            && self.expunges.is_empty()
    }

    /// A new message; `flags` are the bits of FORMATS.md §1.1. UIDs ascend, from `next_uid` on.
    pub fn append(&mut self, uid: u32, flags: u8) {
        self.appends.push(Append { uid, flags });
    }

    /// Flags of some messages; those that are not there are passed over.
    pub fn update_flags(&mut self, uids: &UidSet, add: u8, remove: u8) {
        for uids in ranges(uids) {
            self.update_flags_of(uids, add, remove);
        }
    }

    /// [`Transaction::update_flags`] for one range.
    pub fn update_flags_of(&mut self, uids: UidRange, add: u8, remove: u8) {
        self.flags.push(FlagUpdate {
            uids,
            add,
            remove,
            modseq_inc: 0,
        });
    }

    /// Sets or clears one keyword; it is made if there is none of this name.
    pub fn update_keyword(&mut self, change: Toggle, name: &str, uids: &UidSet) {
        let uids: Vec<UidRange> = ranges(uids).collect();
        if uids.is_empty() {
            return;
        }
        let last = self
            .keywords
            .iter_mut()
            .rev()
            .find(|(_, known, _)| known.eq_ignore_ascii_case(name));
        match last {
            Some((known, _, list)) if *known == change => list.extend(uids),
            _ => self.keywords.push((change, name.to_owned(), uids)),
        }
    }

    /// Takes all keywords from some messages but those in `keep`.
    pub fn clear_keywords(&mut self, uids: &UidSet, keywords: &[String], keep: &[String]) {
        let kept = |name: &String| keep.iter().any(|kept| kept.eq_ignore_ascii_case(name));
        for name in keywords.iter().filter(|name| !kept(name)) {
            self.update_keyword(Toggle::Remove, name, uids);
        }
    }

    /// Removes a message, or with [`Origin::Internal`] asks for it. The GUID may be zeros.
    pub fn expunge(&mut self, uid: u32, guid: [u8; 16]) {
        self.expunges.push(Expunge { uid, guid });
    }

    /// Raises the modseq of a message; UID 0: only the highest one.
    pub fn update_modseq(&mut self, uid: u32, modseq: u64) {
        self.modseqs.push((uid, modseq));
    }

    /// A mailbox attribute has changed: raises the modseq, and lets dsync see it.
    pub fn update_attribute(&mut self, attribute: Attribute) {
        self.attributes.push(attribute);
    }

    /// A number of the base header, at one of [`field`], before the messages.
    pub fn set_header(&mut self, at: usize, value: u32) {
        self.header_before.push(patch(at, &value.to_le_bytes()));
    }

    /// The same after the messages.
    pub fn set_header_after(&mut self, at: usize, value: u32) {
        self.header_after.push(patch(at, &value.to_le_bytes()));
    }

    /// UIDVALIDITY.
    pub fn set_uid_validity(&mut self, uid_validity: u32) {
        self.set_header(field::UID_VALIDITY, uid_validity);
    }

    /// Raises the next UID.
    pub fn set_next_uid(&mut self, next_uid: u32) {
        self.set_header_after(field::NEXT_UID, next_uid);
    }

    /// Messages below are `\Recent` to nobody any more.
    pub fn set_first_recent_uid(&mut self, uid: u32) {
        self.set_header_after(field::FIRST_RECENT, uid);
    }

    /// Changes to an extension, which is made or grown to these sizes if need be.
    pub fn extension(&mut self, spec: &ExtSpec<'_>) -> &mut ExtChange {
        let known = self.extensions.iter().position(|e| e.name() == spec.name);
        let at = known.unwrap_or(self.extensions.len());
        if known.is_none() {
            self.extensions.push(ExtChange::new(spec));
        }
        &mut self.extensions[at]
    }

    /// The mailbox is about to be deleted, or with [`Origin::External`] is.
    pub fn delete_index(&mut self) {
        self.delete = true;
    }

    /// It was not deleted after all.
    pub fn undelete_index(&mut self) {
        self.undelete = true;
    }
}

fn patch(at: usize, data: &[u8]) -> Patch {
    Patch {
        offset: crate::bytes::low32(at),
        data: data.to_vec(),
    }
}

fn ranges(uids: &UidSet) -> impl Iterator<Item = UidRange> + '_ {
    uids.ranges().iter().map(|(first, last)| UidRange {
        first: first.get(),
        last: last.get(),
    })
}
