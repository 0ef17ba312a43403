//! systemd's FD store: descriptors that outlive the process (`FileDescriptorStoreMax=`).
//!
//! After a restart they come back through [`crate::Service::take_stored`] under their names.

use std::io;
use std::os::fd::BorrowedFd;

use sd_notify::NotifyState;

/// Keeps a copy of `fd` under `name` (letters, digits, `-`, `_`, `.`; at most 255 bytes) until it is removed or, for a socket or
/// pipe, its peer is gone.
///
/// # Errors
/// systemd cannot be told. Without systemd: nothing is stored and nothing fails.
pub fn keep(name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
    sd_notify::notify_with_fds(&[NotifyState::FdStore, NotifyState::FdName(name)], &[fd])
}

/// The same for something that is kept also when its peer is gone (`FDPOLL=0`, systemd 246).
///
/// # Errors
/// As [`keep`].
pub fn keep_always(name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
    let unwatched = NotifyState::Custom("FDPOLL=0");
    let state = [NotifyState::FdStore, NotifyState::FdName(name), unwatched];
    sd_notify::notify_with_fds(&state, &[fd])
}

/// Lets go of everything stored under `name`.
///
/// # Errors
/// systemd cannot be told.
pub fn forget(name: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)])
}
