//! What sdbox and mdbox share: the dbox file with its headers and metadata, bodies read as the client
//! sent them, appending, and finding messages in a damaged file. FORMATS.md §2.2, §3.3.
//!
//! Pure: [`header`], [`metadata`], [`attachment`]. With files: [`DboxFile`] reads, [`Writer`] writes,
//! [`scan`] looks for what is left of a damaged file, [`Places`] knows primary and ALT storage.
//!
//! *Invariant:* a message whose frame does not hold together is an error, never somebody else's bytes.
//! *Invariant:* nothing in here knows where mailboxes are, or a map.

pub mod attachment;
mod body;
pub mod damage;
mod file;
pub mod header;
mod join;
mod lines;
pub mod listed;
pub mod metadata;
mod places;
pub mod scan;
pub mod temp;
pub mod watch;
mod window;
mod write;

pub use attachment::{AttachmentDir, ExternalRef};
pub use body::{Body, Section};
pub use damage::Damage;
pub use file::{DboxFile, Message};
pub use header::{FileHeader, MessageHeader};
pub use lines::VirtualSize;
pub use listed::Listed;
pub use metadata::{Key, Metadata};
pub use places::{Place, Places};
pub use write::{BodyFormat, Extent, Sizes, Writer};
