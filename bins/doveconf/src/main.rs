//! doveconf: Compiles the configuration; prints and checks it.

fn main() {}
