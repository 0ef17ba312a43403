//! One message into one mailbox of one user.
//!
//! [`Message`] is a file that several deliveries may read at once, with header lines before it. A
//! [`Plan`] says what shall happen to it: now the mailbox that the recipient's address names, one
//! day what a Sieve script decides. [`deliver()`] carries the plan out and reports every attempt;
//! what it reports as saved is on disk.
//!
//! Called by the workers of `deliver`, as the mail user. Logs nothing: the caller writes
//! [`Report::log_lines`].

mod deliver;
mod header;
mod message;
mod plan;
mod report;
mod settings;
#[cfg(test)]
mod testing;

pub use deliver::deliver;
pub use message::Message;
pub use plan::{Action, Plan};
pub use report::{Attempt, Failure, Report};
pub use settings::Settings;
