//! lmtp: takes messages for users of this host from mail servers.
//!
//! Socket:  `lmtp` (units/culver-lmtp.socket), `lmtp-inet` (units/culver-lmtp-inet.socket)
//! Callers: mail servers: Postfix, Exim, …
//! Rights:  none. No network of its own; no files but those without a name that large messages wait in.
//! State:   messages that nobody was told to have. A restart loses none: their senders try again.

mod connection;
mod deliveries;
mod headers;
mod request;
mod server;
mod session;
mod settings;
mod shared;
mod spool;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod users;

fn main() {}
