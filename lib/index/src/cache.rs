//! `dovecot.index.cache`: what was once read out of messages, so that it need not be read again.
//!
//! *Invariant:* nothing in here is the only copy of anything but SAVEDATE; a reader that is told
//! nothing reads the message. FORMATS.md §1.12.
