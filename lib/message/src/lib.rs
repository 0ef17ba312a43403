//! MIME: headers, parts, ENVELOPE, BODYSTRUCTURE, charsets; streaming.
//!
//! Messages may be 100 MB and stored with bare LF; nothing here holds more of one than a few hundred KB (except for the
//! header fields that are asked for, see [`limits`]). No input is an error: what makes no sense is text. All answers are
//! Debian's Dovecot 2.3.19's, byte for byte.
//!
//! ```text
//! let message = message::parse(file)?;             one pass: parts, sizes, ENVELOPE and BODYSTRUCTURE
//! message.size().virtual_size                      RFC822.SIZE
//! message.write_envelope(&mut out)                 after "ENVELOPE "; ready for the wire with quoted strings, literals, NIL
//! message.write_body(&mut out), write_body_structure(&mut out)
//! message.section(&section) -> Found               where BODY[section] is (section.rs)
//! Found::open(file) -> SectionReader               Read: CRLF line ends, NUL replaced, header fields filtered
//!   .size(), .partial(offset, len)                 virtual size; BODY[]<offset.len> without sending the rest
//! CrlfReader::new(reader, span)                    any stretch of the stored message with CRLF; position() to resume
//! Envelope::read(file)                             only the header is read
//! field::Reader, words::decode, date::parse        header fields one by one, RFC 2047, RFC 5322 dates
//! search::Needle::new(text), needle.in_header(..)  SEARCH: case-insensitive substring, decoded, as a stream
//! ```

mod address;
mod content;
mod crlf;
mod envelope;
pub mod field;
mod filter;
mod lex;
pub mod limits;
mod param;
mod parser;
mod part;
mod section;
mod size;
mod structure;
mod text;
mod wire;

pub use address::{Address, parse as parse_addresses};
pub use crlf::{CrlfReader, Position};
pub use envelope::Envelope;
pub use filter::{FieldFilter, FieldNames};
pub use parser::{Parser, parse};
pub use part::{Kind, Message, Part, PartId};
pub use section::{Found, Section, SectionReader, What};
pub use size::{Counter, Size, Span};
