//! What the suites share: booted machines, protocol clients, Dovecot as oracle, corpora, fixtures.
//!
//! Everything here is for tests: what goes wrong panics with the whole story.
//!
//! ```no_run
//! let machine = testkit::Machine::culver();
//! machine.add_user("ann", "secret");
//! testkit::Lmtp::connect(machine.connect(24)).deliver("bob@example.org", &["ann"], b"Subject: hi\r\n\r\nhi\r\n");
//! let mut imap = testkit::Imap::connect(machine.connect(143)).starttls();
//! imap.ok("LOGIN ann secret");
//! imap.ok("SELECT INBOX");
//! assert_eq!(imap.fetch(1, "BODY[TEXT]"), b"hi\r\n");
//! ```
#![allow(clippy::panic, reason = "a failed test is a panic")]

mod client_tls;
mod corpora;
mod dovecot;
mod fixture;
mod imap;
mod journal;
mod lmtp;
mod machine;
mod package;
mod stream;

pub use client_tls::client_config;
pub use client_tls::config as tls_config;
pub use corpora::{Message, corpora};
pub use dovecot::Dovecot;
pub use fixture::Fixture;
pub use imap::{Imap, Reply, Response};
pub use journal::Record;
pub use lmtp::Lmtp;
pub use machine::{Machine, Tree};
pub use package::package;
pub use stream::Stream;

use std::path::PathBuf;

/// The root of the checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .canonicalize()
        .expect("the checkout is where it was compiled")
}
