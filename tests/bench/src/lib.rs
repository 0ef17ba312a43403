//! Ours and Dovecot in one run.
