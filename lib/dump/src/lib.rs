//! What stands in the files of mail storage, in the words of Dovecot's `doveadm dump` where it has some.
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
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The file; the directory of an index.
    pub path: &'t Path,
    /// A kind's own: the UID whose record of an index is shown.
    pub words: &'t [String],
}

/// Why a file is not dumped, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such kind of file.
    #[error("Unknown type: {0}")]
    UnknownKind(String),
    /// It is of no kind that is known.
    #[error("Can't autodetect file type: {0}")]
    Undetected(String),
    /// The file cannot be read, or is not what it should be.
    #[error("{0}")]
    File(String),
    /// Nobody reads what is printed.
    #[error("the output is closed")]
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

/// Names of all kinds, as [`dump`] takes them.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

/// Prints a file of some kind; without one, of the kind that it looks like, which is told first.
///
/// # Errors
/// [`Trouble`]; what could be read before was printed.
pub fn dump(kind: Option<&str>, target: Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let kind = match kind {
        Some(name) => {
            let known = KINDS.iter().find(|kind| kind.name == name);
            known.ok_or_else(|| Trouble::UnknownKind(name.to_owned()))?
        }
        None => {
            let looks = KINDS.iter().find(|kind| (kind.detect)(&target));
            let looks =
                looks.ok_or_else(|| Trouble::Undetected(target.path.display().to_string()))?;
            writeln!(out, "Detected file type: {}", looks.name)?;
            looks
        }
    };
    (kind.dump)(&target, out)?;
    Ok(out.flush()?)
}
