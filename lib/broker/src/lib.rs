//! Managers and their workers: the process in the middle that routes every user's sessions to the
//! one worker that serves the user.
//!
//! ```text
//! hand-off ─▶ Manager ── user has a worker? ──yes──▶ Job to it
//!                 └──no──▶ unidentified worker from the pool ── Identify, then Job
//! worker:  Unidentified ─▶ confine as the user ─▶ serve jobs, a thread each ─▶ end
//! ```
//!
//! A worker that crashes ends its user's sessions and nothing else. A manager that crashes ends
//! no session: systemd keeps its ends of the workers' channels and hands them to the next one.
//!
//! *Invariant:* a worker has its user's identity, and nothing more, before it reads a client's byte.

mod census;
mod child;
mod gate;
mod handle;
mod identity;
mod limits;
mod manager;
mod overrides;
mod parking;
mod place;
mod seccomp;
mod sessions;
mod stop;

pub mod worker;

pub use handle::Ended;
pub use identity::{IdentitySettings, Refused, identify};
pub use limits::Limits;
pub use manager::{Manager, Resumed};
pub use overrides::{identify_by, overrides};
pub use place::{Begun, Reserved, SubmitError};
pub use sessions::{Spec, run_sessions};
pub use stop::{Stop, StopReason};
