//! lmtp: LMTP server.

fn main() {}
