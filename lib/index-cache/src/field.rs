//! Fields of the cache: what they are called, how their values are framed, and whether they are
//! cached. FORMATS.md §1.12.

use mailbox::Lacks;

/// How the values of a field are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Always as many bytes as the field table says.
    Fixed,
    /// Preceded by its length.
    Variable,
    /// As [`FieldType::Variable`], text without a NUL.
    String,
    /// As [`FieldType::Fixed`]; several records of one message add up to the union of their bits.
    Bitmask,
    /// As [`FieldType::Variable`], see [`crate::HeaderLines`].
    Header,
}

impl FieldType {
    pub(super) fn decode(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Fixed,
            1 => Self::Variable,
            2 => Self::String,
            3 => Self::Bitmask,
            4 => Self::Header,
            _ => return None,
        })
    }

    pub(super) fn encode(self) -> u8 {
        self as u8
    }

    pub(super) fn has_fixed_size(self) -> bool {
        matches!(self, Self::Fixed | Self::Bitmask)
    }
}

/// Whether the values of a field are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Nobody ever asked for it.
    No,
    /// For the messages of the last week.
    Temp,
    /// For all messages.
    Yes,
}

/// A decision and who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What to do.
    pub decision: Decision,
    /// By a setting: use changes nothing about it.
    pub forced: bool,
}

const FORCED: u8 = 0x80;

impl Policy {
    pub(super) const NO: Self = Self::free(Decision::No);

    pub(super) const fn free(decision: Decision) -> Self {
        Self {
            decision,
            forced: false,
        }
    }

    pub(super) const fn forced(decision: Decision) -> Self {
        Self {
            decision,
            forced: true,
        }
    }

    pub(super) fn decode(byte: u8) -> Option<Self> {
        let decision = match byte & !FORCED {
            0 => Decision::No,
            1 => Decision::Temp,
            2 => Decision::Yes,
            _ => return None,
        };
        let forced = byte & FORCED != 0;
        Some(Self { decision, forced })
    }

    pub(super) fn encode(self) -> u8 {
        self.decision as u8 | if self.forced { FORCED } else { 0 }
    }
}

/// A field, as the [`crate::Cache`] that gave it knows it. Valid as long as that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub(super) u32);

/// The size of fields without a fixed one, on disk.
pub(super) const NO_SIZE: u32 = u32::MAX;

impl FieldId {
    /// When a message was saved stands nowhere else in most formats (FORMATS.md §7.16): only a
    /// setting, or Dovecot, drops it.
    pub(super) const ONLY_COPY: Self = Self::DATE_SAVE;

    /// How much of a message must be read to tell it; nothing of it where its mailbox does, or nobody.
    #[must_use]
    pub fn read_from(self) -> Lacks {
        match self {
            Self::DATE_SENT | Self::IMAP_ENVELOPE => Lacks::Header,
            Self::FLAGS
            | Self::SIZE_PHYSICAL
            | Self::IMAP_BODY
            | Self::IMAP_BODYSTRUCTURE
            | Self::MIME_PARTS => Lacks::Message,
            other if other.0 as usize >= KNOWN.len() => Lacks::Header,
            _ => Lacks::Nothing,
        }
    }
}

macro_rules! known_fields {
    ($($id:ident $name:literal $kind:ident $size:expr, $doc:literal;)*) => {
        /// Every cache knows these, under these ids.
        impl FieldId {
            known_fields!(@ids 0, $($id $doc;)*);
        }

        /// In Dovecot's order, which a new file takes over: its readers find what they expect.
        pub(super) const KNOWN: &[(&str, FieldType, u32)] =
            &[$(($name, FieldType::$kind, $size),)*];
    };
    (@ids $number:expr, $id:ident $doc:literal; $($rest:tt)*) => {
        #[doc = $doc]
        pub const $id: Self = Self($number);
        known_fields!(@ids $number + 1, $($rest)*);
    };
    (@ids $number:expr,) => {};
}

known_fields! {
    FLAGS "flags" Bitmask 4, "`flags`: [`crate::MailBits`].";
    DATE_SENT "date.sent" Fixed 8, "`date.sent`: [`crate::SentDate`].";
    DATE_RECEIVED "date.received" Fixed 4, "`date.received`: u32 UNIX seconds.";
    DATE_SAVE "date.save" Fixed 4, "`date.save`: u32 UNIX seconds.";
    SIZE_VIRTUAL "size.virtual" Fixed 8, "`size.virtual`: u64 bytes with CRLF line ends.";
    SIZE_PHYSICAL "size.physical" Fixed 8, "`size.physical`: u64 bytes as stored (uncompressed).";
    IMAP_BODY "imap.body" String NO_SIZE, "`imap.body`: what is in the parentheses of BODY.";
    IMAP_BODYSTRUCTURE "imap.bodystructure" String NO_SIZE,
        "`imap.bodystructure`: what is in the parentheses of BODYSTRUCTURE.";
    IMAP_ENVELOPE "imap.envelope" String NO_SIZE,
        "`imap.envelope`: what is in the parentheses of ENVELOPE.";
    POP3_UIDL "pop3.uidl" String NO_SIZE, "`pop3.uidl`: text.";
    POP3_ORDER "pop3.order" Fixed 4, "`pop3.order`: u32.";
    GUID "guid" String NO_SIZE, "`guid`: text, for formats whose GUIDs are not in the index.";
    MIME_PARTS "mime.parts" Variable NO_SIZE, "`mime.parts`: [`crate::parts`].";
    BINARY_PARTS "binary.parts" Variable NO_SIZE, "`binary.parts`: sizes of decoded parts.";
    BODY_SNIPPET "body.snippet" Variable NO_SIZE, "`body.snippet`: `1`, then the text.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_places_in_the_table() {
        assert_eq!(KNOWN[FieldId::MIME_PARTS.0 as usize].0, "mime.parts");
        assert_eq!(KNOWN[FieldId::BODY_SNIPPET.0 as usize].0, "body.snippet");
        assert_eq!(KNOWN.len(), 15);
    }

    #[test]
    fn policies_are_one_byte() {
        for byte in [0, 1, 2, 0x80, 0x81, 0x82] {
            assert_eq!(Policy::decode(byte).unwrap().encode(), byte);
        }
        assert_eq!(Policy::decode(3), None);
        assert_eq!(Policy::decode(0x84), None);
    }
}
