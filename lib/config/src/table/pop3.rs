//! POP3.

use super::{NOBODY, Setting};

pub const SETTINGS: &[Setting] = settings! {
    pop3_client_workarounds: Text = "",                         NOBODY, NotYet("POP3");
    pop3_delete_type:        Enum(&["default", "expunge", "flag"]) = "default", NOBODY, NotYet("POP3");
    pop3_deleted_flag:       Text = "",                         NOBODY, NotYet("POP3");
    pop3_enable_last:        Bool = "no",                       NOBODY, NotYet("POP3");
    pop3_fast_size_lookups:  Bool = "no",                       NOBODY, NotYet("POP3");
    pop3_lock_session:       Bool = "no",                       NOBODY, NotYet("POP3");
    pop3_logout_format:      Text = "top=%t/%p, retr=%r/%b, del=%d/%m, size=%s", NOBODY, NotYet("POP3");
    pop3_no_flag_updates:    Bool = "no",                       NOBODY, NotYet("POP3");
    pop3_reuse_xuidl:        Bool = "no",                       NOBODY, NotYet("POP3");
    pop3_save_uidl:          Bool = "no",                       NOBODY, NotYet("POP3");
    pop3_uidl_duplicates:    Enum(&["allow", "rename"]) = "allow", NOBODY, NotYet("POP3");
    pop3_uidl_format:        Text = "%08Xu%08Xv",               NOBODY, NotYet("POP3");
};
