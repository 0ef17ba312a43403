//! What FETCH says of a message, put together of what is cached.

use message::Envelope;

use super::chain::CachedMail;
use super::field::FieldId;
use super::lines::{HeaderLines, merge_header_lines};
use super::parts::{decode_parts, plain_body, plain_body_structure};
use super::value::MailBits;

/// The header fields that ENVELOPE is made of where `imap.envelope` is never cached, which is
/// Dovecot's default.
pub const ENVELOPE_FIELDS: [&str; 10] = [
    "hdr.Date",
    "hdr.Subject",
    "hdr.From",
    "hdr.Sender",
    "hdr.Reply-To",
    "hdr.To",
    "hdr.Cc",
    "hdr.Bcc",
    "hdr.In-Reply-To",
    "hdr.Message-ID",
];

impl CachedMail {
    /// What follows `BODYSTRUCTURE `.
    #[must_use]
    pub fn body_structure(&self) -> Option<Vec<u8>> {
        let stored = self.get(FieldId::IMAP_BODYSTRUCTURE).map(<[u8]>::to_vec);
        Some(in_parentheses(
            stored.or_else(|| self.plain(plain_body_structure))?,
        ))
    }

    /// What follows `BODY `.
    #[must_use]
    pub fn body(&self) -> Option<Vec<u8>> {
        let stored = self.get(FieldId::IMAP_BODY).map(<[u8]>::to_vec);
        Some(in_parentheses(stored.or_else(|| self.plain(plain_body))?))
    }

    fn plain(&self, tell: impl Fn(&super::parts::Part) -> String) -> Option<Vec<u8>> {
        if !self.bits()?.contains(MailBits::TEXT_PLAIN_7BIT) {
            return None;
        }
        let parts = decode_parts(self.get(FieldId::MIME_PARTS)?).ok()?;
        parts.first().map(|root| tell(root).into_bytes())
    }

    /// What follows `ENVELOPE `, from `imap.envelope` or from the header fields of
    /// [`ENVELOPE_FIELDS`].
    #[must_use]
    pub fn envelope(&self, fields: &[FieldId]) -> Option<Vec<u8>> {
        if let Some(stored) = self.get(FieldId::IMAP_ENVELOPE) {
            return Some(in_parentheses(stored.to_vec()));
        }
        if fields.len() != ENVELOPE_FIELDS.len() {
            return None;
        }
        let header = self.header_fields(fields)?;
        Some(Envelope::read(header.as_slice()).ok()?.to_wire())
    }

    /// Header fields in their order, line ends LF, without an empty line; `None` if one of them is
    /// not cached.
    #[must_use]
    pub fn header_fields(&self, fields: &[FieldId]) -> Option<Vec<u8>> {
        let lines = fields
            .iter()
            .map(|id| HeaderLines::decode(self.get(*id)?).ok());
        Some(merge_header_lines(&lines.collect::<Option<Vec<_>>>()?))
    }
}

fn in_parentheses(text: Vec<u8>) -> Vec<u8> {
    [b"(".as_slice(), &text, b")"].concat()
}
