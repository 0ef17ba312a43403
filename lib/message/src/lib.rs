//! MIME: headers, parts, ENVELOPE, BODYSTRUCTURE, charsets; streaming.
//!
//! Messages may be 100 MB and stored with bare LF; nothing here holds more of one than a few hundred KB (except for the
//! header fields that are asked for, see [`limits`]). No input is an error: what makes no sense is text. All answers are
//! Debian's Dovecot 2.3.19's, byte for byte.
//!
//! ```text
//! let message = message::parse(file)?;           one pass: parts, sizes, ENVELOPE and BODYSTRUCTURE
//! message.size().virtual_size                    RFC822.SIZE
//! message.write_envelope(&mut out)               after "ENVELOPE "; ready for the wire with quoted strings, literals, NIL
//! message.write_body(&mut out), write_body_structure(&mut out)
//! message.section(&section).open(file)?          BODY[section]: Read, CRLF line ends, NUL replaced, fields filtered
//!   .size(), .skip_to(offset)                    exact size; BODY[]<offset.len> without sending the rest
//! CrlfReader::new(file, span)?                   any stretch of the stored message with CRLF; position(), resume()
//! Envelope::read(file)?.to_wire()                only the header is read; also the values, for SORT and the like
//! field::read(file, |name| …)?                   header fields; words::decode for RFC 2047, date::parse for Date
//! search::Needle::new(text).is_in_field(value)   SEARCH HEADER, SUBJECT, FROM …
//! search::find(file, &message, Scope::Body, &[needle])?   SEARCH BODY and TEXT, several keys in one pass
//! ```

mod address;
pub mod charset;
mod content;
mod crlf;
pub mod date;
mod envelope;
pub mod field;
mod filter;
pub mod fold;
mod lex;
pub mod limits;
mod param;
mod parser;
mod part;
pub mod search;
mod section;
mod size;
mod structure;
mod text;
pub mod transfer;
mod utf7;
mod wire;
pub mod words;

pub use address::{Address, parse as parse_addresses};
pub use crlf::{CrlfReader, Position};
pub use envelope::Envelope;
pub use filter::{FieldFilter, FieldNames};
pub use parser::{Parser, parse};
pub use part::{Kind, Message, Part, PartId};
pub use section::{Found, Section, SectionReader, What};
pub use size::{Counter, Size, Span};
