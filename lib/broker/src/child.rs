//! Starting a worker: the same binary again, its channel as fd 0.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use sys::fs::dotlock::BOOT_ID_VARIABLE;
use sys::seqpacket;
use tokio::process::{Child, Command};

/// The argument by which a binary knows that it is a worker.
pub(crate) const WORKER_ARGUMENT: &str = "worker";

/// Environment that a worker may see: what decides paths of tests, the time zone, and what locks say of this boot.
const ENVIRONMENT: [&str; 3] = ["CULVER_CONFIG_DIR", "TZ", BOOT_ID_VARIABLE];

/// Starts an unidentified worker. Returns it with our end of its channel.
///
/// # Errors
/// What socketpair(2) or clone(2) say.
pub(crate) fn spawn() -> io::Result<(Child, OwnedFd)> {
    let (ours, theirs) = seqpacket::pair()?;
    let mut command = Command::new("/proc/self/exe");
    // What ps shows: the binary's own name.
    command.arg0(std::env::args_os().next().unwrap_or_default());
    command.arg(WORKER_ARGUMENT).env_clear();
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // One heap for all sessions of the user, large buffers that go back to the system at once, and no
    // free memory kept by each thread: that is 16 KiB of an idle session's 37, and saves no time that
    // could be measured.
    command
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
    // Where the journal has no native socket, lines go to stderr, which systemd reads.
    command
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    Ok((command.spawn()?, ours))
}
