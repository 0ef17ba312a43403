//! Paths with `*`, `?` and `[…]` for `!include`, sorted as glob(7) does.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::wildcard;

/// The existing files that match. A pattern without wildcards is that path, whether it exists or not
/// is told when it is opened; a missing one gives nothing.
pub fn files(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let text = component.as_os_str().to_str();
        found = match (component, text) {
            (Component::Normal(_), Some(text)) if text.contains(['*', '?', '[']) => found
                .iter()
                .flat_map(|folder| matching(folder, text))
                .collect(),
            _ => found
                .into_iter()
                .map(|folder| folder.join(component))
                .collect(),
        };
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort();
    found
}

/// The entries of a folder whose names match.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    // As in a shell, a leading dot must be written out.
    let visible = names.filter(|name| !name.starts_with('.') || pattern.starts_with('.'));
    visible
        .filter(|name| wildcard::matches(pattern.as_bytes(), name.as_bytes()))
        .map(|name| folder.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_sorted_and_hidden_ones_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20-b.conf", "10-a.conf", ".hidden.conf", "x.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> = files(&folder.path().join("*.conf"))
            .iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["10-a.conf", "20-b.conf"]);
        assert!(files(&folder.path().join("none")).is_empty());
    }
}
