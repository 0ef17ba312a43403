//! The commands that are not about mail.

use crate::cli::mail::Mailbox;
use crate::cli::{Arguments, AuthCommand, Command};
use crate::failure::Failure;
use crate::{auth, cli, dumping, kick, names, pw, system, user, who};

/// Runs the one that was asked for.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
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
        Command::Dump(args) => dumping::run(args),
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
