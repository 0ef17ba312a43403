//! Commands that work on users' mail.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::mailbox::{MailboxCache, MailboxUpdate};

/// Whose mail.
#[derive(Debug, Args)]
pub struct Users {
    /// All users that userdb lists
    #[arg(short = 'A', long = "all-users")]
    pub all: bool,
    /// The users that a file names, one a line
    #[arg(short = 'F', long = "user-file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Ask the doveadm server at this socket (there is none yet: refused)
    #[arg(short = 'S', long = "socket-path", value_name = "SOCKET")]
    pub socket: Option<String>,
    /// This user; with * and ? all that match [default: the one who runs doveadm]
    #[arg(short, long, value_name = "USER|MASK")]
    pub user: Option<String>,
}

/// One that takes nothing but a search query.
#[derive(Debug, Args)]
pub struct Searching {
    #[command(flatten)]
    pub users: Users,
    /// Which mails, see doveadm-search-query(7)
    #[arg(
        value_name = "SEARCH-QUERY",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub query: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Mailbox {
    /// List mailboxes
    List(MailboxList),
    /// Show numbers of mailboxes
    Status(MailboxStatus),
    /// Make mailboxes
    Create(MailboxCreate),
    /// Delete mailboxes with their mails
    Delete(MailboxDelete),
    /// Rename a mailbox and those below it
    Rename(MailboxRename),
    /// Add mailboxes to the subscriptions
    Subscribe(MailboxNames),
    /// Take mailboxes out of the subscriptions
    Unsubscribe(MailboxNames),
    /// Show where on disk a mailbox is
    Path(MailboxPath),
    /// Convert names between UTF-8 and IMAP's modified UTF-7
    Mutf7(Mutf7),
    /// Set identity and numbers of a mailbox
    Update(MailboxUpdate),
    /// Show and change what is cached
    Cache {
        #[command(subcommand)]
        command: MailboxCache,
    },
}

#[derive(Debug, Args)]
pub struct MailboxList {
    #[command(flatten)]
    pub users: Users,
    /// Names in modified UTF-7
    #[arg(short = '7', overrides_with = "utf8")]
    pub mutf7: bool,
    /// Names in UTF-8
    #[arg(short = '8')]
    pub utf8: bool,
    /// Only what is subscribed, whether it exists or not
    #[arg(short, long)]
    pub subscriptions: bool,
    /// Names; with * and % patterns
    #[arg(value_name = "MAILBOX")]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct MailboxStatus {
    #[command(flatten)]
    pub users: Users,
    /// Add the mailboxes' numbers up
    #[arg(short, long = "total-sum")]
    pub total: bool,
    /// Any of: all guid highestmodseq messages recent uidnext uidvalidity unseen vsize firstsaved
    pub fields: String,
    /// Names; with * and % patterns
    #[arg(value_name = "MAILBOX", required = true)]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct MailboxCreate {
    #[command(flatten)]
    pub users: Users,
    /// Give it this GUID
    #[arg(short, long)]
    pub guid: Option<String>,
    /// Subscribe to it, too
    #[arg(short, long)]
    pub subscriptions: bool,
    #[arg(value_name = "MAILBOX", required = true)]
    pub names: Vec<String>,
}

#[derive(Debug, Args)]
pub struct MailboxDelete {
    #[command(flatten)]
    pub users: Users,
    /// Only if it is empty
    #[arg(short = 'e', long = "require-empty")]
    pub empty: bool,
    /// Also what is below it
    #[arg(short, long)]
    pub recursive: bool,
    /// Unsubscribe, too
    #[arg(short, long)]
    pub subscriptions: bool,
    /// As efficiently as possible; it always is
    #[arg(short = 'Z', long = "unsafe")]
    pub quick: bool,
    #[arg(value_name = "MAILBOX", required = true)]
    pub names: Vec<String>,
}

#[derive(Debug, Args)]
pub struct MailboxRename {
    #[command(flatten)]
    pub users: Users,
    /// Move the subscription, too
    #[arg(short, long)]
    pub subscriptions: bool,
    #[arg(value_name = "OLD-NAME")]
    pub from: String,
    #[arg(value_name = "NEW-NAME")]
    pub to: String,
}

#[derive(Debug, Args)]
pub struct MailboxNames {
    #[command(flatten)]
    pub users: Users,
    #[arg(value_name = "MAILBOX", required = true)]
    pub names: Vec<String>,
}

/// Which of a mailbox's directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PathType {
    /// Of the mails, and what is beside them
    Dir,
    /// The same on the other disk
    AltDir,
    /// Of the mails
    Mailbox,
    /// The same on the other disk
    AltMailbox,
    /// Of files that are neither mail nor index
    Control,
    /// Of the indexes
    Index,
    /// Of the indexes that each user has of a shared mailbox: nowhere
    IndexPrivate,
    /// Of the index of all mailboxes
    ListIndex,
}

