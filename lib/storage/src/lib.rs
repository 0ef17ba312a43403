//! User + namespaces + mail_location become mailboxes.
//!
//! [`Shared`] once per process; a [`Storage`] per session, which implements
//! [`mailbox::MailStore`]. Where a mailbox is, what it is called, who is subscribed: here. What its
//! bytes are: `format-*`.
//!
//! *Invariant:* no name leads outside the directories that the configuration gives a user.

mod changelog;
mod formats;
mod list;
mod location;
mod lock;
mod names;
mod namespace;
pub mod pattern;
mod settings;
mod shared;
mod store;
mod subscriptions;
mod uidvalidity;
mod user;
mod watch;

/// Mailbox names on disk are those of the wire, but for the separator.
pub use imap_proto::mutf7;
pub use location::{DirNames, EmptyLevels, Encoding, Format, Index, Layout, Location};
pub use settings::{
    Auto, Fsync, Kind, LockMethod, MailboxSettings, MboxMd5, NamespaceSettings, Settings,
    Visibility,
};
pub use shared::Shared;
pub use store::Storage;
pub use store::cache::{Decided, Decision, MailboxCache, Wish};
pub use store::maintain::{Repairs, Run, Tier};
pub use user::MailUser;
