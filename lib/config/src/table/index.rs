//! Indexes and caches of mailboxes.

use super::{Readers, Setting};

const MAIL: Readers = Readers::MAIL;

pub const SETTINGS: &[Setting] = settings! {
    mail_always_cache_fields:               List = "",              MAIL, Works;
    mail_cache_fields:                      List = "flags",         MAIL, Works;
    mail_cache_max_size:                    Size = "1G",            MAIL, Works, hidden;
    mail_cache_min_mail_count:              Number = "0",           MAIL, Works, hidden;
    mail_cache_purge_continued_percentage:  Number = "200",         MAIL, Works, hidden;
    mail_cache_purge_delete_percentage:     Number = "20",          MAIL, Works, hidden;
    mail_cache_purge_header_continue_count: Number = "4",           MAIL, Works, hidden;
    mail_cache_purge_min_size:              Size = "32k",           MAIL, Works, hidden;
    mail_cache_record_max_size:             Size = "64k",           MAIL, Works, hidden;
    mail_cache_unaccessed_field_drop:       Seconds = "30days",     MAIL, Works, hidden;
    mail_index_log2_max_age:                Seconds = "2 days",     MAIL, Works, hidden;
    mail_index_log_rotate_max_size:         Size = "1M",            MAIL, Works, hidden;
    mail_index_log_rotate_min_age:          Seconds = "5 mins",     MAIL, Works, hidden;
    mail_index_log_rotate_min_size:         Size = "32k",           MAIL, Works, hidden;
    mail_index_rewrite_max_log_bytes:       Size = "128k",          MAIL, Works, hidden;
    mail_index_rewrite_min_log_bytes:       Size = "8k",            MAIL, Works, hidden;
    mail_never_cache_fields:                List = "imap.envelope", MAIL, Works;
};
