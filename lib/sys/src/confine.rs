//! Confinement that a process puts on itself: Landlock for files, seccomp for system calls.
//!
//! Both hold for the calling thread and what it starts: confine before the first thread.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};

/// Newest Landlock interface whose rules we know; older kernels enforce what they can.
const LANDLOCK: ABI = ABI::V6;

/// What a process may still do with a directory and all below it, or with one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read files whose names it knows; no lists of names.
    Look,
    /// Read files and directories.
    Read,
    /// Change them as well; execute nothing.
    Write,
}

impl Access {
    fn rights(self) -> BitFlags<AccessFs> {
        match self {
            Self::Look => AccessFs::ReadFile.into(),
            Self::Read => AccessFs::ReadFile | AccessFs::ReadDir,
            Self::Write => AccessFs::from_all(LANDLOCK) & !AccessFs::Execute,
        }
    }
}

/// From now on the process has these rights on files and no others, and sends no signal to a process that is not
/// confined with it. A path that does not exist grants nothing.
///
/// # Errors
/// The kernel enforces no Landlock at all, or refuses the rules.
pub fn restrict_files(granted: &[(&Path, Access)]) -> io::Result<()> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))
        .and_then(|rules| rules.scope(Scope::from_all(LANDLOCK)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    for (path, access) in granted {
        let Ok(opened) = PathFd::new(path) else {
            continue;
        };
        rules = rules
            .add_rule(PathBeneath::new(opened, access.rights()))
            .map_err(io::Error::other)?;
    }
    let status = rules.restrict_self().map_err(io::Error::other)?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel enforces no Landlock rules",
        ));
    }
    Ok(())
}
