//! `dump`: what stands in a file of mail storage.

use std::io;

use dump::{Target, Trouble};

use crate::cli::Dump;
use crate::failure::Failure;

/// Prints a file.
pub fn run(args: &Dump) -> Result<(), Failure> {
    let target = Target {
        path: &args.path,
        words: &args.words,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match dump::dump(args.kind.as_deref(), target, &mut out) {
        // Whoever closed the pipe has read enough.
        Ok(()) | Err(Trouble::Output) => Ok(()),
        Err(trouble @ Trouble::UnknownKind(_)) => {
            let kinds: Vec<&str> = dump::kinds().collect();
            eprintln!("Available dump types: {}", kinds.join(" "));
            Err(Failure::Refused(trouble.to_string()))
        }
        Err(trouble @ Trouble::Undetected(_)) => Err(Failure::Data(trouble.to_string())),
        Err(trouble @ Trouble::File(_)) => Err(Failure::Temporary(trouble.to_string())),
    }
}
