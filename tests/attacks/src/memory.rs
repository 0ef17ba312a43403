//! How much memory the services take, process by process, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use testkit::Machine;

/// A process of one of our units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// As the host sees it.
    pub pid: u32,
    /// `culver-imap.service`.
    pub unit: String,
    /// Resident, bytes: now, and at most since [`Memory::look`].
    pub resident: u64,
    /// The most since [`Memory::look`].
    pub peak: u64,
}

/// What they took at some time.
#[derive(Debug, Clone)]
pub struct Memory {
    slice: PathBuf,
    before: BTreeMap<u32, Process>,
}

impl Memory {
    /// Looks now, and has the kernel count peaks from now on.
    ///
    /// # Panics
    /// The machine has no cgroup.
    #[must_use]
    pub fn look(machine: &Machine) -> Memory {
        let slice = slice(machine);
        let before = processes(&slice);
        for pid in before.keys() {
            // 5: reset the peak. A process may be gone by now.
            fs::write(format!("/proc/{pid}/clear_refs"), "5").ok();
        }
        Memory { slice, before }
    }

    /// By how many bytes each process grew at most since then. One that was not there is held against the largest
    /// of its unit that was, since that one has all of the program's pages.
    #[must_use]
    pub fn growth(&self) -> Vec<(Process, u64)> {
        let largest = |unit: &str| {
            let before = self.before.values().filter(|process| process.unit == unit);
            before.map(|process| process.resident).max()
        };
        processes(&self.slice)
            .into_values()
            .map(|process| {
                let before = match self.before.get(&process.pid) {
                    Some(before) => before.resident,
                    None => largest(&process.unit).unwrap_or_default(),
                };
                let growth = process.peak.saturating_sub(before);
                (process, growth)
            })
            .collect()
    }

    /// The process that grew most, and by how much.
    #[must_use]
    pub fn most(&self) -> (String, u64) {
        let growth = self.growth();
        let most = growth.iter().max_by_key(|(_, growth)| *growth);
        most.map_or_else(Default::default, |(process, growth)| {
            (process.unit.clone(), *growth)
        })
    }

    /// Processes of a unit now.
    #[must_use]
    pub fn of(&self, unit: &str) -> Vec<Process> {
        let now = processes(&self.slice);
        now.into_values()
            .filter(|process| process.unit == unit)
            .collect()
    }
}

/// How many descriptors a process has open.
///
/// # Panics
/// It is gone.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("the process")
        .count()
}

/// Where the host sees the control groups of the machine's services.
pub(crate) fn slice(machine: &Machine) -> PathBuf {
    let mounts = fs::read_to_string("/proc/mounts").expect("mounts");
    let root = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|words| words.get(2) == Some(&"cgroup2"))
        .and_then(|words| words.get(1).map(|root| (*root).to_owned()))
        .expect("a cgroup2 file system");
    let of_init =
        fs::read_to_string(format!("/proc/{}/cgroup", machine.pid())).expect("the machine");
    let path = of_init
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .expect("its group");
    let path = path.trim_end_matches("/init.scope").trim_start_matches('/');
    Path::new(&root).join(path).join("system.slice")
}

fn processes(slice: &Path) -> BTreeMap<u32, Process> {
    let mut found = BTreeMap::new();
    for unit in fs::read_dir(slice).expect("system.slice").flatten() {
        let name = unit.file_name().to_string_lossy().into_owned();
        if !name.starts_with("culver-") || !name.ends_with(".service") {
            continue;
        }
        let pids = fs::read_to_string(unit.path().join("cgroup.procs")).unwrap_or_default();
        for pid in pids.lines().filter_map(|pid| pid.parse().ok()) {
            if let Some((resident, peak)) = sizes(pid) {
                let unit = name.clone();
                found.insert(
                    pid,
                    Process {
                        pid,
                        unit,
                        resident,
                        peak,
                    },
                );
            }
        }
    }
    found
}

/// `None` for one that is gone.
fn sizes(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let size = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some(kilobytes * 1024)
    };
    Some((size("VmRSS:")?, size("VmHWM:")?))
}
