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

/// CPU time, in clock ticks of 10 ms: of the whole machine, and of this process.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    all: u64,
    own: u64,
}

impl Cpu {
    /// Until now.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let numbers = |line: &str| -> Vec<u64> {
            line.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        };
        let cpu = numbers(stat.lines().next().unwrap_or_default());
        // user nice system (idle iowait) irq softirq
        let all = cpu.iter().take(3).sum::<u64>() + cpu.iter().skip(5).take(2).sum::<u64>();
        let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let own = numbers(own.rsplit(')').next().unwrap_or_default());
        // Of this process, fields 14 and 15; eleven numbers after the state.
        Self {
            all,
            own: own.iter().skip(10).take(2).sum(),
        }
    }

    /// Used since `before` by everybody but this process, milliseconds.
    pub fn others_since(self, before: Self) -> f64 {
        let ticks = (self.all - before.all).saturating_sub(self.own - before.own);
        ticks as f64 * 10.0
    }
}
