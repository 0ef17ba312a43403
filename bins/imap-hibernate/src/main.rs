//! imap-hibernate: holds IMAP clients that idle, so that neither a thread nor a worker must.
//!
//! Socket:  `imap-hibernate` (units/culver-imap-hibernate.socket)
//! Callers: the manager of imap
//! Rights:  none. No network but the connections that it is given, no files but its snapshot, no mail. It reads nothing that
//!          a client sends, and knows nothing by which it could make itself a client's user.
//! State:   clients, and what is in their mailboxes' descriptors, in systemd's FD store; what belongs to them in a memfd
//!          there. A restart ends nobody.

mod client;
mod held;
mod manager;
mod serve;
mod shelf;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use config::Snapshot;
use service::{Callers, Rights, Service, Started};

fn main() -> ExitCode {
    service::start("imap-hibernate", run)
}

/// Why imap-hibernate had to end.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Service(#[from] service::Error),
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
    #[error("the memory that outlives this process: {0}")]
    Shelf(#[from] std::io::Error),
}

fn run(mut service: Service<Started>) -> Result<(), Error> {
    let listener = service.take_listener("imap-hibernate")?;
    let (shelf, found) = shelf::Shelf::open(service.take_stored())?;
    let callers = Callers::of(&Snapshot::load("imap-hibernate")?);
    let service = service.confine(&Rights::Read(&[&config_directory()]))?;
    service.serve(|control| serve::serve(control, listener, shelf, (found, callers)))
}

/// Where a reload finds the next snapshot.
fn config_directory() -> std::path::PathBuf {
    std::env::var_os(config::DIRECTORY_VARIABLE)
        .map_or_else(|| Path::new(config::DIRECTORY).to_owned(), Into::into)
}
