//! anvil: counts who is logged in, keeps the limit of sessions per user and address, ends sessions on request.
//!
//! Socket:  `anvil` (units/culver-anvil.socket)
//! Callers: managers (imap, deliver) and lmtp own sessions; doveadm, as root, looks and kicks
//! Rights:  none. No network, no files but its snapshot, no mail.
//! State:   a memfd in systemd's FD store: a restart forgets nothing. What managers' sessions are is theirs to say.

mod log;
mod managers;
mod peer;
mod serve;
mod table;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use config::Snapshot;
use service::{Callers, Rights, Service, Started};

fn main() -> ExitCode {
    service::start("anvil", run)
}

/// Why anvil had to end.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Service(#[from] service::Error),
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
    #[error(transparent)]
    Log(#[from] log::Error),
}

fn run(mut service: Service<Started>) -> Result<(), Error> {
    let listener = service.take_listener("anvil")?;
    let (log, sessions) = log::Log::open(service.take_stored())?;
    let snapshot = Snapshot::load("anvil")?;
    let service = service.confine(&Rights::Read(&[&config_directory()]))?;
    service.serve(|control| {
        serve::serve(
            control,
            listener,
            serve::State::new(log, sessions, Callers::of(&snapshot)),
        )
    })
}

/// Where a reload finds the next snapshot.
fn config_directory() -> std::path::PathBuf {
    std::env::var_os(config::DIRECTORY_VARIABLE)
        .map_or_else(|| Path::new(config::DIRECTORY).to_owned(), Into::into)
}
