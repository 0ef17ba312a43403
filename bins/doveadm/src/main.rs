//! doveadm: Administration from the shell.

fn main() {}
