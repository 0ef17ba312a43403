//! SMTP and LMTP grammar: commands, paths, replies, end of DATA; no I/O.
