//! `dump`: what stands in the files of mail storage, in Dovecot's words where Dovecot has some.
//!
//! Nothing is changed, no lock is taken: a file that is being written may look broken at its end.

mod cache;
mod dbox;
mod dupes;
mod index;
mod input;
mod log;
mod mailbox_log;
mod text;

use std::io::{self, Write};
use std::path::Path;

use crate::cli::Dump;
use crate::failure::Failure;

/// A kind of file.
struct Kind {
    name: &'static str,
    /// Does this file look like one?
    detect: fn(&Target<'_>) -> bool,
    dump: fn(&Target<'_>, &mut dyn Write) -> Result<(), Trouble>,
}

/// In the order in which they are tried.
const KINDS: [Kind; 11] = [
    Kind {
        name: "dbox",
        detect: dbox::detect,
        dump: dbox::dump,
    },
    Kind {
        name: "index",
        detect: index::detect,
        dump: index::dump,
    },
    Kind {
        name: "log",
        detect: log::detect,
        dump: log::dump,
    },
    Kind {
        name: "mailboxlog",
        detect: mailbox_log::detect,
        dump: mailbox_log::dump,
    },
    Kind {
        name: "cache",
        detect: cache::detect,
        dump: cache::dump,
    },
    Kind {
        name: "uidlist",
        detect: text::detect_uidlist,
        dump: text::dump_uidlist,
    },
    Kind {
        name: "subscriptions",
        detect: text::detect_subscriptions,
        dump: text::dump_subscriptions,
    },
    Kind {
        name: "keywords",
        detect: text::detect_keywords,
        dump: text::dump_keywords,
    },
    Kind {
        name: "uidvalidity",
        detect: text::detect_uidvalidity,
        dump: text::dump_uidvalidity,
    },
    Kind {
        name: "lda-dupes",
        detect: dupes::detect,
        dump: dupes::dump,
    },
    Kind {
        name: "imapzlib",
        detect: input::detect_imap_deflated,
        dump: input::dump_imap_deflated,
    },
];

/// What is dumped.
struct Target<'t> {
    path: &'t Path,
    /// A kind's own: the UID whose record of an index is shown.
    words: &'t [String],
}

/// Why it is not.
#[derive(Debug)]
enum Trouble {
    /// The file cannot be read, or is not what it should be.
    File(String),
    /// Nobody reads what is printed.
    Output,
}

impl From<io::Error> for Trouble {
    fn from(_closed: io::Error) -> Self {
        Self::Output
    }
}

impl Trouble {
    fn file(what: impl Into<String>) -> Self {
        Self::File(what.into())
    }
}

/// Prints a file.
pub fn run(args: &Dump) -> Result<(), Failure> {
    let target = Target {
        path: &args.path,
        words: &args.words,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let kind = match &args.kind {
        Some(name) => KINDS.iter().find(|kind| kind.name == name.as_str()),
        None => KINDS.iter().find(|kind| (kind.detect)(&target)),
    };
    let Some(kind) = kind else {
        return Err(unknown(args));
    };
    let announced = match &args.kind {
        Some(_) => Ok(()),
        None => writeln!(out, "Detected file type: {}", kind.name),
    };
    let dumped = announced
        .map_err(Trouble::from)
        .and_then(|()| (kind.dump)(&target, &mut out))
        .and_then(|()| out.flush().map_err(Trouble::from));
    match dumped {
        Ok(()) => Ok(()),
        // Whoever closed the pipe has read enough.
        Err(Trouble::Output) => Ok(()),
        Err(Trouble::File(what)) => {
            let _ = out.flush();
            Err(Failure::Temporary(what))
        }
    }
}

fn unknown(args: &Dump) -> Failure {
    match &args.kind {
        Some(name) => {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            eprintln!("Available dump types: {}", names.join(" "));
            Failure::Refused(format!("Unknown type: {name}"))
        }
        None => Failure::Data(format!(
            "Can't autodetect file type: {}",
            args.path.display()
        )),
    }
}
