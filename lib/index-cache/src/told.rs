//! What FETCH says of a message, put together of what is cached.

use message::Envelope;

use super::chain::CachedMail;
use super::extract::header_name;
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
        let stored = self.list(FieldId::IMAP_BODYSTRUCTURE);
        stored.or_else(|| self.plain(plain_body_structure))
    }

    /// What follows `BODY `.
    #[must_use]
    pub fn body(&self) -> Option<Vec<u8>> {
        let stored = self.list(FieldId::IMAP_BODY);
        stored.or_else(|| self.plain(plain_body))
    }

    /// A stored list; one that would break the answer is damaged.
    fn list(&self, id: FieldId) -> Option<Vec<u8>> {
        let stored = self.get(id).filter(|stored| is_list(stored))?;
        Some(in_parentheses(stored))
    }

    fn plain(&self, tell: impl Fn(&super::parts::Part) -> String) -> Option<Vec<u8>> {
        if !self.bits()?.contains(MailBits::TEXT_PLAIN_7BIT) {
            return None;
        }
        let parts = decode_parts(self.get(FieldId::MIME_PARTS)?).ok()?;
        let told = parts.first().map(tell)?;
        Some(in_parentheses(told.as_bytes()))
    }

    /// What follows `ENVELOPE `, from `imap.envelope` or from the header fields of
    /// [`ENVELOPE_FIELDS`].
    #[must_use]
    pub fn envelope(&self, fields: &[(FieldId, String)]) -> Option<Vec<u8>> {
        if let Some(stored) = self.list(FieldId::IMAP_ENVELOPE) {
            return Some(stored);
        }
        if fields.len() != ENVELOPE_FIELDS.len() {
            return None;
        }
        let header = self.header_fields(fields)?;
        Some(Envelope::read(header.as_slice()).ok()?.to_wire())
    }

    /// Header fields, with what the cache calls them, in their order; line ends LF, without an empty
    /// line. `None` if one of them is not cached, or damaged.
    #[must_use]
    pub fn header_fields(&self, fields: &[(FieldId, String)]) -> Option<Vec<u8>> {
        let lines = fields.iter().map(|(id, name)| {
            let lines = HeaderLines::decode(self.get(*id)?).ok()?;
            lines.are_of(header_name(name)?).then_some(lines)
        });
        Some(merge_header_lines(&lines.collect::<Option<Vec<_>>>()?))
    }

    /// The same as `BODY[HEADER.FIELDS (…)]` sends it. RFC 3501 §6.4.5.
    #[must_use]
    pub fn header_section(&self, fields: &[(FieldId, String)]) -> Option<Vec<u8>> {
        let lines = self.header_fields(fields)?;
        let mut section = Vec::with_capacity(lines.len() + 64);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            // In place of a NUL, as whenever text is sent.
            section.extend(text.iter().map(|byte| match byte {
                0 => 0x80,
                byte => *byte,
            }));
            section.extend(b"\r\n");
        }
        section.extend(b"\r\n");
        Some(section)
    }
}

fn in_parentheses(text: &[u8]) -> Vec<u8> {
    [b"(", text, b")"].concat()
}

/// May this stand between parentheses? Whatever its words say, it ends no list, string or line that is
/// not its own. RFC 3501 §9.
fn is_list(text: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let next = match first {
            b'(' => {
                depth += 1;
                Some(behind)
            }
            b')' if depth == 0 => None,
            b')' => {
                depth -= 1;
                Some(behind)
            }
            b'"' => behind_quoted(behind),
            b'{' => behind_literal(behind),
            b'\r' | b'\n' | 0 => None,
            _ => Some(behind),
        };
        match next {
            Some(next) => rest = next,
            None => return false,
        }
    }
    depth == 0 && !text.is_empty()
}

fn behind_quoted(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        match text.split_first()? {
            (b'"', behind) => return Some(behind),
            (b'\\', [b'"' | b'\\', behind @ ..]) => text = behind,
            (b'\\' | b'\r' | b'\n' | 0, _) => return None,
            (_, behind) => text = behind,
        }
    }
}

fn behind_literal(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, text) = text.split_at_checked(digits)?;
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let literal = text.strip_prefix(b"}\r\n")?;
    literal.get(length..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_an_answer_is_no_list() {
        for good in [
            r#""text" "plain" ("charset" "a\"b") NIL 7"#.as_bytes(),
            b"NIL",
            b"(\"a\")({3}\r\n)\"\n) NIL",
        ] {
            assert!(is_list(good), "{}", good.escape_ascii());
        }
        for bad in [
            b"".as_slice(),
            b")(",
            b"(",
            b"\"a",
            b"\"a\\\"",
            b"\"a\\b\"",
            b"\"a\r\n\"",
            b"a\r\n* BYE",
            b"a\0",
            b"{4}\r\nabc",
            b"{99999999999999999999}\r\n",
            b"{}\r\n",
            b"{1}\nabc",
        ] {
            assert!(!is_list(bad), "{}", bad.escape_ascii());
        }
    }
}
