//! Settings of the cache, with Dovecot 2.3's names and defaults.

use crate::size;

/// What the configuration says about the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `mail_cache_fields`: cached for new messages from the start, unless the file knows better.
    pub cache_fields: Vec<String>,
    /// `mail_always_cache_fields`: cached for all messages, always.
    pub always_cache_fields: Vec<String>,
    /// `mail_never_cache_fields`: never cached. Comes after the other two.
    pub never_cache_fields: Vec<String>,
    /// `mail_cache_min_mail_count`: smaller mailboxes cache nothing.
    pub min_mail_count: u32,
    /// `mail_cache_unaccessed_field_drop`, seconds: fields that nobody asks for so long are cached
    /// for new messages only; after twice as long no more.
    pub unaccessed_field_drop: u32,
    /// `mail_cache_record_max_size`, bytes: longer records are not written.
    pub record_max_size: u64,
    /// `mail_cache_max_size`, bytes, at most 1 GiB: a longer file is started anew.
    pub max_size: u64,
    /// `mail_cache_purge_min_size`, bytes: smaller files are not purged for their records.
    pub purge_min_size: u64,
    /// `mail_cache_purge_delete_percentage`: purge when so many percent of messages are gone.
    pub purge_delete_percentage: u32,
    /// `mail_cache_purge_continued_percentage`: purge when there are so many percent more records
    /// than messages.
    pub purge_continued_percentage: u32,
    /// `mail_cache_purge_header_continue_count`: purge when there are more field tables.
    pub purge_header_continue_count: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_fields: vec!["flags".to_owned()],
            always_cache_fields: Vec::new(),
            never_cache_fields: vec!["imap.envelope".to_owned()],
            min_mail_count: 0,
            unaccessed_field_drop: 30 * 24 * 3600,
            record_max_size: 64 * 1024,
            max_size: 1 << 30,
            purge_min_size: 32 * 1024,
            purge_delete_percentage: 20,
            purge_continued_percentage: 200,
            purge_header_continue_count: 4,
        }
    }
}

impl Settings {
    /// The file may not grow beyond this: offsets are encoded.
    pub(super) fn file_limit(&self) -> u64 {
        self.max_size.min(u64::from(size::LIMIT) - 4)
    }

    /// No record is longer.
    pub(super) fn record_limit(&self) -> u64 {
        self.record_max_size.min(u64::from(MAX_RECORD))
    }
}

/// Whatever the setting was when a record was written, nobody sets it to more than this. Bounds
/// what a damaged size makes us allocate.
pub(super) const MAX_RECORD: u32 = 16 << 20;
