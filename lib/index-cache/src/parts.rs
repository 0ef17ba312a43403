//! `mime.parts`: where the MIME parts of a message are, in preorder. FORMATS.md §1.12.
//!
//! ```text
//! u32  flags
//! u64  position of the part's header in the stored message   not for the root
//! u64  header, bytes as stored
//! u64  header, bytes with CRLF line ends
//! u64  body, bytes as stored
//! u64  body, bytes with CRLF line ends
//! u32  lines of the body                                     only text/* and message/rfc822
//! u32  number of children                                    only multipart/* and message/rfc822
//! ```

use super::codec::{Damage, Input};

/// Kind and content of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartFlags(pub u32);

impl PartFlags {
    /// multipart/*.
    pub const MULTIPART: Self = Self(0x01);
    /// multipart/digest.
    pub const DIGEST: Self = Self(0x02);
    /// message/rfc822.
    pub const MESSAGE: Self = Self(0x04);
    /// text/*.
    pub const TEXT: Self = Self(0x08);
    /// There is a NUL in it.
    pub const HAS_NULS: Self = Self(0x20);
    /// It has a MIME-Version, or is part of something that has.
    pub const IS_MIME: Self = Self(0x40);
    /// It has more parts, or deeper ones, than were looked at.
    pub const OVERFLOW: Self = Self(0x80);

    /// Is one of the bits of `other` set?
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has_lines(self) -> bool {
        self.intersects(Self::TEXT.with(Self::MESSAGE))
    }

    fn has_children(self) -> bool {
        self.intersects(Self::MULTIPART.with(Self::MESSAGE))
    }
}

/// One part. Sizes and positions in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Kind and content.
    pub flags: PartFlags,
    /// Where its header begins in the stored message; 0 for the root.
    pub position: u64,
    /// The header with its empty line, as stored.
    pub header_physical: u64,
    /// The same with CRLF line ends.
    pub header_virtual: u64,
    /// The body as stored.
    pub body_physical: u64,
    /// The same with CRLF line ends.
    pub body_virtual: u64,
    /// Line ends in the body; 0 unless text or message.
    pub lines: u32,
    /// Direct children; they and theirs follow. At most 1 for a message.
    pub children: u32,
}

/// What BODY says of a message with [`crate::MailBits::TEXT_PLAIN_7BIT`], between its parentheses.
#[must_use]
pub fn plain_body(root: &Part) -> String {
    let fixed = r#""text" "plain" ("charset" "us-ascii") NIL NIL "7bit""#;
    format!("{fixed} {} {}", root.body_virtual, root.lines)
}

/// What BODYSTRUCTURE says of it.
#[must_use]
pub fn plain_body_structure(root: &Part) -> String {
    plain_body(root) + " NIL NIL NIL NIL"
}

/// As it is written. The first part is the root.
#[must_use]
pub fn encode_parts(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        bytes.extend(part.flags.0.to_le_bytes());
        let position = (place > 0).then_some(part.position);
        let sizes = [
            part.header_physical,
            part.header_virtual,
            part.body_physical,
            part.body_virtual,
        ];
        bytes.extend(position.into_iter().chain(sizes).flat_map(u64::to_le_bytes));
        let lines = part.flags.has_lines().then_some(part.lines);
        let children = part.flags.has_children().then_some(part.children);
        bytes.extend(lines.into_iter().chain(children).flat_map(u32::to_le_bytes));
    }
    bytes
}

/// The inverse of [`encode_parts`]. Numbers of children add up, parts lie one after the other
/// within their parents, and sizes with CRLF are not smaller than those without.
pub fn decode_parts(value: &[u8]) -> Result<Vec<Part>, Damage> {
    let mut input = Input(value);
    let mut parts = Vec::new();
    let mut parents: Vec<Parent> = Vec::new();
    loop {
        let part = take_part(&mut input, parts.len()).ok_or(Damage("mime.parts: too short"))?;
        check(&part, parents.last())?;
        parts.push(part);
        parents.push(Parent::of(&part)?);
        while let Some(done) = parents.pop_if(|parent| parent.children_left == 0) {
            let Some(parent) = parents.last_mut() else {
                return match input.0 {
                    [] => Ok(parts),
                    _ => Err(Damage("mime.parts: too long")),
                };
            };
            parent.children_left -= 1;
            parent.next_position = done.end;
        }
    }
}

/// A part whose children are being read.
struct Parent {
    children_left: u32,
    next_position: u64,
    end: u64,
}

impl Parent {
    fn of(part: &Part) -> Result<Self, Damage> {
        let body = part.position.checked_add(part.header_physical);
        let end = body.and_then(|body| body.checked_add(part.body_physical));
        let (body, end) = body.zip(end).ok_or(Damage("mime.parts: size overflows"))?;
        Ok(Self {
            children_left: part.children,
            next_position: body,
            end,
        })
    }
}

fn check(part: &Part, parent: Option<&Parent>) -> Result<(), Damage> {
    if part.header_virtual < part.header_physical || part.body_virtual < part.body_physical {
        return Err(Damage("mime.parts: virtual size too small"));
    }
    if part.flags.intersects(PartFlags::MESSAGE) && part.children > 1 {
        return Err(Damage("mime.parts: message with several children"));
    }
    let Some(parent) = parent else {
        return Ok(());
    };
    let end = Parent::of(part)?.end;
    if part.position < parent.next_position || end > parent.end {
        return Err(Damage("mime.parts: part outside its parent"));
    }
    Ok(())
}

fn take_part(input: &mut Input<'_>, place: usize) -> Option<Part> {
    let flags = PartFlags(input.u32()?);
    let position = if place > 0 { input.u64()? } else { 0 };
    Some(Part {
        flags,
        position,
        header_physical: input.u64()?,
        header_virtual: input.u64()?,
        body_physical: input.u64()?,
        body_virtual: input.u64()?,
        lines: if flags.has_lines() { input.u32()? } else { 0 },
        children: if flags.has_children() {
            input.u32()?
        } else {
            0
        },
    })
}
