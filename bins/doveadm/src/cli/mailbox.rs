//! Commands that look behind a mailbox: its identity and numbers, its cache.

use clap::{Args, Subcommand, ValueEnum};

use super::mail::{Searching, Users};

#[derive(Debug, Args)]
pub struct MailboxUpdate {
    #[command(flatten)]
    pub users: Users,
    /// Its GUID from now on
    #[arg(long = "mailbox-guid", value_name = "GUID")]
    pub guid: Option<String>,
    /// Its UIDVALIDITY from now on: clients forget what they know of it
    #[arg(long, value_name = "UIDVALIDITY")]
    pub uid_validity: Option<u32>,
    /// The next mail gets at least this UID
    #[arg(long, value_name = "UID")]
    pub min_next_uid: Option<u32>,
    /// Mails below this UID are not \Recent; not above --min-next-uid
    #[arg(long, value_name = "UID")]
    pub min_first_recent_uid: Option<u32>,
    /// HIGHESTMODSEQ becomes at least this
    #[arg(long, value_name = "MODSEQ")]
    pub min_highest_modseq: Option<u64>,
    #[arg(value_name = "MAILBOX")]
    pub name: String,
}

#[derive(Debug, Subcommand)]
pub enum MailboxCache {
    /// Show or change which fields are cached
    Decision(CacheDecision),
    /// Write the cache anew without what nobody needs
    Purge(CachePurge),
    /// Forget what is cached of mails
    Remove(Searching),
}

/// Which mails a field is cached of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheChoice {
    /// None
    No,
    /// New ones
    Temp,
    /// All
    Yes,
}

#[derive(Debug, Args)]
pub struct CacheDecision {
    #[command(flatten)]
    pub users: Users,
    /// All fields
    #[arg(
        id = "all-fields",
        long = "all",
        conflicts_with = "fields",
        required_unless_present = "fields"
    )]
    pub all: bool,
    /// These fields, between commas or spaces: flags, size.virtual, hdr.subject …
    #[arg(long, value_name = "FIELDS")]
    pub fields: Option<String>,
    /// When somebody last asked for them, UNIX time
    #[arg(long, value_name = "TIME")]
    pub last_used: Option<u32>,
    /// Which mails they are cached of
    #[arg(long, value_enum)]
    pub decision: Option<CacheChoice>,
    #[arg(value_name = "MAILBOX")]
    pub names: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CachePurge {
    #[command(flatten)]
    pub users: Users,
    #[arg(value_name = "MAILBOX")]
    pub names: Vec<String>,
}
