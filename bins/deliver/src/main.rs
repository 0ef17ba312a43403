//! deliver: saves messages into the mailboxes of their recipients.
//!
//! Socket:  `deliver` (units/culver-deliver.socket)
//! Callers: lmtp
//! Rights:  manager: to start workers as other users, nothing else; it reads no message and no mailbox.
//!          Worker: the mail user's, see worker.rs.
//! State:   none. A message belongs to its sender until it is on disk. Workers outlive the manager.

mod manager;
mod places;
mod serve;
#[cfg(test)]
mod tests;
mod worker;

use std::process::ExitCode;

use config::Snapshot;
use ipc::AsyncListener;
use service::{Callers, Rights, Service, Started};
use tokio::sync::watch;

use crate::manager::Manager;
use crate::serve::Server;

fn main() -> ExitCode {
    if broker::worker::is_worker() {
        return worker::run();
    }
    service::start("deliver", run)
}

fn run(mut service: Service<Started>) -> anyhow::Result<()> {
    let socket = service.take_listener("deliver")?;
    let stored = service
        .take_stored()
        .into_iter()
        .map(|stored| stored.fd)
        .collect();
    let snapshot = Snapshot::load("deliver")?;
    service
        .confine(&Rights::Manager)?
        .serve(async move |control| {
            // Every delivery is answered for by itself; nobody needs the list of those that ended.
            let (drain, draining) = watch::channel(false);
            let (manager, _) = Manager::new(&snapshot, manager::AUTH.as_ref(), draining)?;
            let server = Server {
                manager,
                callers: Callers::of(&snapshot),
            };
            server
                .run(AsyncListener::new(socket)?, stored, drain, control)
                .await;
            Ok(())
        })
}
