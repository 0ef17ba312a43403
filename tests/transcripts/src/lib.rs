//! C:/S: conversations against ours and Dovecot.
