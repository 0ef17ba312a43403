//! auth: Proves passwords, knows users, issues one-time tokens.

fn main() {}
