//! IMAP after authentication: manager and workers.

mod command;
mod session;

fn main() {}
