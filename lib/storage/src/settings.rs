//! What the configuration says about a user's mail, by the names of the settings.

use format_maildir::settings::{Copies, Options, Syncs};
use index::{Thresholds, cache};
use mailbox::{Durability, LineEnds};
use std::collections::BTreeMap;

use compress::{Encoding, Method};
use config::{Seconds, Size};
use serde::Deserialize;

/// Settings of every service that opens mailboxes.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// Where mail is; variables not yet put in.
    pub mail_location: String,
    /// How indexes are locked.
    pub lock_method: LockMethod,
    /// What is synced before it is acknowledged.
    pub mail_fsync: Fsync,
    /// New messages end their lines with CRLF.
    pub mail_save_crlf: bool,
    /// Parts that are not always there; `zlib` compresses new messages.
    pub mail_plugins: Vec<String>,
    /// Settings of those parts.
    pub plugin: BTreeMap<String, String>,
    /// Names and numbers of mailboxes are remembered in an index of the list.
    pub mailbox_list_index: bool,
    /// INBOX's numbers, too.
    pub mailbox_list_index_include_inbox: bool,
    /// They are believed without a look at what they speak of.
    pub mailbox_list_index_very_dirty_syncs: bool,
    /// Cached for new messages from the start.
    pub mail_cache_fields: Vec<String>,
    /// Cached for all messages, always.
    pub mail_always_cache_fields: Vec<String>,
    /// Never cached.
    pub mail_never_cache_fields: Vec<String>,
    /// Smaller mailboxes cache nothing.
    pub mail_cache_min_mail_count: u32,
    /// A cache that is longer is started anew.
    pub mail_cache_max_size: Size,
    /// Records that are longer are not cached.
    pub mail_cache_record_max_size: Size,
    /// What nobody asks for so long is cached of new messages only, and not at all after twice as long.
    pub mail_cache_unaccessed_field_drop: Seconds,
    /// Smaller caches are not purged.
    pub mail_cache_purge_min_size: Size,
    /// A cache is purged when so many percent of its messages are gone.
    pub mail_cache_purge_delete_percentage: u32,
    /// A cache is purged when it has so many percent more records than messages.
    pub mail_cache_purge_continued_percentage: u32,
    /// A cache is purged when it has more tables of fields.
    pub mail_cache_purge_header_continue_count: u32,
    /// An index is written anew when opening it had to read so much of its log.
    pub mail_index_rewrite_min_log_bytes: Size,
    /// An index is written anew when so much of its log is not in it.
    pub mail_index_rewrite_max_log_bytes: Size,
    /// From this size on, a log is rotated if it is old enough.
    pub mail_index_log_rotate_min_size: Size,
    /// From this size on, a log is rotated.
    pub mail_index_log_rotate_max_size: Size,
    /// How old is old enough.
    pub mail_index_log_rotate_min_age: Seconds,
    /// A rotated log is removed when it is so old.
    pub mail_index_log2_max_age: Seconds,
    /// Where attachments are that are not in their messages; variables not yet put in. Empty: nowhere.
    pub mail_attachment_dir: String,
    /// mdbox: no file of messages grows beyond it.
    pub mdbox_rotate_size: Size,
    /// mdbox: no file of messages is appended to when it is older; 0: any is.
    pub mdbox_rotate_interval: Seconds,
    /// mbox: how a file is locked that is read.
    pub mbox_read_locks: Vec<String>,
    /// mbox: how a file is locked that is written; all of those for reading, in their order, and perhaps more.
    pub mbox_write_locks: Vec<String>,
    /// mbox: how long others may hold a lock.
    pub mbox_lock_timeout: Seconds,
    /// mbox: a `.lock` of a file that did not change for so long is nobody's.
    pub mbox_dotlock_change_timeout: Seconds,
    /// mbox: of a file that grew only the end is read.
    pub mbox_dirty_syncs: bool,
    /// mbox: the same when it is opened and checked.
    pub mbox_very_dirty_syncs: bool,
    /// mbox: flags are written into the file when it must be rewritten anyway.
    pub mbox_lazy_writes: bool,
    /// mbox: which header fields make a message's GUID.
    pub mbox_md5: MboxMd5,
    /// COPY makes hard links.
    pub maildir_copy_with_hardlinks: bool,
    /// Only we change the files of a Maildir.
    pub maildir_very_dirty_syncs: bool,
    /// None: one, private, without prefix, with INBOX.
    pub namespace: Vec<NamespaceSettings>,
}

/// `mail_fsync`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fsync {
    /// Whatever is acknowledged.
    Optimized,
    /// The kernel writes when it likes.
    Never,
    /// As optimized; differs on NFS only.
    Always,
}

