//! The command line, as Dovecot's doveadm has it, and what is made from its definition.

pub mod mail;
pub mod mailbox;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::failure::{EX_USAGE, Failure};
use crate::output::Formatter;

/// Where anvil listens.
pub const ANVIL: &str = "/run/culver/anvil/anvil";
/// Where auth answers questions about users.
pub const USERDB: &str = "/run/culver/auth/userdb";

/// Administer Culver.
#[derive(Debug, Parser)]
#[command(name = "doveadm", version)]
pub struct Arguments {
    /// How rows are printed [default: what suits the command]
    #[arg(short, value_enum)]
    pub formatter: Option<Formatter>,
    /// Say more
    #[arg(short)]
    pub verbose: bool,
    /// Say everything
    #[arg(short = 'D')]
    pub debug: bool,
    /// Read this configuration file
    #[arg(short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override a setting
    #[arg(short = 'o', value_name = "SETTING=VALUE")]
    pub overrides: Vec<String>,
    /// auth's socket, for commands on mail
    #[arg(long, hide = true, value_name = "SOCKET")]
    pub userdb: Option<PathBuf>,
    /// Do it for the user whom standard output names: a child of doveadm
    #[arg(long, hide = true)]
    pub child: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who is logged in
    Who(Who),
    /// End sessions of users or from addresses
    Kick(Kick),
    /// Ask userdb about users
    User(User),
    /// Ask passdb
    Auth {
        #[command(subcommand)]
        command: AuthCommand,
    },
    /// List and change mailboxes
    Mailbox {
        #[command(subcommand)]
        command: mail::Mailbox,
    },
    /// Show what mails are and what is in them
    Fetch(mail::Fetch),
    /// Show which mails match
    Search(mail::Searching),
    /// Remove mails
    Expunge(mail::Expunge),
    /// Save a message
    Save(mail::Save),
    /// Import mails from another place
    Import(mail::Import),
    /// Copy mails into another mailbox
    Copy(mail::Copy),
    /// Move mails into another mailbox
    Move(mail::Copy),
    /// Change flags and keywords of mails
    Flags {
        #[command(subcommand)]
        command: mail::Flags,
    },
    /// Remove from disk what no mailbox refers to
    Purge(mail::Purge),
    /// Move mails to the alternative storage
    Altmove(mail::Altmove),
    /// Check and repair mailboxes
    ForceResync(mail::ForceResync),
    /// Bring indexes up to date
    Index(mail::Index),
    /// Remove mails that are there twice
    Deduplicate(mail::Deduplicate),
    /// Show what stands in a file of mail storage
    Dump(Dump),
    /// Make and verify password hashes
    Pw(Pw),
    /// Load the configuration anew (systemctl reload culver)
    Reload,
    /// Stop Culver (systemctl stop culver)
    Stop,
    /// Run doveconf
    Config {
        /// What doveconf gets
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Find and read the log
    Log {
        #[command(subcommand)]
        command: Log,
    },
    /// Write manual pages and completions (packages do)
    #[command(hide = true)]
    Generate {
        #[command(subcommand)]
        what: Generate,
    },
}

#[derive(Debug, Args)]
pub struct Who {
    /// anvil's socket
    #[arg(short, default_value = ANVIL)]
    pub anvil: PathBuf,
    /// One line per session
    #[arg(short = '1')]
    pub separate: bool,
    /// Only these: a user name with * and ?, a network (192.0.2.0/24), or both
    #[arg(value_name = "USER|NETWORK", num_args = 0..=2)]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Kick {
    /// anvil's socket
    #[arg(short, default_value = ANVIL)]
    pub anvil: PathBuf,
    /// Whom: a user name with * and ?, a network (192.0.2.0/24), or both
    #[arg(value_name = "USER|NETWORK", num_args = 0..=2)]
    pub masks: Vec<String>,
}

#[derive(Debug, Args)]
pub struct User {
    /// auth's socket
    #[arg(short, default_value = USERDB)]
    pub auth: PathBuf,
    /// What auth is told, such as service=imap
    #[arg(short = 'x', value_name = "NAME=VALUE")]
    pub info: Vec<String>,
    /// Print only this field
    #[arg(short)]
    pub field: Option<String>,
    /// Print this template, such as %u:%h
    #[arg(short = 'e', value_name = "TEMPLATE")]
    pub expand: Option<String>,
    /// Print only what userdb says, not the settings beside it
    #[arg(short)]
    pub userdb: bool,
    /// Users; with * and ? those that match are listed
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Would this password do?
    Test(Login),
    /// Would this password do, and who would it be?
    Login(Login),
}

#[derive(Debug, Args)]
pub struct Login {
    /// auth's socket
    #[arg(short, default_value = USERDB)]
    pub auth: PathBuf,
    /// What auth is told, such as service=imap
    #[arg(short = 'x', value_name = "NAME=VALUE")]
    pub info: Vec<String>,
    /// User name
    pub user: String,
    /// Password; asked for when it is missing
    pub password: Option<String>,
}

#[derive(Debug, Args)]
pub struct Dump {
    /// What kind of file it is [default: as it looks]
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// The file; the directory of an index
    pub path: PathBuf,
    /// For an index: only the mail with this UID
    #[arg(value_name = "UID")]
    pub words: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Pw {
    /// List the schemes
    #[arg(short)]
    pub list: bool,
    /// Password; asked for when it is missing
    #[arg(short, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// How much work (BLF-CRYPT, SHA512-CRYPT, PBKDF2, ARGON2 …) [default: the scheme's]
    #[arg(short, default_value_t = 0, hide_default_value = true)]
    pub rounds: u32,
    /// Scheme
    #[arg(short, default_value = "CRYPT")]
    pub scheme: String,
    /// Verify a password against this hash
    #[arg(short, value_name = "HASH")]
    pub test: Option<String>,
    /// User name, for schemes that hash it along
    #[arg(short, default_value = "", hide_default_value = true)]
    pub user: String,
    /// Verify the new hash
    #[arg(short = 'V')]
    pub verify: bool,
}

#[derive(Debug, Subcommand)]
pub enum Log {
    /// Where the log is
    Find,
    /// Warnings and errors
    Errors {
        /// Not older than this, as journalctl understands it
        #[arg(short, value_name = "WHEN", default_value = "today")]
        since: String,
    },
    /// For scripts of Dovecot: the journal needs no reopening
    Reopen,
}

#[derive(Debug, Subcommand)]
pub enum Generate {
    /// Manual pages into a directory
    Man { directory: PathBuf },
    /// Completions for a shell to standard output
    Completions { shell: Shell },
}

/// Prints help, or what is wrong with the command line.
pub fn usage(usage: &clap::Error) -> ExitCode {
    // Nowhere is left to tell that the terminal is gone.
    let _ = usage.print();
    if usage.use_stderr() {
        ExitCode::from(EX_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

/// Writes doveadm(1), the pages of its commands, or completions.
pub fn generate(what: &Generate) -> Result<(), Failure> {
    match what {
        Generate::Man { directory } => {
            let made = clap_mangen::generate_to(Arguments::command(), directory);
            made.map_err(|error| Failure::Temporary(format!("{}: {error}", directory.display())))
        }
        Generate::Completions { shell } => {
            clap_complete::generate(
                *shell,
                &mut Arguments::command(),
                "doveadm",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn dovecots_ways_to_call_it_are_understood() {
        for line in [
            "doveadm who",
            "doveadm -f json who -1 jo 192.0.2.0/24",
            "doveadm -D -v -o mail_debug=yes user -f uid jo@example.org",
            "doveadm auth test -x service=imap jo secret",
            "doveadm pw -s SHA512-CRYPT -p x -r 5000",
            "doveadm config -n -c /etc/culver/culver.conf",
            "doveadm kick jo",
            "doveadm mailbox list -7 -s -u jo INBOX*",
            "doveadm mailbox status -t -A all *",
            "doveadm mailbox create -s -u jo A B",
            "doveadm mailbox delete -e -r -s -Z A",
            "doveadm mailbox rename -s A B",
            "doveadm mailbox path -t list-index INBOX",
            "doveadm mailbox mutf7 -7 Entw&APw-rfe",
            "doveadm -f tab fetch -u *@example.org uid mailbox INBOX not seen",
            "doveadm search -F users since 1w ( seen or flagged )",
            "doveadm expunge -d -u jo mailbox Trash all",
            "doveadm save -m Trash -u jo message.eml",
            "doveadm import -s -U lx maildir:/x  mailbox INBOX all",
            "doveadm move -u jo Trash user lx mailbox INBOX 1:5",
            "doveadm flags replace -u jo \\Seen 1,*",
            "doveadm purge -A",
            "doveadm altmove -r -u jo all",
            "doveadm force-resync -f -u jo *",
            "doveadm index -q -n 5 INBOX",
            "doveadm deduplicate -m mailbox INBOX",
            "doveadm dump -t index /x/dovecot.index 5",
            "doveadm reload",
        ] {
            Arguments::try_parse_from(line.split(' '))
                .unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        assert!(Arguments::try_parse_from(["doveadm", "user"]).is_err());
        assert!(Arguments::try_parse_from(["doveadm", "nope"]).is_err());
    }
}
