//! Start-up ladder of every service, in types: a service cannot serve before it is confined.
//!
//! ```text
//! start ─▶ Service<Started>    the journal is open; sockets, settings and stored descriptors are taken
//!   confine ─▶ Service<Confined>   identity and rights checked, no way back to any
//!     serve ─▶ Control              the event loop runs: READY=1, watchdog, SIGHUP, SIGTERM
//! ```

mod callers;
mod control;
mod rights;
mod start;

pub mod journal;
pub mod store;

pub use callers::{Callers, Door};
pub use control::{Control, Signal};
pub use rights::Rights;
pub use start::{Confined, Error, Service, Started, start};
