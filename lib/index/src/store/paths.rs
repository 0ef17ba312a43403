//! Names of the files of an index. FORMATS.md §1.

use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub dir: PathBuf,
    pub index: PathBuf,
    pub log: PathBuf,
    pub log2: PathBuf,
    pub new_log: PathBuf,
    pub temporary: PathBuf,
    pub backup: PathBuf,
    pub new_backup: PathBuf,
}

impl Paths {
    pub(super) fn new(dir: &Path, prefix: &str) -> Self {
        let named = |suffix: &str| dir.join(format!("{prefix}{suffix}"));
        Self {
            dir: dir.to_owned(),
            index: named(""),
            log: named(".log"),
            log2: named(".log.2"),
            new_log: named(".log.newlock"),
            temporary: named(".tmp"),
            backup: named(".backup"),
            new_backup: named(".backup.tmp"),
        }
    }
}
