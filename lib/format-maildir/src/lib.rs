//! Maildir on disk, as Dovecot keeps it: file names, uidlist, keywords, saves, copies, changes from
//! outside. FORMATS.md §4.
//!
//! *Invariant:* what is acknowledged is on disk; no UID moves under the same uidvalidity.
//! *Invariant:* nothing here knows a user, a namespace or a layout: a mailbox is two directories.

mod assign;
mod audience;
pub mod change;
mod clean;
pub mod copy;
mod doubles;
pub mod keywords;
mod lines;
mod mail;
mod maildir;
pub mod name;
mod packed;
mod record;
pub mod save;
mod scan;
pub mod settings;
mod stamp;
mod state;
mod stored;
pub mod uidlist;
mod unique;
mod update;
pub mod view;
mod watch;

pub use maildir::Maildir;
pub use watch::Watcher;
