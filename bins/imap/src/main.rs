//! imap: IMAP after authentication: a manager, and a worker per user.
//!
//! Socket:  `imap-session` (/run/culver/login/imap): units/culver-imap-session.socket
//! Callers: imap-login
//! Rights:  manager: becomes other users, nothing else. Worker: those of the mail user, confined to its mail.
//! State:   none that a restart loses: workers outlive a manager, mail is on disk.

mod command;
mod session;
mod worker;

use std::process::ExitCode;

use broker::Spec;
use ipc::facts::Protocol;

const SPEC: Spec = Spec {
    protocol: Protocol::Imap,
    socket: "imap-session",
};

fn main() -> ExitCode {
    if broker::worker::is_worker() {
        return broker::worker::run("imap", worker::prepare);
    }
    service::start("imap", |service| broker::run_sessions(service, SPEC))
}
