//! Traits and types of mail storage: what a session may ask, whatever the bytes on disk are.
//!
//! A session has a [`Mailbox`]: a frozen picture (view) of the messages, which only
//! [`Mailbox::sync`] changes. Sequence numbers belong to the picture, UIDs to the mailbox. What the
//! sessions of a process share is a [`StoredMailbox`]; that is what a format is.
//! Everything is synchronous; what is acknowledged is on disk.
//!
//! *Invariant:* nothing in here knows a format, a path layout or a protocol.

pub mod cache;
mod copy;
mod error;
mod flags;
mod guid;
mod mail;
mod name;
mod number;
mod set;
mod settings;
mod stamp;
mod store;
mod stored;
mod view;

pub use cache::{Asked, Lacks, Lesson, MailCache};
pub use copy::copy_by_saving;
pub use error::Error;
pub use flags::{FlagChange, FlagState, Flags, Keyword, KeywordSet};
pub use guid::Guid;
pub use mail::{Backend, Mail, MailDate, ReadSeek};
pub use name::MailboxName;
pub use number::{ModSeq, Seq, Uid, UidValidity};
pub use set::UidSet;
pub use settings::{Durability, LineEnds, Settings};
pub use stamp::{Mark, Stamp};
pub use store::{
    Appended, Copied, ListEntry, MailStore, NamespaceInfo, NamespaceKind, NewMail, Save, SpecialUse,
};
pub use stored::{Context, NewUidValidity, Place, StoredMailbox, Update};
pub use view::{Access, Change, Expunges, Mailbox, Status};
