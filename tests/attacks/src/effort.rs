//! How much processor time the services take, as the kernel counts it: the same whoever else is busy on this host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::Machine;

use crate::memory::slice;

/// What they had taken at some time.
#[derive(Debug)]
pub struct Effort {
    slice: PathBuf,
    before: Duration,
}

impl Effort {
    /// Looks now.
    ///
    /// # Panics
    /// The machine has no cgroup.
    #[must_use]
    pub fn look(machine: &Machine) -> Effort {
        let slice = slice(machine);
        let before = spent(&slice);
        Effort { slice, before }
    }

    /// What all services of the machine together have taken since then.
    #[must_use]
    pub fn spent(&self) -> Duration {
        spent(&self.slice).saturating_sub(self.before)
    }
}

fn spent(slice: &Path) -> Duration {
    let stat = fs::read_to_string(slice.join("cpu.stat")).expect("cpu.stat");
    let micros = stat
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "))
        .and_then(|micros| micros.parse().ok());
    Duration::from_micros(micros.expect("usage_usec"))
}
