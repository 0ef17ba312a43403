//! What changes in a file, and the order in which its parts can move without running over each other.

use std::ops::Range;

/// Some bytes take the place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Where, in the old file.
    pub at: u64,
    /// Bytes that go.
    pub cut: u64,
    /// Bytes that come.
    pub put: Vec<u8>,
}

/// Splices of one file, ascending, none inside another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    old_len: u64,
    splices: Vec<Splice>,
}

/// Where the bytes of a piece of the new file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The old file, at this offset.
    Old(u64),
    /// A splice, by its number.
    Put(usize),
}

/// A piece of the new file that is not where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it goes.
    pub to: u64,
    /// Bytes.
    pub len: u64,
    /// From where.
    pub origin: Origin,
    /// A piece that moves up is copied from its end, in case it overlaps its old place.
    pub from_end: bool,
}

impl Plan {
    /// Nothing changes in a file of `old_len` bytes.
    #[must_use]
    pub fn new(old_len: u64) -> Self {
        Self {
            old_len,
            splices: Vec::new(),
        }
    }

    /// Adds a splice behind the others; `false`: it does not fit there, and the plan is as it was.
    #[must_use]
    pub fn push(&mut self, splice: Splice) -> bool {
        let behind = self.splices.last().map_or(0, |last| last.at + last.cut);
        let fits = splice.at >= behind
            && splice
                .at
                .checked_add(splice.cut)
                .is_some_and(|end| end <= self.old_len);
        if fits && (splice.cut > 0 || !splice.put.is_empty()) {
            self.splices.push(splice);
        }
        fits
    }

    /// Of the old file, bytes.
    #[must_use]
    pub fn old_len(&self) -> u64 {
        self.old_len
    }

    /// Of the new file, bytes.
    #[must_use]
    pub fn new_len(&self) -> u64 {
        self.splices.iter().fold(self.old_len, |len, splice| {
            (len + splice.put.len() as u64).saturating_sub(splice.cut)
        })
    }

    /// All splices.
    #[must_use]
    pub fn splices(&self) -> &[Splice] {
        &self.splices
    }

    /// Does nothing change?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// What has to be written, in an order in which nothing is overwritten before it was read. `old_len`
    /// may be more than planned for: what somebody appended since moves with the end.
    #[must_use]
    pub fn pieces(&self, old_len: u64) -> Vec<Piece> {
        let mut ordered = Vec::new();
        let mut upward: Vec<Piece> = Vec::new();
        // A new piece between two old ones moves with the one behind it if that one moves up: its place
        // may hold what that one consists of.
        for (piece, direction) in self.directed(old_len) {
            match direction {
                Direction::Up => upward.push(piece),
                Direction::Down => {
                    ordered.extend(upward.drain(..).rev());
                    ordered.push(piece);
                }
                Direction::Stay => ordered.extend(upward.drain(..).rev()),
            }
        }
        ordered.extend(upward.drain(..).rev());
        ordered
    }

    fn directed(&self, old_len: u64) -> Vec<(Piece, Direction)> {
        let mut directed: Vec<(Piece, Direction)> = Vec::new();
        let mut new: Vec<Piece> = Vec::new();
        let mut to = 0;
        let mut behind = 0;
        let ends = self.splices.iter().enumerate();
        let ends = ends.map(|(number, splice)| (splice.at, Some((number, splice))));
        for (end, splice) in ends.chain([(old_len.max(self.end()), None)]) {
            let len = end.saturating_sub(behind);
            if len > 0 {
                let direction = Direction::of(behind, to);
                let before = if direction == Direction::Up {
                    direction
                } else {
                    Direction::Down
                };
                directed.extend(new.drain(..).map(|piece| (piece, before)));
                let from_end = direction == Direction::Up;
                directed.push((
                    Piece {
                        to,
                        len,
                        origin: Origin::Old(behind),
                        from_end,
                    },
                    direction,
                ));
                to += len;
            }
            let Some((number, splice)) = splice else {
                break;
            };
            let len = splice.put.len() as u64;
            if len > 0 {
                new.push(Piece {
                    to,
                    len,
                    origin: Origin::Put(number),
                    from_end: false,
                });
                to += len;
            }
            behind = splice.at + splice.cut;
        }
        directed.extend(new.into_iter().map(|piece| (piece, Direction::Down)));
        directed
    }

    fn end(&self) -> u64 {
        self.splices.last().map_or(0, |last| last.at + last.cut)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
    Stay,
}

impl Direction {
    fn of(old: u64, new: u64) -> Self {
        match new.cmp(&old) {
            std::cmp::Ordering::Less => Self::Down,
            std::cmp::Ordering::Equal => Self::Stay,
            std::cmp::Ordering::Greater => Self::Up,
        }
    }
}

impl Piece {
    /// The bytes of the piece that are written when `done` of them were: at most `most`.
    #[must_use]
    pub fn part(&self, done: u64, most: u64) -> Range<u64> {
        let left = self.len.saturating_sub(done);
        let count = left.min(most);
        if self.from_end {
            left - count..left
        } else {
            done..done + count
        }
    }
}
