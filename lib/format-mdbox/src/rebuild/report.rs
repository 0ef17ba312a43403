//! What a rebuild did, or would do.

use std::fmt;
use std::path::PathBuf;

use mailbox::Guid;

use crate::number::{FileId, MapUid};

/// One thing that was wrong, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A message of a damaged file is written anew.
    Salvaged {
        /// The damaged file, which stays.
        file: FileId,
        /// Where in it, bytes.
        offset: u64,
    },
    /// A message that the map did not know gets a number.
    Mapped {
        /// The message.
        guid: Guid,
        /// Its number.
        map_uid: MapUid,
    },
    /// The map knows a message that is nowhere.
    Gone {
        /// Its number.
        map_uid: MapUid,
    },
    /// A mailbox's record names its message by another number.
    Relinked {
        /// Directory of the mailbox's index.
        mailbox: PathBuf,
        /// Which message.
        uid: u32,
        /// The number.
        map_uid: MapUid,
    },
    /// A mailbox's message is nowhere: its record goes.
    Lost {
        /// Directory of the mailbox's index.
        mailbox: PathBuf,
        /// Which message.
        uid: u32,
    },
    /// A message that no mailbox has comes back.
    Restored {
        /// The message.
        guid: Guid,
        /// Directory of the index of the mailbox that it was saved to, or INBOX.
        mailbox: PathBuf,
    },
    /// A count of references was wrong.
    Counted {
        /// Which message.
        map_uid: MapUid,
        /// Count before.
        had: u16,
        /// Count now.
        references: u16,
    },
    /// A file of ALT storage has the number of another file: it gets a new one.
    Renumbered {
        /// Number of both.
        file: FileId,
    },
    /// Bytes that are no message stay where they are.
    Garbage {
        /// Which file.
        file: FileId,
        /// Where they begin.
        from: u64,
        /// Where they end.
        to: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Salvaged { file, offset } => {
                write!(
                    f,
                    "m.{file}: damaged message at byte {offset} is written anew"
                )
            }
            Self::Mapped { guid, map_uid } => {
                write!(f, "message {guid} gets map uid {map_uid}")
            }
            Self::Gone { map_uid } => write!(f, "map uid {map_uid} has no message"),
            Self::Relinked {
                mailbox,
                uid,
                map_uid,
            } => {
                let mailbox = mailbox.display();
                write!(f, "{mailbox}: uid {uid} is map uid {map_uid}")
            }
            Self::Lost { mailbox, uid } => {
                write!(f, "{}: uid {uid} is lost", mailbox.display())
            }
            Self::Restored { guid, mailbox } => {
                write!(f, "{}: message {guid} comes back", mailbox.display())
            }
            Self::Counted {
                map_uid,
                had,
                references,
            } => write!(
                f,
                "map uid {map_uid}: {references} references instead of {had}"
            ),
            Self::Renumbered { file } => write!(f, "m.{file} of ALT storage gets a new number"),
            Self::Garbage { file, from, to } => {
                write!(f, "m.{file}: bytes {from} to {to} are no message")
            }
        }
    }
}
