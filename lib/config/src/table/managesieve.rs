//! ManageSieve.

use super::{NOBODY, Setting};

pub const SETTINGS: &[Setting] = settings! {
    managesieve_client_workarounds:    Text = "",                         NOBODY, NotYet("ManageSieve");
    managesieve_implementation_string: Text = "Dovecot (Debian) Pigeonhole", NOBODY, NotYet("ManageSieve");
    managesieve_logout_format:         Text = "bytes=%i/%o",              NOBODY, NotYet("ManageSieve");
    managesieve_max_compile_errors:    Number = "5",                      NOBODY, NotYet("ManageSieve");
    managesieve_max_line_length:       Size = "64 k",                     NOBODY, NotYet("ManageSieve");
    managesieve_notify_capability:     Text = "mailto",                   NOBODY, NotYet("ManageSieve");
    managesieve_sieve_capability:      Text = "fileinto reject envelope encoded-character vacation subaddress comparator-i;ascii-numeric relational regex imap4flags copy include variables body enotify environment mailbox date index ihave duplicate mime foreverypart extracttext", NOBODY, NotYet("ManageSieve");
};
