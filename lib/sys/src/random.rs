//! Random bytes of the kernel, by the system call itself: statically linked services in an empty root have
//! neither a C library that finds it nor /dev/urandom to fall back to.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` with random bytes fit for secrets.
///
/// # Errors
/// What getrandom(2) says: the call is forbidden.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_bytes_are_filled_and_differ() {
        let (mut one, mut two) = ([0; 300], [0; 300]);
        super::fill(&mut one).unwrap();
        super::fill(&mut two).unwrap();
        assert_ne!(one, two);
        assert!(one[256..].iter().any(|byte| *byte != 0));
    }
}
