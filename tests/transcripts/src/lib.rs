//! C:/S: conversations, replayed against ours and against Debian's Dovecot: both must say the same.
//!
//! `UNDER_TEST=culver` or `UNDER_TEST=dovecot` replays against one of them only. A file in `imap` or `lmtp` is:
//!
//! ```text
//! # RFC 3501 §6.4.2: what it shows.
//! mail: INBOX plain.eml \Seen \Deleted     a message of mail/ with flags; `new` puts it into new/
//! C: a EXAMINE INBOX                       said, with CRLF
//! S: * 1 EXISTS                            untagged responses come in any order, ...
//! S: * ...                                 ... this one stands for any number of others,
//! S> * 2 FETCH (UID 7)                     these come in the order in which they stand here,
//! S? * OK [HIGHESTMODSEQ ...               and this one may be missing
//! S: * 1 EXPUNGE                           upwards or downwards: it counts which messages are gone
//! S: a OK [READ-ONLY] ...                  `...` stands for anything, at the end of a line or a list
//! ```
//!
//! Set-up lines, before the first word: `mail: MAILBOX FILE FLAG...`, `mailbox: NAME`, `fixture: NAME` (a home of
//! tests/fixtures), `session: preauth` (nobody logs in, the greeting is to be expected), `from: ADDRESS`
//! (where clients connect from; 127.0.0.1 counts as secure), `port: 993`, `as: 2 user2` (who session 2 is),
//! `only: culver` (where Dovecot is known not to do as it should; the comment says what).
//!
//! `C2:` and `S2:` are a second session, and so on. In LMTP files session 1 is LMTP, past its greeting; others are IMAP.
//! `C~ text` sends without CRLF, with `\r \n \t \0 \\ \xHH`. `C: a APPEND INBOX {#}` counts the literal that
//! follows as `L:` lines (each with CRLF) and `L~` lines (as `C~`). `! tls` is a handshake, `! close` hangs
//! up, `! deliver FILE` brings a message of mail/ by LMTP; `! wait N` lets N seconds go by; `!2 close` is the second session's.
//! `S: <closed>` is the end of the connection.
//!
//! Data is compared, not bytes: the order of FETCH and STATUS items and of flags does not matter, and a literal
//! is the same as a quoted string (written here with `\r\n` in it). `<number>` and `<any>` stand for one
//! value; any other `<name>` is learnt where it comes first, and must be the same from there on, also in `C:`
//! lines; `<!name>` must be another. Known from the start: `<user>`, `<password>`, `<user2>`, and in base64
//! `<plain>` (for AUTHENTICATE PLAIN), `<user64>`, `<password64>`.
#![allow(clippy::panic, reason = "a failed test is a panic")]

mod data;
mod pattern;
mod play;
mod script;
mod server;

use std::path::PathBuf;

use crate::script::Script;
use crate::server::Server;

/// Replays `imap/NAME.imap` or `lmtp/NAME.lmtp` against the servers under test; `_` in the name is `-` in the file.
///
/// # Panics
/// A server says something else; with the whole conversation.
pub fn replay(kind: &str, name: &str) {
    let path = directory(kind)
        .join(name.replace('_', "-"))
        .with_extension(kind);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let script = Script::parse(&format!("{kind}/{name}"), &text);
    let only = script.setup.only.as_deref();
    for server in Server::under_test(only) {
        play::play(&script, server);
    }
}

/// Panics if there is a file that no test replays.
///
/// # Panics
/// There is one.
pub fn complete(kind: &str, names: &[&str]) {
    let mut files: Vec<String> = std::fs::read_dir(directory(kind))
        .expect("a directory of transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == kind))
        .map(|path| {
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .replace('-', "_")
        })
        .collect();
    files.sort();
    assert_eq!(files, names, "files, and names in tests/replay.rs");
}

fn directory(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(kind)
}
