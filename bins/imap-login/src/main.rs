//! imap-login: Speaks IMAP before authentication, relays TLS after it.

fn main() {}