#[derive(Debug, Args)]
pub struct MailboxPath {
    #[command(flatten)]
    pub users: Users,
    /// Which directory
    #[arg(short = 't', value_name = "TYPE", value_enum, default_value = "index")]
    pub kind: PathType,
    #[arg(value_name = "MAILBOX")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct Mutf7 {
    /// The names are in modified UTF-7
    #[arg(short = '7')]
    pub from_mutf7: bool,
    /// The names are in UTF-8 [default]
    #[arg(short = '8', overrides_with = "from_mutf7")]
    pub from_utf8: bool,
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Fetch {
    #[command(flatten)]
    pub users: Users,
    /// What of each mail: hdr, hdr.NAME, body, body.SECTION, text, uid, guid, flags …
    pub fields: String,
    /// Which mails, see doveadm-search-query(7)
    #[arg(
        value_name = "SEARCH-QUERY",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub query: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Expunge {
    /// Delete and unsubscribe mailboxes that are empty afterwards
    #[arg(short = 'd', long = "delete-empty-mailbox")]
    pub delete_empty: bool,
    #[command(flatten)]
    pub searching: Searching,
}

#[derive(Debug, Args)]
pub struct Save {
    #[command(flatten)]
    pub users: Users,
    /// Into this mailbox
    #[arg(short, long, default_value = "INBOX")]
    pub mailbox: String,
    /// The message [default: standard input]
    #[arg(value_name = "FILE")]
    pub message: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    pub users: Users,
    /// Read the source as this user's
    #[arg(short = 'U', long = "source-user", value_name = "USER")]
    pub source_user: Option<String>,
    /// Subscribe to the mailboxes
    #[arg(short, long)]
    pub subscribe: bool,
    /// Where the mails are, as mail_location says it
    #[arg(value_name = "SOURCE-LOCATION")]
    pub location: String,
    /// Below which mailbox they come; empty: below none
    #[arg(value_name = "DEST-PARENT")]
    pub parent: String,
    /// Which mails, see doveadm-search-query(7)
    #[arg(
        value_name = "SEARCH-QUERY",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub query: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Copy {
    #[command(flatten)]
    pub users: Users,
    /// Where to
    #[arg(value_name = "DESTINATION")]
    pub to: String,
    /// Which mails, see doveadm-search-query(7)
    #[arg(
        value_name = "SEARCH-QUERY",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub query: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Flags {
    /// Add flags and keywords
    Add(FlagsChange),
    /// Remove flags and keywords
    Remove(FlagsChange),
    /// Replace all flags and keywords
    Replace(FlagsChange),
}

#[derive(Debug, Args)]
pub struct FlagsChange {
    #[command(flatten)]
    pub users: Users,
    /// Flags (\Seen) and keywords, between spaces
    pub flags: String,
    /// Which mails, see doveadm-search-query(7)
    #[arg(
        value_name = "SEARCH-QUERY",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub query: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Purge {
    #[command(flatten)]
    pub users: Users,
}

#[derive(Debug, Args)]
pub struct Altmove {
    /// Back to the primary storage
    #[arg(short, long)]
    pub reverse: bool,
    #[command(flatten)]
    pub searching: Searching,
}

#[derive(Debug, Args)]
pub struct ForceResync {
    #[command(flatten)]
    pub users: Users,
    /// Check the index itself, too; it always is
    #[arg(short, long)]
    pub fsck: bool,
    /// Change nothing; show what would be repaired
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Names; with * and % patterns
    #[arg(value_name = "MAILBOX", required = true)]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Index {
    #[command(flatten)]
    pub users: Users,
    /// Only queue it; it is done at once all the same
    #[arg(short, long)]
    pub queue: bool,
    /// Leave mailboxes out that have more recent mails than this
    #[arg(short = 'n', long = "max-recent", value_name = "NUMBER")]
    pub max_recent: Option<u32>,
    /// Names; with * and % patterns
    #[arg(value_name = "MAILBOX", required = true)]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Deduplicate {
    /// By Message-ID rather than GUID
    #[arg(short = 'm', long = "by-msgid")]
    pub by_message_id: bool,
    #[command(flatten)]
    pub searching: Searching,
}
