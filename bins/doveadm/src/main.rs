//! doveadm: administration from the shell.
//!
//! Socket:  none
//! Callers: administrators and their scripts
//! Rights:  the caller's. anvil and auth decide by the caller's uid what they answer
//! State:   none

mod auth;
mod cli;
mod connection;
mod failure;
mod kick;
mod output;
mod pw;
mod settings;
mod system;
mod terminal;
mod user;
mod who;

use std::process::ExitCode;

use clap::Parser;

use cli::{Arguments, AuthCommand, Command};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return cli::usage(&usage),
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Who(who) => who::run(arguments, who),
        Command::Kick(kick) => kick::run(kick),
        Command::User(user) => user::run(arguments, user),
        Command::Auth {
            command: AuthCommand::Test(test),
        } => auth::test(test),
        Command::Auth {
            command: AuthCommand::Login(login),
        } => auth::login(login),
        Command::Pw(pw) => pw::run(pw),
        Command::Reload => system::systemctl("reload"),
        Command::Stop => system::systemctl("stop"),
        Command::Config { arguments: words } => system::doveconf(arguments, words),
        Command::Log { command } => system::log(command),
        Command::Generate { what } => cli::generate(what),
    }
}
