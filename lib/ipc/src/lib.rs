//! Typed messages between our services: one file per pair, request and reply side by side.
//!
//! A message is one postcard-encoded SOCK_SEQPACKET record, descriptors beside it. The first
//! message of a connection carries [`VERSION`]; a peer of another version is refused. Types check
//! themselves when decoded: a bad record ends the connection, it is not one of ours.
//!
//! *Invariant:* only auth names a user to a manager; login names none to anybody but auth.

mod channel;
mod error;
mod names;
mod reply;
mod secret;

pub mod anvil;
pub mod auth_master;
pub mod deliver;
pub mod facts;
pub mod handoff;
pub mod hibernate;
pub mod login_auth;
pub mod worker;
pub mod worker_auth;

#[cfg(feature = "async")]
mod async_channel;
#[cfg(feature = "async")]
mod client;
#[cfg(test)]
#[cfg(feature = "async")]
mod testing;
#[cfg(feature = "async")]
pub use async_channel::{AsyncChannel, AsyncListener, CONNECT_PATIENCE};
pub use channel::{Channel, MAX_RECORD};
#[cfg(feature = "async")]
pub use client::{Client, Exchange};
pub use error::Error;
pub use names::{SessionId, Username};
pub use reply::Reply;
pub use secret::{Secret, Token};

/// Version of all messages in this crate; both ends of a connection must have the same.
pub const VERSION: u16 = 1;
