//! imap: IMAP after authentication: manager and workers.

fn main() {}
