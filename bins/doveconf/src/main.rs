//! doveconf: compiles the configuration; prints and checks it.
//!
//! Socket:  none
//! Callers: culver.service as root (`compile`), the package (`mkcert`, `generate`), whoever is curious (`-n`)
//! Rights:  the caller's. It reads the configuration, writes snapshots, and ends
//! State:   /run/culver/config: one snapshot per service; a broken configuration leaves the old ones

mod cli;
mod compile;
mod explain;
mod mkcert;
mod names;
mod print;
mod query;
mod secrets;
mod simple;
mod view;

use std::process::ExitCode;

use clap::Parser;

use cli::{Arguments, Command, Generate};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return cli::usage(&usage),
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("doveconf: Fatal: {error:#}");
            ExitCode::from(cli::EXIT_CONFIG)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let path = arguments.config.clone().unwrap_or_else(cli::default_path);
    match arguments.command {
        None => match &arguments.explain {
            Some(given) => explain::run(given.as_deref().unwrap_or(&path)),
            None => query::run(&path, &arguments.query),
        },
        Some(Command::Compile { directory }) => compile::run(&path, &directory),
        Some(Command::Mkcert { directory }) => mkcert::run(&path, directory.as_deref()),
        Some(Command::Generate {
            what: Generate::Man { directory },
        }) => cli::generate_man(&directory),
        Some(Command::Generate {
            what: Generate::Completions { shell },
        }) => {
            cli::generate_completions(shell);
            Ok(())
        }
    }
}
