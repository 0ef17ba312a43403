//! Traits and types of mail storage: Mailbox, Mail, names, flags, errors.
