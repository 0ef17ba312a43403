//! Extensions of a mailbox's index that mdbox owns. FORMATS.md §1.10.

use index::ExtSpec;

/// Map UID and save date of each message.
pub(crate) const MDBOX: &str = "mdbox";
/// GUID of each message.
pub(crate) const GUID: &str = "guid";
/// Identity of mailbox and map.
pub(crate) const MDBOX_HDR: &str = "mdbox-hdr";

/// [`MDBOX`]
pub(crate) const MDBOX_SPEC: ExtSpec<'static> = ExtSpec {
    name: MDBOX,
    header_size: 0,
    record_size: 8,
    record_align: 4,
};
/// [`GUID`]
pub(crate) const GUID_SPEC: ExtSpec<'static> = ExtSpec {
    name: GUID,
    header_size: 0,
    record_size: 16,
    record_align: 1,
};
/// [`MDBOX_HDR`]
pub(crate) const MDBOX_HDR_SPEC: ExtSpec<'static> = ExtSpec {
    name: MDBOX_HDR,
    header_size: 24,
    record_size: 0,
    record_align: 0,
};
/// When the mailbox was renamed last.
pub(crate) const LAST_RENAME_SPEC: ExtSpec<'static> = ExtSpec {
    name: "last-rename-stamp",
    header_size: 4,
    record_size: 0,
    record_align: 0,
};
