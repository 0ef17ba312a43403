//! IMAP, before and after authentication.

use super::{NOBODY, Readers, Setting};

const IMAP: Readers = Readers::IMAP;
/// The login process answers CAPABILITY and ID too.
const BOTH: Readers = Readers::IMAP.and(Readers::LOGIN);

const LOGOUT: &str = "in=%i out=%o deleted=%{deleted} expunged=%{expunged} trashed=%{trashed} \
     hdr_count=%{fetch_hdr_count} hdr_bytes=%{fetch_hdr_bytes} \
     body_count=%{fetch_body_count} body_bytes=%{fetch_body_bytes}";

pub const SETTINGS: &[Setting] = settings! {
    imap_capability:            Text = "",                         BOTH,   Works;
    imap_client_workarounds:    List = "",                         IMAP,   Works;
    imap_fetch_failure:         Enum(&["disconnect-immediately", "disconnect-after", "no-after"]) = "disconnect-immediately", IMAP,   Works;
    imap_hibernate_timeout:     Seconds = "0",                     IMAP,   Works;
    imap_id_log:                Text = "",                         BOTH,   Works;
    imap_id_retain:             Bool = "no",                       BOTH,   NotYet("proxying");
    imap_id_send:               Text = "name *",                   BOTH,   Works;
    imap_idle_notify_interval:  Seconds = "2 mins",                IMAP,   Works;
    imap_literal_minus:         Bool = "no",                       BOTH,   Works;
    imap_logout_format:         Text = LOGOUT,                     IMAP,   Works;
    imap_max_line_length:       Size = "64 k",                     BOTH,   Works;
    imap_metadata:              Bool = "no",                       IMAP,   NotYet("METADATA");
    imap_urlauth_host:          Text = "",                         NOBODY, NotYet("URLAUTH");
    imap_urlauth_logout_format: Text = "in=%i out=%o",             NOBODY, NotYet("URLAUTH");
    imap_urlauth_port:          Port = "143",                      NOBODY, NotYet("URLAUTH");
};
