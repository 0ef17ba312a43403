//! The command line, as Dovecot's doveconf has it, and what is made from its definition.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// What Dovecot's programs exit with when the configuration, or how doveconf was called, is wrong.
pub const EXIT_CONFIG: u8 = 89;

/// Where an administrator keeps the configuration.
const PATHS: [&str; 2] = ["/etc/culver/culver.conf", "/etc/dovecot/dovecot.conf"];

/// Print, check and compile the configuration.
#[derive(Debug, Parser)]
#[command(name = "doveconf", version, disable_help_flag = true)]
pub struct Arguments {
    /// Read this file [default: /etc/culver/culver.conf, else /etc/dovecot/dovecot.conf]
    #[arg(short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say what every setting of FILE does here; fail if something would be missed
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub explain: Option<Option<PathBuf>>,
    #[command(flatten)]
    pub query: Query,
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Print help
    #[arg(long, global = true, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// What to print.
#[derive(Debug, Default, Args)]
pub struct Query {
    /// Print all settings, defaults too (without setting names this is what happens anyway)
    #[arg(short)]
    pub all: bool,
    /// Print only settings that differ from their defaults
    #[arg(short = 'n', conflicts_with = "all")]
    pub changed: bool,
    /// Print the settings that were set, even to their defaults
    #[arg(short = 'N', conflicts_with_all = ["all", "changed"])]
    pub assigned: bool,
    /// Print defaults, whatever the file says
    #[arg(short)]
    pub defaults: bool,
    /// Print values without names
    #[arg(short = 'h')]
    pub hide_names: bool,
    /// Replace variables ($mail_plugins) and show the contents of files (</path)
    #[arg(short = 'x')]
    pub expand: bool,
    /// Show passwords and keys
    #[arg(short = 'P')]
    pub show_secrets: bool,
    /// Print name=value lines, sections as names with slashes
    #[arg(short = 'S')]
    pub simple: bool,
    /// Print hidden settings, too
    #[arg(short = 's')]
    pub show_hidden: bool,
    /// Print only settings that this service reads
    #[arg(short, value_name = "SERVICE")]
    pub module: Option<String>,
    /// Read the whole file, as is always done
    #[arg(short = 'p', hide = true)]
    pub parse: bool,
    /// Print what counts for a connection: protocol=, local=, lname=, remote=
    #[arg(short, value_name = "NAME=VALUE")]
    pub filter: Vec<String>,
    /// Print only these: a setting, a section, or section/name/setting
    #[arg(value_name = "SETTING")]
    pub names: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the configuration and write what each service may know of it (culver.service does)
    Compile {
        /// Where the snapshots go
        #[arg(long, default_value = config::DIRECTORY)]
        directory: PathBuf,
    },
    /// Make a self-signed certificate where there is none
    Mkcert {
        /// Write cert.pem and key.pem there [default: where ssl_cert and ssl_key say]
        #[arg(long)]
        directory: Option<PathBuf>,
    },
    /// Write manual pages and completions (packages do)
    #[command(hide = true)]
    Generate {
        #[command(subcommand)]
        what: Generate,
    },
}

#[derive(Debug, Subcommand)]
pub enum Generate {
    /// Manual pages into a directory
    Man { directory: PathBuf },
    /// Completions for a shell to standard output
    Completions { shell: Shell },
}

/// Culver's own configuration, else Dovecot's where there is one.
pub fn default_path() -> PathBuf {
    let [ours, dovecots] = PATHS.map(PathBuf::from);
    if !ours.exists() && dovecots.exists() {
        dovecots
    } else {
        ours
    }
}

/// Prints help, or what is wrong with the command line.
pub fn usage(usage: &clap::Error) -> ExitCode {
    // Nowhere is left to tell that the terminal is gone.
    let _ = usage.print();
    if usage.use_stderr() {
        ExitCode::from(EXIT_CONFIG)
    } else {
        ExitCode::SUCCESS
    }
}

/// Writes doveconf(1) and the pages of its commands.
pub fn generate_man(directory: &Path) -> anyhow::Result<()> {
    let command = Arguments::command();
    clap_mangen::generate_to(command, directory).with_context(|| directory.display().to_string())
}

/// Prints completions.
pub fn generate_completions(shell: Shell) {
    clap_complete::generate(
        shell,
        &mut Arguments::command(),
        "doveconf",
        &mut std::io::stdout(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn settings_and_commands_are_told_apart() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["doveconf"], words].concat());
        assert_eq!(
            parse(&["-h", "auth_realms"]).unwrap().query.names,
            ["auth_realms"]
        );
        assert!(parse(&["-n", "-c", "x"]).unwrap().query.changed);
        assert!(matches!(
            parse(&["compile"]).unwrap().command,
            Some(Command::Compile { .. })
        ));
        let both = parse(&["-c", "x", "compile", "--directory", "y"]).unwrap();
        assert!(both.config.is_some() && both.command.is_some());
        assert!(parse(&["-Q"]).is_err());
    }
}
