//! Dovecot configuration language, the table of settings, compiled snapshots.
