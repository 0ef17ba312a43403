//! Ours and Debian's Dovecot, measured in one run by the same client on the same machine.
//!
//! Prints medians and ratios. Nothing in here asserts a time: figures are for people.

mod client;
mod measure;
mod parked;
mod servers;
mod sessions;
mod storage;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Measures ours and Debian's Dovecot in one run"
)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Logins per second, memory per idle session (100 users, 3 sessions each) and per parked one.
    Sessions(sessions::Options),
    /// Deliveries, reading, changes: one user, a large mailbox, in each format.
    Storage(storage::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Sessions(options) => sessions::run(&options),
        What::Storage(options) => storage::run(&options),
    }
}
