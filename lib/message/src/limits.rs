//! How much of a message is looked at. Beyond a limit the rest is treated as plain content: truncated, never refused.

/// Parts nested in each other; a deeper multipart or message/rfc822 is a leaf.
pub const MIME_DEPTH: usize = 100;

/// Parts of one message; what follows belongs to the last one.
pub const MIME_PARTS: usize = 10_000;

/// Bytes kept of one header field.
pub const HEADER_FIELD: usize = 10 * 1024 * 1024;

/// Bytes kept of all header fields of a message.
pub const HEADERS: usize = 50 * 1024 * 1024;

/// Addresses of one message's envelope.
pub const ADDRESSES: usize = 10_000;

/// Parameters of one field, and languages.
pub const PARAMETERS: usize = 1_000;

/// Bytes of a boundary that are compared (RFC 2046 §5.1.1 allows 70).
pub const BOUNDARY: usize = 80;
