//! The only crate with unsafe code: system calls, confinement, libcrypt, PAM, file operations.
