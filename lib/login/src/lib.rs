//! What every login process shares: accepting, limits, TLS, authentication, hand-off, relay.
//!
//! ```text
//! Server ── accepts ─▶ Client ─ (TLS) ─▶ the protocol's own session ─ authenticate ─▶ auth
//!                                             └── hand_off ─▶ manager; with TLS: Relay until the end
//! ```
//!
//! One process serves all clients, each a task; nothing but this crate and the protocol's grammar
//! runs before authentication.
//!
//! *Invariant:* no mail code, no user lookup: a login process knows a password for as long as it takes
//! to pass it on, and never a user's uid or path.

mod authenticate;
mod client;
mod error;
mod handoff;
mod record;
mod registry;
mod relay;
mod server;
mod settings;
mod shared;
mod stream;
mod tls;

pub use authenticate::{Exchange, Step};
pub use client::{Attempt, Client, Ended};
pub use error::Error;
pub use handoff::HandedOver;
pub use server::{Listeners, run};
pub use settings::{Settings, TlsPolicy};
pub use shared::Shared;
