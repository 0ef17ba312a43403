//! The Debian package under test.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::checkout;

/// The package: `CULVER_DEB` if set (`./test` builds it once for all suites), else built now.
///
/// # Panics
/// It cannot be built; what is wrong is on standard error.
pub fn package() -> PathBuf {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE
        .get_or_init(|| match std::env::var_os("CULVER_DEB") {
            Some(path) => path.into(),
            None => build(),
        })
        .clone()
}

fn build() -> PathBuf {
    let built = Command::new(checkout().join("packaging/deb/build"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("packaging/deb/build runs");
    assert!(
        built.status.success(),
        "the package cannot be built, see above"
    );
    PathBuf::from(String::from_utf8_lossy(&built.stdout).trim())
}
