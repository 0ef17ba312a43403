//! doveadm: administration from the shell.
//!
//! Socket:  none
//! Callers: administrators and their scripts
//! Rights:  the caller's. anvil and auth decide by the caller's uid what they answer
//! State:   none

mod auth;
mod cli;
mod connection;
mod dump;
mod failure;
mod kick;
mod mail;
mod names;
mod output;
mod pw;
mod settings;
mod system;
mod terminal;
mod time;
mod user;
mod who;

use std::process::ExitCode;

use clap::Parser;

use cli::mail::Mailbox;
use cli::{Arguments, AuthCommand, Command};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return cli::usage(&usage),
    };
    if let Some(code) = mail::run(&arguments) {
        return code;
    }
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
        Command::Mailbox {
            command: Mailbox::Mutf7(names),
        } => names::convert(names),
        Command::Dump(args) => dump::run(args),
        Command::Pw(pw) => pw::run(pw),
        Command::Reload => system::systemctl("reload"),
        Command::Stop => system::systemctl("stop"),
        Command::Config { arguments: words } => system::doveconf(arguments, words),
        Command::Log { command } => system::log(command),
        Command::Generate { what } => cli::generate(what),
        // `mail::run` has done these.
        _ => Ok(()),
    }
}
