//! auth-worker: Asks PAM: one request, one verdict.

fn main() {}
