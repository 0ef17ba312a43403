//! BODY and BODYSTRUCTURE of a message: RFC 3501 §7.4.2, byte for byte as Dovecot says them.

use std::io::{self, Write};

use crate::part::{Kind, Message, Part, PartId};

/// Which of the two is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Body,
    BodyStructure,
}

impl Message {
    /// Writes what follows `ENVELOPE `.
    ///
    /// # Errors
    /// Whatever `out` answers.
    pub fn write_envelope(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.root.texts.envelope.of(&self.arena))
    }

    /// Writes what follows `BODY `: no extension data.
    ///
    /// # Errors
    /// Whatever `out` answers.
    pub fn write_body(&self, out: &mut impl Write) -> io::Result<()> {
        self.write(Detail::Body, out)
    }

    /// Writes what follows `BODYSTRUCTURE `.
    ///
    /// # Errors
    /// Whatever `out` answers.
    pub fn write_body_structure(&self, out: &mut impl Write) -> io::Result<()> {
        self.write(Detail::BodyStructure, out)
    }

    /// Walks the tree; its depth is limited by the parser, so recursion is, too.
    fn write(&self, detail: Detail, out: &mut impl Write) -> io::Result<()> {
        self.write_part(PartId::ROOT, detail, out)
    }

    fn write_part(&self, id: PartId, detail: Detail, out: &mut impl Write) -> io::Result<()> {
        match self.part(id).kind {
            Kind::Multipart => self.write_multipart(id, detail, out),
            _ => self.write_leaf(id, detail, out),
        }
    }

    fn write_multipart(&self, id: PartId, detail: Detail, out: &mut impl Write) -> io::Result<()> {
        let part = self.part(id);
        out.write_all(b"(")?;
        let mut empty = true;
        for child in self.children(id) {
            self.write_part(child, detail, out)?;
            empty = false;
        }
        if empty {
            // A multipart without parts is not allowed on the wire.
            out.write_all(b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0")?;
            if detail == Detail::BodyStructure {
                out.write_all(b" NIL NIL NIL NIL")?;
            }
            out.write_all(b")")?;
        }
        out.write_all(b" ")?;
        out.write_all(part.texts.basic.of(&self.arena))?;
        if detail == Detail::BodyStructure {
            out.write_all(b" ")?;
            out.write_all(part.texts.extra.of(&self.arena))?;
            self.write_extension(part, out)?;
        }
        out.write_all(b")")
    }

    fn write_leaf(&self, id: PartId, detail: Detail, out: &mut impl Write) -> io::Result<()> {
        let part = self.part(id);
        out.write_all(b"(")?;
        out.write_all(part.texts.basic.of(&self.arena))?;
        write!(out, " {}", part.body.size.virtual_size)?;
        if let (Kind::Message, Some(child)) = (part.kind, self.children(id).next()) {
            out.write_all(b" ")?;
            out.write_all(self.part(child).texts.envelope.of(&self.arena))?;
            out.write_all(b" ")?;
            self.write_part(child, detail, out)?;
        }
        if matches!(part.kind, Kind::Text | Kind::Message) {
            write!(out, " {}", part.body.size.lines)?;
        }
        if detail == Detail::BodyStructure {
            out.write_all(b" ")?;
            out.write_all(part.texts.extra.of(&self.arena))?;
            self.write_extension(part, out)?;
        }
        out.write_all(b")")
    }

    fn write_extension(&self, part: &Part, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b" ")?;
        out.write_all(part.texts.extension.of(&self.arena))
    }
}
