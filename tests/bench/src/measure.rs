//! What processes use: memory by PSS, CPU by the kernel's clocks.

use std::fs;

use testkit::Machine;

/// PSS of all processes of a machine whose program's path contains `program`, kB, and how many there are.
pub fn pss(machine: &Machine, program: &str) -> (u64, usize) {
    let namespace = namespace(&machine.pid().to_string());
    let mut total = (0, 0);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(|c: char| c.is_ascii_digit()) || self::namespace(&name) != namespace {
            continue;
        }
        let exe = fs::read_link(format!("/proc/{name}/exe")).unwrap_or_default();
        if exe.to_string_lossy().contains(program) {
            total.0 += field(&format!("/proc/{name}/smaps_rollup"), "Pss:");
            total.1 += 1;
        }
    }
    total
}

fn namespace(pid: &str) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// CPU time that a whole machine has used so far, milliseconds: its control group counts it.
pub fn cpu_ms(machine: &Machine) -> f64 {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let root = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| at.to_owned())
    });
    let own = fs::read_to_string(format!("/proc/{}/cgroup", machine.pid())).unwrap_or_default();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    // PID 1 sits in a group below the machine's.
    let group = own.split('/').next().unwrap_or_default();
    let path = format!("{}/{group}/cpu.stat", root.unwrap_or_default());
    field(&path, "usage_usec") as f64 / 1000.0
}
