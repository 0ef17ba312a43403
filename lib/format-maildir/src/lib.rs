//! Maildir on disk, as Dovecot keeps it: file names, uidlist, keywords, saves, copies, changes from
//! outside; and its index, which is all that a session sees. FORMATS.md §1, §4.
//!
//! *Invariant:* what is acknowledged is on disk; no UID moves under the same uidvalidity.
//! *Invariant:* locks in this order: uidlist, log of the index. FORMATS.md §1.6.
//! *Invariant:* nothing here knows a user, a namespace or a layout: a mailbox is two directories.

mod act;
mod assign;
mod audience;
mod batch;
pub mod change;
mod clean;
mod compare;
pub mod copy;
mod doubles;
mod ext;
mod files;
mod keywords;
mod life;
mod lines;
mod list;
mod locate;
mod mail;
mod maildir;
pub mod name;
mod open;
mod packed;
mod record;
pub mod save;
mod scan;
pub mod settings;
mod settle;
mod stamp;
mod stored;
pub mod uidlist;
mod unique;
mod watch;

pub use maildir::Maildir;
pub use stored::Listener;
pub use watch::Watcher;

/// A session's picture of a Maildir.
pub type View = index_view::View<Maildir>;