/// `lock_method`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMethod {
    /// `fcntl()`
    #[default]
    Fcntl,
    /// `flock()`
    Flock,
}

impl From<LockMethod> for sys::fs::LockMethod {
    fn from(method: LockMethod) -> Self {
        match method {
            LockMethod::Fcntl => Self::Fcntl,
            LockMethod::Flock => Self::Flock,
        }
    }
}

/// `mbox_md5`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MboxMd5 {
    /// Those that apop3d takes.
    Apop3d,
    /// All.
    All,
}

/// `namespace NAME { … }`
#[derive(Clone, Debug, Deserialize)]
pub struct NamespaceSettings {
    /// For the configuration only.
    pub name: String,
    /// Prefix of the namespace that has the same mailboxes.
    pub alias_for: Option<String>,
    /// As if it was not there.
    pub disabled: bool,
    /// Not told in NAMESPACE.
    pub hidden: bool,
    /// A user's other namespaces are of use even if this one is not.
    pub ignore_on_failure: bool,
    /// Has the user's INBOX.
    pub inbox: bool,
    /// Told in LIST.
    pub list: Visibility,
    /// Empty: `mail_location`.
    pub location: String,
    /// Lower ones come first in NAMESPACE.
    pub order: u32,
    /// Every name begins with it.
    pub prefix: String,
    /// Between levels; empty: the layout's.
    pub separator: String,
    /// Has subscriptions of its own.
    pub subscriptions: bool,
    /// Whose mail it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Mailboxes that the configuration knows.
    pub mailbox: Vec<MailboxSettings>,
}

/// `list = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// With its prefix.
    Yes,
    /// Only to who asks for it by its prefix.
    No,
    /// If it has mailboxes.
    Children,
}

/// `type = …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The user's own.
    Private,
    /// Other users'.
    Shared,
    /// Everybody's.
    Public,
}

/// `mailbox NAME { … }`
#[derive(Clone, Debug, Default, Deserialize)]
pub struct MailboxSettings {
    /// Without the namespace's prefix. `*` and `?` stand for others.
    pub name: String,
    /// Made when it is first used.
    pub auto: Auto,
    /// RFC 6154: `\Drafts`, …
    pub special_use: Vec<String>,
    /// Messages that were saved so long ago are removed; 0: none are.
    pub autoexpunge: Seconds,
    /// The first messages beyond so many are removed; 0: none are.
    pub autoexpunge_max_mails: u32,
}

impl MailboxSettings {
    /// Is it about many mailboxes?
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.name.contains(['*', '?'])
    }
}

/// `auto = …`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auto {
    /// Like any other.
    #[default]
    No,
    /// Exists.
    Create,
    /// Exists and is subscribed.
    Subscribe,
}

impl Settings {
    /// What every format needs of it.
    #[must_use]
    pub fn of_mailboxes(&self) -> mailbox::Settings {
        mailbox::Settings {
            durability: match self.mail_fsync {
                Fsync::Never => Durability::Unsynced,
                Fsync::Optimized => Durability::Synced,
                Fsync::Always => Durability::Always,
            },
            line_ends: match self.mail_save_crlf {
                true => LineEnds::Crlf,
                false => LineEnds::Lf,
            },
            compression: self.compression(),
            ..mailbox::Settings::default()
        }
    }

    /// `plugin { zlib_save = gz; zlib_save_level = 6 }`. What is wrong with it keeps no mail out.
    fn compression(&self) -> Option<Encoding> {
        let is_on = self.mail_plugins.iter().any(|plugin| plugin == "zlib");
        let name = self.plugin.get("zlib_save").filter(|_| is_on)?;
        let Some(method) = Method::by_name(name) else {
            tracing::error!("zlib_save: Unknown handler: {name}");
            return None;
        };
        let level = self.plugin.get("zlib_save_level");
        let level = match level.map(|level| level.parse()).transpose() {
            Ok(level) => level,
            Err(error) => {
                tracing::error!("zlib_save_level: {error}");
                None
            }
        };
        let encoding = Encoding::new(method, level);
        encoding
            .inspect_err(|error| tracing::error!("zlib_save_level: {error}"))
            .or_else(|_| Encoding::new(method, None))
            .ok()
    }

