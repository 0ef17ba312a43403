//! Indexes and caches of mailboxes.

use super::{Kind, Readers, Setting, hidden, setting};

const MAIL: Readers = Readers::MAIL;

pub const SETTINGS: &[Setting] = &[
    setting("mail_always_cache_fields", Kind::List, "", MAIL),
    setting("mail_cache_fields", Kind::List, "flags", MAIL),
    hidden("mail_cache_max_size", Kind::Size, "1G", MAIL),
    hidden("mail_cache_min_mail_count", Kind::Number, "0", MAIL),
    hidden(
        "mail_cache_purge_continued_percentage",
        Kind::Number,
        "200",
        MAIL,
    ),
    hidden(
        "mail_cache_purge_delete_percentage",
        Kind::Number,
        "20",
        MAIL,
    ),
    hidden(
        "mail_cache_purge_header_continue_count",
        Kind::Number,
        "4",
        MAIL,
    ),
    hidden("mail_cache_purge_min_size", Kind::Size, "32k", MAIL),
    hidden("mail_cache_record_max_size", Kind::Size, "64k", MAIL),
    hidden(
        "mail_cache_unaccessed_field_drop",
        Kind::Seconds,
        "30days",
        MAIL,
    ),
    hidden("mail_index_log2_max_age", Kind::Seconds, "2 days", MAIL),
    hidden("mail_index_log_rotate_max_size", Kind::Size, "1M", MAIL),
    hidden(
        "mail_index_log_rotate_min_age",
        Kind::Seconds,
        "5 mins",
        MAIL,
    ),
    hidden("mail_index_log_rotate_min_size", Kind::Size, "32k", MAIL),
    hidden("mail_index_rewrite_max_log_bytes", Kind::Size, "128k", MAIL),
    hidden("mail_index_rewrite_min_log_bytes", Kind::Size, "8k", MAIL),
    setting("mail_never_cache_fields", Kind::List, "imap.envelope", MAIL),
];
