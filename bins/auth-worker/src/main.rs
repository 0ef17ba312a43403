//! auth-worker: asks PAM. One request, one verdict.
//!
//! Socket:  `auth-worker` (units/culver-auth-worker.socket)
//! Callers: auth
//! Rights:  group shadow, with which pam_unix's helper reads /etc/shadow. Not root, no capability, no network.
//! State:   none. Requests under way are lost with it, and auth asks again.
//!
//! PAM modules are code of others that may hang or crash: each connection has a process of its own.

mod child;
mod manager;
mod verdict;

use std::process::ExitCode;

use config::Snapshot;
use service::{Rights, Service, Started};

fn main() -> ExitCode {
    if child::is_child() {
        return service::start("auth-worker", child::run);
    }
    service::start("auth-worker", run)
}

/// Why auth-worker had to end.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Service(#[from] service::Error),
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
    #[error("{0}")]
    Channel(std::io::Error),
}

fn run(mut service: Service<Started>) -> Result<(), Error> {
    let listener = service.take_listener("auth-worker")?;
    let settings = manager::Settings::of(&Snapshot::load("auth-worker")?)?;
    let service = service.confine(&Rights::Files)?;
    service.serve(|control| manager::serve(control, listener, settings))
}
