//! IMAP, before and after authentication.

use super::{Kind, Readers, Setting, setting};

const IMAP: Readers = Readers::IMAP;
/// The login process answers CAPABILITY and ID too.
const BOTH: Readers = Readers::IMAP.and(Readers::LOGIN);

const LOGOUT: &str = "in=%i out=%o deleted=%{deleted} expunged=%{expunged} trashed=%{trashed} \
     hdr_count=%{fetch_hdr_count} hdr_bytes=%{fetch_hdr_bytes} \
     body_count=%{fetch_body_count} body_bytes=%{fetch_body_bytes}";

pub const SETTINGS: &[Setting] = &[
    setting("imap_capability", Kind::Text, "", BOTH),
    setting("imap_client_workarounds", Kind::List, "", IMAP),
    setting(
        "imap_fetch_failure",
        Kind::Enum(&["disconnect-immediately", "disconnect-after", "no-after"]),
        "disconnect-immediately",
        IMAP,
    ),
    setting("imap_hibernate_timeout", Kind::Seconds, "0", IMAP),
    setting("imap_id_log", Kind::Text, "", BOTH),
    setting("imap_id_retain", Kind::Bool, "no", BOTH),
    setting("imap_id_send", Kind::Text, "name *", BOTH),
    setting("imap_idle_notify_interval", Kind::Seconds, "2 mins", IMAP),
    setting("imap_literal_minus", Kind::Bool, "no", BOTH),
    setting("imap_logout_format", Kind::Text, LOGOUT, IMAP),
    setting("imap_max_line_length", Kind::Size, "64 k", BOTH),
    setting("imap_metadata", Kind::Bool, "no", IMAP),
];
