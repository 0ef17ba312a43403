//! Reasons that many settings share.

pub const JOURNAL: &str = "the log is the journal (journalctl -t culver)";
pub const UNITS: &str = "users are set in the units of systemd";
/// Why `*_listener` sections have no meaning.
pub const SOCKETS: &str =
    "sockets are set in the socket units of systemd (systemctl edit culver-imap.socket)";
pub const LIBRARY: &str =
    "this TLS library chooses among safe ciphers, curves and parameters itself";
