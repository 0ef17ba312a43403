//! Confinement that a process puts on itself: Landlock for files, seccomp for system calls.
//!
//! Both hold for the calling thread and what it starts: confine before the first thread.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus,
};

/// Newest Landlock interface whose rules we know; older kernels enforce what they can.
const LANDLOCK: ABI = ABI::V4;

/// From now on only what lies below `read` can be read, and only what lies below `write` can be
/// changed as well. A directory that does not exist grants nothing.
///
/// # Errors
/// The kernel enforces no Landlock at all, or refuses the rules.
pub fn restrict_files(read: &[&Path], write: &[&Path]) -> io::Result<()> {
    let all = AccessFs::from_all(LANDLOCK);
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules = Ruleset::default()
        .handle_access(all)
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    for (directories, access) in [(read, reading), (write, all & !AccessFs::Execute)] {
        for directory in directories {
            let Ok(opened) = PathFd::new(directory) else {
                continue;
            };
            rules = rules
                .add_rule(PathBeneath::new(opened, access))
                .map_err(io::Error::other)?;
        }
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
