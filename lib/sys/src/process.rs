//! What a process is called.

use std::ffi::CString;

/// Shows the process under `name` in ps(1) and in log records; at most 15 bytes of it.
pub fn set_name(name: &str) {
    let Ok(name) = CString::new(name) else { return };
    // The kernel cuts what is too long and refuses nothing else.
    let _ = rustix::thread::set_name(&name);
}
