//! What a service may still do when it serves. The unit grants it; this checks and locks it.

use std::path::Path;

use sys::{confine, privileges};

use crate::Error;

/// What a service works with.
#[derive(Debug, Clone)]
pub enum Rights<'a> {
    /// No capability; of the file system only what lies below these directories, to read.
    Read(&'a [&'a Path]),
    /// No capability; the file system as the unit shows it.
    Files,
    /// The capabilities to start workers as other users, and no others.
    Manager,
}

pub(crate) fn confine(rights: &Rights<'_>) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::Confinement(error.to_string());
    if privileges::effective_uid() == 0 {
        return Err(Error::Confinement(
            "runs as root; its unit names another user".to_owned(),
        ));
    }
    privileges::set_no_new_privileges().map_err(failed)?;
    privileges::set_undumpable().map_err(failed)?;
    match rights {
        Rights::Read(directories) => {
            privileges::check_no_capabilities().map_err(failed)?;
            let granted: Vec<_> = directories
                .iter()
                .map(|directory| (*directory, confine::Access::Read))
                .collect();
            confine::restrict_files(&granted).map_err(failed)
        }
        Rights::Files => privileges::check_no_capabilities().map_err(failed),
        Rights::Manager => privileges::check_only_manager_capabilities().map_err(failed),
    }
}
