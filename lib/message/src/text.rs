//! What FETCH says about a part, kept as ready text in one arena: a tenth of the memory of values, and nothing to do when it is sent.

/// A piece of the arena.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Piece {
    pub start: usize,
    pub end: usize,
}

/// The pieces of one part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Texts {
    /// Of a leaf, type to encoding: `"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"`. Of a multipart, the subtype.
    pub basic: Piece,
    /// Of a leaf, the MD5. Of a multipart, its parameters.
    pub extra: Piece,
    /// Disposition, language, location.
    pub extension: Piece,
    /// The envelope of the message whose header this is.
    pub envelope: Piece,
}

impl Piece {
    pub fn of(self, arena: &[u8]) -> &[u8] {
        arena.get(self.start..self.end).unwrap_or_default()
    }

    /// What `write` appends to the arena.
    pub fn write(arena: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let start = arena.len();
        write(arena);
        Self {
            start,
            end: arena.len(),
        }
    }
}
