//! MIME: headers, parts, ENVELOPE, BODYSTRUCTURE, charsets; streaming.
