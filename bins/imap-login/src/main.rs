//! imap-login: speaks IMAP before authentication, and relays TLS after it.
//!
//! Sockets: `imap` (143), `imaps` (993): units/culver-imap.socket, units/culver-imaps.socket
//! Callers: anybody
//! Rights:  none. No file but its own snapshot, no network but the connections that it is given.
//! State:   memory only. A restart ends clients that are not logged in, and sessions with TLS.

mod answer;
mod authenticate;
mod capability;
mod session;

use std::process::ExitCode;

use ipc::facts::Protocol;
use login::Listeners;
use service::{Service, Started};

fn main() -> ExitCode {
    service::start("imap-login", run)
}

fn run(mut service: Service<Started>) -> Result<(), login::Error> {
    let plain = service.take_listeners("imap");
    let tls = service.take_listeners("imaps");
    let listeners = Listeners { plain, tls };
    login::run(service, listeners, Protocol::Imap, |client| {
        Box::pin(session::run(client))
    })
}
