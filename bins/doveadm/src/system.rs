//! What other programs do: systemctl, journalctl, doveconf.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cli::{Arguments, Log};
use crate::failure::Failure;
use crate::output;

/// The unit that takes all others along.
const UNIT: &str = "culver.service";
/// How the journal knows our records.
const IDENTIFIER: &str = "culver";

/// Becomes another program.
fn exec(command: &mut Command) -> Failure {
    let error = command.exec();
    Failure::Temporary(format!(
        "execve({}) failed: {error}",
        command.get_program().to_string_lossy()
    ))
}

/// `systemctl reload culver.service` and its like.
pub fn systemctl(verb: &str) -> Result<(), Failure> {
    Err(exec(Command::new("systemctl").arg(verb).arg(UNIT)))
}

/// `doveconf` with the file that doveadm was told to use.
pub fn doveconf(arguments: &Arguments, words: &[String]) -> Result<(), Failure> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.join("doveconf")));
    let program = beside
        .filter(|path| path.exists())
        .unwrap_or_else(|| "doveconf".into());
    let mut command = Command::new(program);
    if let Some(file) = &arguments.config {
        command.arg("-c").arg(file);
    }
    Err(exec(command.args(words)))
}

/// The log is the journal.
pub fn log(what: &Log) -> Result<(), Failure> {
    match what {
        Log::Find => {
            let levels = [
                ("Debug", "debug"),
                ("Info", "info"),
                ("Warning", "warning"),
                ("Error", "err"),
                ("Fatal", "crit"),
            ];
            for (name, priority) in levels {
                output::put(&format!(
                    "{name}: journalctl -t {IDENTIFIER} -p {priority}\n"
                ));
            }
            Ok(())
        }
        Log::Errors { since } => {
            let options = [
                "-t",
                IDENTIFIER,
                "-p",
                "warning",
                "--no-pager",
                "-q",
                "-S",
                since,
            ];
            Err(exec(Command::new("journalctl").args(options)))
        }
        Log::Reopen => Ok(()),
    }
}
