//! Mail users, where their mail is and how it is stored.

use super::{NOBODY, Readers, Setting};

const MAIL: Readers = Readers::MAIL;
/// The manager of a worker and auth both need to know.
const USERS: Readers = Readers::MAIL.and(Readers::AUTH).and(Readers::LMTP);

pub const SETTINGS: &[Setting] = settings! {
    deliver_log_format:                  Text = "msgid=%m: %$",             MAIL,                     Works;
    dotlock_use_excl:                    Bool = "yes",                      MAIL,                     NoMeaning("dotlocks are always made exclusively");
    first_valid_gid:                     Number = "1",                      USERS,                    Works;
    first_valid_uid:                     Number = "500",                    USERS,                    Works;
    last_valid_gid:                      Number = "0",                      USERS,                    Works;
    last_valid_uid:                      Number = "0",                      USERS,                    Works;
    lda_mailbox_autocreate:              Bool = "no",                       MAIL,                     Works;
    lda_mailbox_autosubscribe:           Bool = "no",                       MAIL,                     Works;
    lda_original_recipient_header:       Text = "",                         MAIL,                     NotYet("dovecot-lda");
    // Dotlocks of the dead would keep everybody out: Dovecot beside us is to be set to one of these, too.
    lock_method:                         Enum(&["fcntl", "flock"]) = "fcntl", MAIL,                      Works;
    mail_access_groups:                  Groups = "",                       MAIL,                     Works;
    mail_attachment_detection_options:   List = "",                         MAIL,                     NotYet("keywords of attachments");
    mail_attachment_dir:                 Text = "",                         MAIL,                     Works;
    mail_attachment_fs:                  Text = "sis posix",                MAIL,                     NotYet("attachments in files of their own are read, not made");
    mail_attachment_hash:                Text = "%{sha1}",                  MAIL,                     NotYet("attachments in files of their own are read, not made");
    mail_attachment_min_size:            Size = "128k",                     MAIL,                     NotYet("attachments in files of their own are read, not made");
    mail_attribute_dict:                 Text = "",                         NOBODY,                   NotYet("METADATA");
    mail_chroot:                         Text = "",                         USERS,                    Works;
    mail_debug:                          Bool = "no",                       Readers::ALL,             Works;
    mail_fsync:                          Enum(&["optimized", "never", "always"]) = "optimized", MAIL,                     Works;
    mail_full_filesystem_access:         Bool = "no",                       MAIL,                     NoMeaning("workers see only the mail of their user");
    mail_gid:                            Group = "",                        USERS,                    Works;
    mail_home:                           Text = "",                         USERS,                    Works;
    mail_location:                       Text = "",                         MAIL,                     Works;
    mail_log_prefix:                     Text = "%s(%u)<%{pid}><%{session}>: ", MAIL,                     Works;
    mail_max_keyword_length:             Number = "50",                     MAIL,                     Works;
    mail_max_lock_timeout:               Seconds = "0",                     MAIL,                     NotYet("one limit for all locks");
    mail_max_userip_connections:         Number = "10",                     MAIL.and(Readers::ANVIL), Works;
    mail_nfs_index:                      Bool = "no",                       NOBODY,                   NotYet("storage on NFS");
    mail_nfs_storage:                    Bool = "no",                       NOBODY,                   NotYet("storage on NFS");
    mail_plugin_dir:                     Text = "/usr/lib/dovecot/modules", NOBODY,                   NoMeaning("there are no plugins to load");
    mail_plugins:                        List = "",                         MAIL.and(Readers::LMTP),  NotYet("zlib compresses new messages; other plugins");
    mail_prefetch_count:                 Number = "0",                      NOBODY,                   NoMeaning("the kernel reads ahead");
    mail_privileged_group:               Group = "",                        MAIL,                     Works;
    mail_save_crlf:                      Bool = "no",                       MAIL,                     Works;
    mail_server_admin:                   Text = "",                         NOBODY,                   NotYet("METADATA");
    mail_server_comment:                 Text = "",                         NOBODY,                   NotYet("METADATA");
    mail_shared_explicit_inbox:          Bool = "no",                       MAIL,                     NotYet("shared namespaces");
    mail_sort_max_read_count:            Number = "0",                      NOBODY,                   NotYet("a limit of SORT");
    mail_temp_dir:                       Text = "/tmp",                     MAIL.and(Readers::LMTP),  Works;
    mail_temp_scan_interval:             Seconds = "1 weeks",               MAIL,                     NotYet("an interval for removing old temporary files");
    mail_uid:                            User = "",                         USERS,                    Works;
    mail_vsize_bg_after_count:           Number = "0",                      NOBODY,                   NotYet("indexing in the background");
    mailbox_idle_check_interval:         Seconds = "30 secs",               MAIL,                     Works;
    mailbox_list_index:                  Bool = "yes",                      MAIL,                     Works;
    mailbox_list_index_include_inbox:    Bool = "no",                       MAIL,                     Works;
    mailbox_list_index_very_dirty_syncs: Bool = "no",                       MAIL,                     Works;
    maildir_broken_filename_sizes:       Bool = "no",                       MAIL,                     NotYet("sizes that Maildir file names get wrong");
    maildir_copy_with_hardlinks:         Bool = "yes",                      MAIL,                     Works;
    maildir_empty_new:                   Bool = "no",                       MAIL,                     NotYet("moving all of new/ to cur/");
    maildir_stat_dirs:                   Bool = "no",                       MAIL,                     NotYet("files between the mailboxes of a Maildir");
    maildir_very_dirty_syncs:            Bool = "no",                       MAIL,                     Works;
    mbox_dirty_syncs:                    Bool = "yes",                      MAIL,                     Works;
    mbox_dotlock_change_timeout:         Seconds = "2 mins",                MAIL,                     Works;
    mbox_lazy_writes:                    Bool = "yes",                      MAIL,                     Works;
    mbox_lock_timeout:                   Seconds = "5 mins",                MAIL,                     Works;
    mbox_md5:                            Enum(&["apop3d", "all"]) = "apop3d", MAIL,                     Works;
    mbox_min_index_size:                 Size = "0",                        MAIL,                     NotYet("small mboxes without an index");
    mbox_read_locks:                     List = "fcntl",                    MAIL,                     Works;
    mbox_very_dirty_syncs:               Bool = "no",                       MAIL,                     Works;
    // As Debian builds it; upstream has the dotlock first.
    mbox_write_locks:                    List = "fcntl dotlock",            MAIL,                     Works;
    mdbox_preallocate_space:             Bool = "no",                       MAIL,                     NotYet("space kept ahead in mdbox files");
    mdbox_rotate_interval:               Seconds = "0",                     MAIL,                     Works;
    mdbox_rotate_size:                   Size = "10M",                      MAIL,                     Works;
    mmap_disable:                        Bool = "no",                       NOBODY,                   NoMeaning("index files are read, not mapped");
    postmaster_address:                  Text = "postmaster@%{if;%d;ne;;%d;%{hostname}}", MAIL.and(Readers::LMTP),  NotYet("rejections by mail");
    quota_full_tempfail:                 Bool = "no",                       MAIL.and(Readers::LMTP),  Works;
    rawlog_dir:                          Text = "",                         NOBODY,                   NotYet("raw logs");
    recipient_delimiter:                 Text = "+",                        MAIL.and(Readers::LMTP),  Works;
    valid_chroot_dirs:                   Text = "",                         USERS,                    Works;
};
