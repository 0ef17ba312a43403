//! lmtp: takes messages for users of this host from mail servers.
//!
//! Socket:  `lmtp` (units/culver-lmtp.socket), `lmtp-inet` (units/culver-lmtp-inet.socket)
//! Callers: mail servers: Postfix, Exim, …
//! Rights:  none. No network of its own; no files but those without a name that large messages wait in.
//! State:   messages that nobody was told to have. A restart loses none: their senders try again.

mod connection;
mod deliveries;
mod headers;
mod server;
mod session;
mod settings;
mod shared;
mod spool;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod users;

use std::process::ExitCode;

use config::{Facts, Snapshot};
use service::{Rights, Service, Started};

use crate::deliveries::Deliveries;
use crate::server::Listener;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::users::Users;

fn main() -> ExitCode {
    service::start("lmtp", run)
}

fn run(mut service: Service<Started>) -> anyhow::Result<()> {
    let (inet, unix) = (
        service.take_listeners("lmtp-inet"),
        service.take_listeners("lmtp"),
    );
    let snapshot = Snapshot::load("lmtp")?;
    let _: Settings = snapshot.settings(&Facts::of_protocol("lmtp"))?;
    let limit = server::most_clients(snapshot.limits());
    service
        .confine(&Rights::Files)?
        .serve(async move |control| {
            let users = Users::new(users::SOCKET.into());
            let shared = Shared::new(snapshot, users, Deliveries::new(deliveries::SOCKET.into()));
            let inet = inet.into_iter().map(Listener::inet);
            let listeners = inet
                .chain(unix.into_iter().map(Listener::unix))
                .collect::<Result<_, _>>()?;
            server::run(listeners, shared, limit, control).await;
            Ok(())
        })
}