    /// What the caches of mailboxes need.
    #[must_use]
    pub fn of_caches(&self) -> cache::Settings {
        cache::Settings {
            cache_fields: self.mail_cache_fields.clone(),
            always_cache_fields: self.mail_always_cache_fields.clone(),
            never_cache_fields: self.mail_never_cache_fields.clone(),
            min_mail_count: self.mail_cache_min_mail_count,
            unaccessed_field_drop: whole(self.mail_cache_unaccessed_field_drop),
            record_max_size: self.mail_cache_record_max_size.0,
            max_size: self.mail_cache_max_size.0,
            purge_min_size: self.mail_cache_purge_min_size.0,
            purge_delete_percentage: self.mail_cache_purge_delete_percentage,
            purge_continued_percentage: self.mail_cache_purge_continued_percentage,
            purge_header_continue_count: self.mail_cache_purge_header_continue_count,
        }
    }

    /// When the indexes of mailboxes are written anew, and their logs rotated.
    #[must_use]
    pub fn of_indexes(&self) -> Thresholds {
        Thresholds {
            rewrite_min: self.mail_index_rewrite_min_log_bytes.0,
            rewrite_max: self.mail_index_rewrite_max_log_bytes.0,
            rotate_min: self.mail_index_log_rotate_min_size.0,
            rotate_max: self.mail_index_log_rotate_max_size.0,
            rotate_age: whole(self.mail_index_log_rotate_min_age),
            log2_age: whole(self.mail_index_log2_max_age),
        }
    }

    /// What a Maildir needs besides.
    #[must_use]
    pub fn of_maildirs(&self) -> Options {
        Options {
            copies: match self.maildir_copy_with_hardlinks {
                true => Copies::Linked,
                false => Copies::Whole,
            },
            syncs: match self.maildir_very_dirty_syncs {
                true => Syncs::VeryDirty,
                false => Syncs::Sure,
            },
        }
    }
}

fn whole(time: Seconds) -> u32 {
    u32::try_from(time.0).unwrap_or(u32::MAX)
}

/// Dovecot's defaults; in service the configuration's table has them.
impl Default for Settings {
    fn default() -> Self {
        let (cache, index) = (cache::Settings::default(), Thresholds::default());
        Self {
            mail_location: String::new(),
            lock_method: LockMethod::Fcntl,
            mail_fsync: Fsync::Optimized,
            mail_save_crlf: false,
            mail_plugins: Vec::new(),
            plugin: BTreeMap::new(),
            mailbox_list_index: true,
            mailbox_list_index_include_inbox: false,
            mailbox_list_index_very_dirty_syncs: false,
            mail_cache_fields: cache.cache_fields,
            mail_always_cache_fields: cache.always_cache_fields,
            mail_never_cache_fields: cache.never_cache_fields,
            mail_cache_min_mail_count: cache.min_mail_count,
            mail_cache_max_size: Size(cache.max_size),
            mail_cache_record_max_size: Size(cache.record_max_size),
            mail_cache_unaccessed_field_drop: Seconds(cache.unaccessed_field_drop.into()),
            mail_cache_purge_min_size: Size(cache.purge_min_size),
            mail_cache_purge_delete_percentage: cache.purge_delete_percentage,
            mail_cache_purge_continued_percentage: cache.purge_continued_percentage,
            mail_cache_purge_header_continue_count: cache.purge_header_continue_count,
            mail_index_rewrite_min_log_bytes: Size(index.rewrite_min),
            mail_index_rewrite_max_log_bytes: Size(index.rewrite_max),
            mail_index_log_rotate_min_size: Size(index.rotate_min),
            mail_index_log_rotate_max_size: Size(index.rotate_max),
            mail_index_log_rotate_min_age: Seconds(index.rotate_age.into()),
            mail_index_log2_max_age: Seconds(index.log2_age.into()),
            mail_attachment_dir: String::new(),
            mbox_read_locks: vec!["fcntl".to_owned()],
            mbox_write_locks: vec!["fcntl".to_owned(), "dotlock".to_owned()],
            mbox_lock_timeout: Seconds(5 * 60),
            mbox_dotlock_change_timeout: Seconds(2 * 60),
            mbox_dirty_syncs: true,
            mbox_very_dirty_syncs: false,
            mbox_lazy_writes: true,
            mbox_md5: MboxMd5::Apop3d,
            mdbox_rotate_size: Size(10 << 20),
            mdbox_rotate_interval: Seconds(0),
            maildir_copy_with_hardlinks: true,
            maildir_very_dirty_syncs: false,
            namespace: Vec::new(),
        }
    }
}

/// Dovecot's defaults, with INBOX.
impl Default for NamespaceSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            alias_for: None,
            disabled: false,
            hidden: false,
            ignore_on_failure: false,
            inbox: true,
            list: Visibility::Yes,
            location: String::new(),
            order: 0,
            prefix: String::new(),
            separator: String::new(),
            subscriptions: true,
            kind: Kind::Private,
            mailbox: Vec::new(),
        }
    }
}
