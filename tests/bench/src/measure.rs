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
    cpu_ms_in(machine, "")
}

/// The same of one unit in it (`system.slice/culver-imap.service`, `init.scope`: systemd itself).
pub fn cpu_ms_in(machine: &Machine, unit: &str) -> f64 {
    let path = machine.control_group().join(unit).join("cpu.stat");
    field(&path.to_string_lossy(), "usage_usec") as f64 / 1000.0
}

/// Of what was measured several times.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}
