//! A password from the terminal, not shown while it is typed.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Asks on the terminal; without one the next line of standard input is the password.
pub fn password(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    let quiet = if stdin.is_terminal() {
        Quiet::begin(prompt)
    } else {
        None
    };
    let mut line = Zeroizing::new(String::new());
    let read = stdin
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::Temporary(format!("read(stdin) failed: {error}")))?;
    drop(quiet);
    if read == 0 {
        return Err(Failure::Usage("no password was given".to_owned()));
    }
    Ok(Zeroizing::new(
        line.trim_end_matches(['\n', '\r']).to_owned(),
    ))
}

/// The terminal shows nothing until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin(prompt: &str) -> Option<Self> {
        let mut error = io::stderr();
        // A prompt that can't be shown doesn't keep anybody from typing.
        let _ = write!(error, "{prompt}").and_then(|()| error.flush());
        let before = tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        eprintln!();
    }
}
