//! Mail users, where their mail is and how it is stored.

use super::{Kind, Readers, Setting, setting};

const MAIL: Readers = Readers::MAIL;
/// The manager of a worker and auth both need to know.
const USERS: Readers = Readers::MAIL.and(Readers::AUTH).and(Readers::LMTP);

pub const SETTINGS: &[Setting] = &[
    setting("deliver_log_format", Kind::Text, "msgid=%m: %$", MAIL),
    setting("dotlock_use_excl", Kind::Bool, "yes", MAIL),
    setting("first_valid_gid", Kind::Number, "1", USERS),
    setting("first_valid_uid", Kind::Number, "500", USERS),
    setting("last_valid_gid", Kind::Number, "0", USERS),
    setting("last_valid_uid", Kind::Number, "0", USERS),
    setting("lda_mailbox_autocreate", Kind::Bool, "no", MAIL),
    setting("lda_mailbox_autosubscribe", Kind::Bool, "no", MAIL),
    setting("lda_original_recipient_header", Kind::Text, "", MAIL),
    setting(
        "lock_method",
        Kind::Enum(&["fcntl", "flock", "dotlock"]),
        "fcntl",
        MAIL,
    ),
    setting("mail_access_groups", Kind::Groups, "", MAIL),
    setting("mail_chroot", Kind::Text, "", USERS),
    setting("mail_debug", Kind::Bool, "no", Readers::ALL),
    setting(
        "mail_fsync",
        Kind::Enum(&["optimized", "never", "always"]),
        "optimized",
        MAIL,
    ),
    setting("mail_full_filesystem_access", Kind::Bool, "no", MAIL),
    setting("mail_gid", Kind::Group, "", USERS),
    setting("mail_home", Kind::Text, "", USERS),
    setting("mail_location", Kind::Text, "", MAIL),
    setting(
        "mail_log_prefix",
        Kind::Text,
        "%s(%u)<%{pid}><%{session}>: ",
        MAIL,
    ),
    setting("mail_max_keyword_length", Kind::Number, "50", MAIL),
    setting("mail_max_lock_timeout", Kind::Seconds, "0", MAIL),
    setting(
        "mail_max_userip_connections",
        Kind::Number,
        "10",
        MAIL.and(Readers::ANVIL),
    ),
    setting("mail_plugins", Kind::List, "", MAIL.and(Readers::LMTP)),
    setting("mail_privileged_group", Kind::Group, "", MAIL),
    setting("mail_save_crlf", Kind::Bool, "no", MAIL),
    setting("mail_temp_dir", Kind::Text, "/tmp", MAIL.and(Readers::LMTP)),
    setting("mail_temp_scan_interval", Kind::Seconds, "1 weeks", MAIL),
    setting("mail_uid", Kind::User, "", USERS),
    setting(
        "mailbox_idle_check_interval",
        Kind::Seconds,
        "30 secs",
        MAIL,
    ),
    setting("maildir_broken_filename_sizes", Kind::Bool, "no", MAIL),
    setting("maildir_copy_with_hardlinks", Kind::Bool, "yes", MAIL),
    setting("maildir_empty_new", Kind::Bool, "no", MAIL),
    setting("maildir_stat_dirs", Kind::Bool, "no", MAIL),
    setting("maildir_very_dirty_syncs", Kind::Bool, "no", MAIL),
    setting(
        "postmaster_address",
        Kind::Text,
        "postmaster@%{if;%d;ne;;%d;%{hostname}}",
        MAIL.and(Readers::LMTP),
    ),
    setting(
        "quota_full_tempfail",
        Kind::Bool,
        "no",
        MAIL.and(Readers::LMTP),
    ),
    setting(
        "recipient_delimiter",
        Kind::Text,
        "+",
        MAIL.and(Readers::LMTP),
    ),
    setting("valid_chroot_dirs", Kind::Text, "", USERS),
];
