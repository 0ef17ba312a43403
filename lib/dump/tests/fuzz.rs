//! Fuzz target: dumping ends, whatever is in a file.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use dump::Target;

/// A file's name says what is in it; so may the caller.
const NAMES: [&str; 9] = [
    "dovecot.index",
    "dovecot.index.log",
    "dovecot.index.cache",
    "dovecot.mailbox.log",
    "m.1",
    "dovecot-uidlist",
    "dovecot-keywords",
    "subscriptions",
    "dovecot.lda-dupes",
];

#[test]
fn any_file() {
    let dir = tempfile::tempdir().unwrap();
    bolero::check!().for_each(|bytes: &[u8]| {
        let (which, bytes) = bytes.split_first().unwrap_or((&0, &[]));
        let path = dir.path().join(NAMES[usize::from(*which) % NAMES.len()]);
        std::fs::write(&path, bytes).unwrap();
        let target = Target {
            path: &path,
            words: &[],
        };
        // What is wrong with it is not the question.
        let _ = dump::dump(None, target, &mut std::io::sink());
        for kind in ["index", "log", "cache", "dbox"] {
            let _ = dump::dump(Some(kind), target, &mut std::io::sink());
        }
    });
}
