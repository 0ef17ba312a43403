//! doveadm: administration from the shell.
//!
//! Socket:  none
//! Callers: administrators and their scripts
//! Rights:  the caller's; on mail those of its user, in a process of its own. anvil and auth decide by the caller's
//!          uid what they answer
//! State:   none

mod auth;
mod cli;
mod commands;
mod connection;
mod dumping;
mod failure;
mod kick;
mod mail;
mod names;
mod output;
mod pw;
mod settings;
mod system;
mod terminal;
mod user;
mod who;

use std::process::ExitCode;

use clap::Parser;

use cli::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return cli::usage(&usage),
    };
    if let Some(code) = mail::run(&arguments) {
        return code;
    }
    match commands::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
