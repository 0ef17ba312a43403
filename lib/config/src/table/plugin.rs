//! What stands in `plugin { }`: settings of Dovecot's plugins, of Pigeonhole and of the full text searches.

use super::Status;

const ZLIB: &str = "zlib compresses new messages; other handlers";
const QUOTA: &str = "quota";
const SIEVE: &str = "Sieve";
const ACL: &str = "access control lists";
const FTS: &str = "full text search";
const LOG: &str = "a log of what happens to mails";
const CRYPT: &str = "encrypted mails";
const DICT: &str = "dictionaries";
const PUSH: &str = "push notifications";
const STATS: &str = "statistics";

/// Settings by how their names begin; the first that fits counts. A name that ends with `=` is the whole name.
const KNOWN: &[(&str, Status)] = &[
    ("zlib_save=", Status::Works),
    ("zlib_save_level=", Status::Works),
    ("zlib_", Status::NotYet(ZLIB)),
    ("quota", Status::NotYet(QUOTA)),
    ("imapsieve_", Status::NotYet(SIEVE)),
    ("sieve", Status::NotYet(SIEVE)),
    ("acl", Status::NotYet(ACL)),
    ("imap_acl", Status::NotYet(ACL)),
    ("fts", Status::NotYet(FTS)),
    ("mail_log_", Status::NotYet(LOG)),
    ("notify_status", Status::NotYet(DICT)),
    ("mail_crypt_", Status::NotYet(CRYPT)),
    ("last_login_", Status::NotYet(DICT)),
    ("push_notification_", Status::NotYet(PUSH)),
    ("push_lua_", Status::NotYet(PUSH)),
    ("ox_", Status::NotYet(PUSH)),
    ("expire", Status::NotYet("the expire plugin")),
    ("trash", Status::NotYet("the trash plugin")),
    ("lazy_expunge", Status::NotYet("the lazy_expunge plugin")),
    ("antispam_", Status::NotYet("the antispam plugin")),
    ("autocreate", Status::NotYet("the autocreate plugin")),
    ("autosubscribe", Status::NotYet("the autocreate plugin")),
    ("welcome_", Status::NotYet("the welcome plugin")),
    ("virtual_", Status::NotYet("virtual mailboxes")),
    ("mailbox_alias_", Status::NotYet("the mailbox_alias plugin")),
    ("charset_alias", Status::NotYet("the charset_alias plugin")),
    ("listescape_", Status::NotYet("the listescape plugin")),
    (
        "pop3_migration_",
        Status::NotYet("the pop3_migration plugin"),
    ),
    ("mail_replica", Status::NotYet("replication")),
    ("replication_", Status::NotYet("replication")),
    ("old_stats_", Status::NotYet(STATS)),
    ("stats_", Status::NotYet(STATS)),
    ("mail_lua_", Status::NotYet("Lua")),
    ("apparmor_", Status::NoMeaning("workers confine themselves")),
];

/// What a setting of `plugin { }` does here. None: nobody knows it, so it belongs to somebody's own plugin
/// or is a word that other settings ask for (`%{plugin:…}`).
#[must_use]
pub fn plugin_status(name: &str) -> Option<Status> {
    let is = |known: &str| match known.strip_suffix('=') {
        Some(whole) => whole == name,
        None => name.starts_with(known),
    };
    KNOWN
        .iter()
        .find(|(known, _)| is(known))
        .map(|(_, status)| *status)
}
