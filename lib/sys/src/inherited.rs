//! Descriptors that systemd hands to a service: listening sockets by name, and the FD store.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// One descriptor and the name that its unit gave it (`FileDescriptorName=`).
#[derive(Debug)]
pub struct Inherited {
    /// The name; `unknown` where the unit gives none.
    pub name: String,
    /// The descriptor, close-on-exec.
    pub fd: OwnedFd,
}

/// Takes every descriptor that systemd passed, in its order. Call once, before any thread starts.
///
/// # Errors
/// The environment names descriptors that are not there.
pub fn take() -> io::Result<Vec<Inherited>> {
    let listed: Vec<(i32, String)> = sd_notify::listen_fds_with_names()?.collect();
    let own = |(raw, name)| {
        // SAFETY: systemd passed this descriptor to this process and nothing else in it owns it:
        // `take` is called once, by the start-up ladder.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        Inherited { name, fd }
    };
    Ok(listed.into_iter().map(own).collect())
}
