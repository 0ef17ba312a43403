//! User + namespaces + mail_location become mailboxes.
