//! passdb and userdb drivers, password schemes: who may log in, and who a user is.
//!
//! ```text
//! Settings ─ AuthDb::new ─▶ AuthDb ─ authenticate(client, claim) ─▶ Accepted ─ user_of ─▶ UserRecord
//!                             └──── user(client, name) ────────────────────────────────────▲
//! ```
//!
//! Called by `auth`; `doveadm pw` uses [`password`] alone. What waits or computes for long runs in threads that the
//! service offers ([`Outside`]); everything else is done in place, in the one thread of an event loop.
//!
//! *Invariant:* values from clients and databases are inserted into templates once and never read as templates.
//! *Invariant:* passdbs share nothing but the text of files: an answer of one is never taken for another's.

pub mod password;

mod attempt;
mod authdb;
mod authenticate;
mod cache;
mod client;
mod context;
mod driver;
mod fields;
mod lookup;
mod names;
mod outside;
mod passdb;
mod settings;
mod userdb;
mod verbose;

pub use authdb::AuthDb;
pub use authenticate::{Accepted, Claim, Reason, Rejected};
pub use client::Client;
pub use fields::Fields;
pub use lookup::{NoUser, UserRecord};
pub use names::{MAX_USER, Names};
pub use outside::{Level, Note, Outside, PamQuestion, PamRefusal, PamVerdict, Weight};
pub use settings::{
    PassdbSettings, Rule, Settings, SkipPassdb, SkipUserdb, UserdbSettings, Verbose,
};

#[cfg(test)]
mod tests;
