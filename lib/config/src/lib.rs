//! Dovecot configuration language, the table of settings, compiled snapshots.
//!
//! ```text
//! parse_file ─▶ Config ─ compile(names) ─▶ Snapshot ─ to_bytes ─▶ /run/culver/config/<service>
//!   doveconf, as root, once per reload                                  │
//!   the service, at its start: Snapshot::load(service) ◀────────────────┘
//!   per connection: snapshot.settings::<MySettings>(&Facts { protocol: "imap", .. })
//! ```
//!
//! A service declares a struct whose fields are named like settings:
//!
//! ```
//! #[derive(serde::Deserialize)]
//! struct Settings {
//!     auth_failure_delay: config::Seconds,
//!     auth_mechanisms: Vec<String>,
//!     passdb: Vec<Passdb>,
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Passdb {
//!     driver: String,
//!     args: String,
//!     master: bool,
//! }
//!
//! let text = "auth_mechanisms = plain login\npassdb {\n  driver = pam\n}\n";
//! let config = config::parse_text(std::path::Path::new("culver.conf"), text);
//! let snapshot = config.snapshot("auth", &config::NoNames)?;
//! let settings: Settings = snapshot.settings(&config::Facts::of_protocol("imap"))?;
//! assert_eq!(settings.auth_failure_delay.0, 2);
//! assert_eq!(settings.auth_mechanisms, ["plain", "login"]);
//! assert_eq!(settings.passdb[0].driver, "pam");
//! # Ok::<(), config::Error>(())
//! ```
//!
//! *Invariant:* a snapshot holds nothing that its service may not know ([`table::Readers`]).

mod compile;
mod config;
mod de;
mod effective;
pub mod expand;
mod filter;
mod names;
mod overrides;
mod parse;
mod per_connection;
mod problem;
mod snapshot;
mod types;
mod units;
mod value;
mod wildcard;

pub mod table;

pub use compile::Effect;
pub use config::{Assigned, Block, Config, Scope, Text};
pub use filter::{Address, Condition, Facts, Filter};
pub use names::{Names, NoNames};
pub use overrides::Overrides;
pub use parse::{parse_file, parse_text};
pub use per_connection::PerConnection;
pub use problem::{Error, Location, Problem, Problems, Severity};
pub use snapshot::{DIRECTORY, DIRECTORY_VARIABLE, ServiceSettings, Snapshot};
pub use types::{GroupId, Millis, Networks, Seconds, Secret, Size, UserId};
pub use value::Value;
pub use wildcard::matches as wildcard_matches;
