//! A process of ours as /proc shows it.

use std::collections::BTreeMap;
use std::fs;

use testkit::Machine;

/// One process of a `culver-*.service`.
#[derive(Debug)]
pub struct Process {
    /// In the machine.
    pub pid: u32,
    /// `imap` for a process of culver-imap.service.
    pub service: String,
    /// The main process of its service, or a worker of it.
    pub main: bool,
    status: BTreeMap<String, String>,
    /// Mount points in its own view: path to options and file system type.
    pub mounts: Vec<Mount>,
    /// What its descriptors are links to.
    pub fds: Vec<String>,
}

/// One line of mountinfo.
#[derive(Debug)]
pub struct Mount {
    pub point: String,
    pub writable: bool,
    pub kind: String,
}

impl Process {
    /// All processes of all our services.
    pub fn all(machine: &Machine) -> Vec<Process> {
        let services = machine.run(
            "for unit in $(systemctl list-units --plain --no-legend --state=active 'culver-*.service' | cut -d' ' -f1); do
                 main=$(systemctl show --value -p MainPID $unit)
                 for pid in $(cat /sys/fs/cgroup/system.slice/$unit/cgroup.procs); do echo $unit $pid $main; done
             done",
        );
        services
            .lines()
            .map(|line| Process::read(machine, line))
            .collect()
    }

    fn read(machine: &Machine, line: &str) -> Process {
        let words: Vec<&str> = line.split(' ').collect();
        let [unit, pid, main] = words[..] else {
            panic!("{line:?}")
        };
        let proc = machine.path(&format!("/proc/{pid}"));
        let status = fs::read_to_string(proc.join("status")).expect("/proc/PID/status");
        let status = status.lines().filter_map(|line| line.split_once(':'));
        let mounts = fs::read_to_string(proc.join("mountinfo")).expect("/proc/PID/mountinfo");
        let fds = fs::read_dir(proc.join("fd")).expect("/proc/PID/fd");
        Process {
            pid: pid.parse().expect("a pid"),
            service: unit
                .trim_start_matches("culver-")
                .trim_end_matches(".service")
                .to_owned(),
            main: pid == main,
            status: status
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            mounts: mounts.lines().map(Mount::parse).collect(),
            fds: fds
                .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
                .map(|target| target.to_string_lossy().into_owned())
                .collect(),
        }
    }

    /// A field of /proc/PID/status.
    pub fn status(&self, field: &str) -> &str {
        self.status
            .get(field)
            .unwrap_or_else(|| panic!("no {field} in /proc/{}/status", self.pid))
    }

    /// Real, effective, saved and file system id, if all four are the same.
    pub fn id(&self, field: &str) -> u32 {
        let ids: Vec<&str> = self.status(field).split_whitespace().collect();
        assert!(
            ids.iter().all(|id| *id == ids[0]),
            "{field} of {}: {ids:?}",
            self.pid
        );
        ids[0].parse().expect("an id")
    }
}

impl Mount {
    fn parse(line: &str) -> Mount {
        let (fields, rest) = line.split_once(" - ").expect("mountinfo");
        let fields: Vec<&str> = fields.split(' ').collect();
        Mount {
            point: fields[4].to_owned(),
            writable: fields[5].split(',').any(|option| option == "rw"),
            kind: rest.split(' ').next().expect("a type").to_owned(),
        }
    }
}
