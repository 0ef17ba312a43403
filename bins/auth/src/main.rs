//! auth: proves passwords, knows users, issues one-time tokens.
//!
//! Sockets: `auth-login`, `auth-master`, `auth-userdb` (units/culver-auth-*.socket)
//! Callers: login processes; managers; lmtp and doveadm
//! Rights:  none but to read password files and to ask NSS and auth-worker. No network, no capability.
//! State:   memory only. A restart forgets tokens of the last 30 seconds and exchanges under way: clients try again.

mod delay;
mod log;
mod login;
mod master;
mod outside;
mod pam;
mod serve;
mod shared;
mod threads;
mod tokens;
mod turns;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use service::{Rights, Service, Started};

fn main() -> ExitCode {
    service::start("auth", run)
}

/// Why auth had to end.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Service(#[from] service::Error),
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
    #[error("{0}")]
    Settings(String),
}

fn run(mut service: Service<Started>) -> Result<(), Error> {
    let sockets = serve::Sockets {
        login: service.take_listener("auth-login")?,
        master: service.take_listener("auth-master")?,
        userdb: service.take_listener("auth-userdb")?,
    };
    let live = shared::Live::load()?;
    let service = service.confine(&Rights::Files)?;
    service.serve(|control| serve::serve(control, sockets, live))
}
