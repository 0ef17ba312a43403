//! IMAP grammar: commands in, responses out; no I/O.
