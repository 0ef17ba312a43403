//! What only the host knows: numbers of users and groups, addresses of host names, contents of files.
//!
//! Statically linked services can't ask for these (NSS), so `doveconf` does while it compiles.

use std::io;
use std::net::IpAddr;
use std::path::Path;

/// Answers of the host. None means that there is no such name.
pub trait Names {
    /// The number of a user.
    fn user(&self, name: &str) -> Option<u32>;
    /// The number of a group.
    fn group(&self, name: &str) -> Option<u32>;
    /// The addresses of a host name; empty when it has none.
    fn host(&self, name: &str) -> Vec<IpAddr>;
    /// A file's text (`ssl_key = </path`).
    ///
    /// # Errors
    /// Whatever reading the file says.
    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Knows only numbers and files: enough for tests, and for configurations without names.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn user(&self, _name: &str) -> Option<u32> {
        None
    }

    fn group(&self, _name: &str) -> Option<u32> {
        None
    }

    fn host(&self, _name: &str) -> Vec<IpAddr> {
        Vec::new()
    }
}
