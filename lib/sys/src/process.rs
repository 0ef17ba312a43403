//! What a process is called, and the memory that it keeps.

use std::ffi::CString;

/// Shows the process under `name` in ps(1) and in log records; at most 15 bytes of it.
pub fn set_name(name: &str) {
    let Ok(name) = CString::new(name) else { return };
    // The kernel cuts what is too long and refuses nothing else.
    let _ = rustix::thread::set_name(&name);
}

/// Gives heap memory that nobody uses back to the system: what a start needed and a long life does not.
pub fn trim_heap() {
    // SAFETY: malloc_trim(3) touches free memory only, under malloc's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}
