//! The journal as bytes.
//!
//! ```text
//! plan:  "CulverMB" · u32 version 1 · u64 inode of the mbox · u64 old length · MD5 of what is
//!        cut off at the end in the end (at most [`TAIL`] bytes) · u32 number of splices ·
//!        each: u64 at, u64 cut, u32 length, bytes · MD5 of all before it
//! two slots behind it, one for odd and one for even steps; each:
//!        u64 step, from 1 · u64 bytes done before · u64 bytes done after · MD5 of what the places held
//!        before · u32 number of writes · each: u64 at, u32 length, bytes · MD5 of all before it
//! ```
//! All numbers little-endian. A plan or slot whose sum is wrong was never finished.

use md5::{Digest, Md5};

use super::plan::{Plan, Splice};

/// Bytes that one step writes, with their places.
pub const STEP: usize = if cfg!(test) {
    64 * 1024
} else {
    4 * 1024 * 1024
};

/// Of a slot in the file: a step, its numbers, and its sums.
pub const SLOT: u64 = STEP as u64 + 4096;

/// By so many bytes we know whether the end was cut off already.
pub const TAIL: u64 = 4096;

const MAGIC: &[u8; 8] = b"CulverMB";
const VERSION: u32 = 1;

/// The sum of some bytes.
pub type Sum = [u8; 16];

/// One step of a rewrite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// From 1.
    pub number: u64,
    /// Bytes of the pieces that were written before it.
    pub before: u64,
    /// And after it.
    pub after: u64,
    /// Of what its places held.
    pub old: Sum,
    /// What it writes, and where.
    pub writes: Vec<(u64, Vec<u8>)>,
}

impl Step {
    /// Bytes that it takes in the journal, about.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writes.iter().map(|(_, bytes)| bytes.len() + 12).sum()
    }

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size() + 128);
        for number in [self.number, self.before, self.after] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.old);
        out.extend_from_slice(&length(self.writes.len()));
        for (at, bytes) in &self.writes {
            out.extend_from_slice(&at.to_le_bytes());
            out.extend_from_slice(&length(bytes.len()));
            out.extend_from_slice(bytes);
        }
        let sum = sum(&out);
        out.extend_from_slice(&sum);
        out
    }

    /// From the beginning of `slot`; `None`: it was never finished.
    #[must_use]
    pub fn decode(slot: &[u8]) -> Option<Self> {
        let mut text = Text {
            all: slot,
            rest: slot,
        };
        let mut step = Self {
            number: text.u64()?,
            before: text.u64()?,
            after: text.u64()?,
            old: text.sum()?,
            writes: Vec::new(),
        };
        for _ in 0..text.u32()? {
            let at = text.u64()?;
            step.writes.push((at, text.bytes()?.to_vec()));
        }
        text.is_whole()
            .then_some(step)
            .filter(|step| step.number > 0)
    }
}

/// A plan, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What changes.
    pub plan: Plan,
    /// Which file.
    pub inode: u64,
    /// Of the beginning of what is cut off at the end.
    pub tail: Sum,
}

/// An order as bytes.
#[must_use]
pub fn encode_order(order: &Order) -> Vec<u8> {
    let plan = &order.plan;
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&order.inode.to_le_bytes());
    out.extend_from_slice(&plan.old_len().to_le_bytes());
    out.extend_from_slice(&order.tail);
    out.extend_from_slice(&length(plan.splices().len()));
    for splice in plan.splices() {
        out.extend_from_slice(&splice.at.to_le_bytes());
        out.extend_from_slice(&splice.cut.to_le_bytes());
        out.extend_from_slice(&length(splice.put.len()));
        out.extend_from_slice(&splice.put);
    }
    let sum = sum(&out);
    out.extend_from_slice(&sum);
    out
}

/// The order at the beginning of a journal, and its length in bytes.
#[must_use]
pub fn decode_order(journal: &[u8]) -> Option<(Order, u64)> {
    let mut text = Text {
        all: journal,
        rest: journal.strip_prefix(MAGIC)?,
    };
    if text.u32()? != VERSION {
        return None;
    }
    let inode = text.u64()?;
    let mut plan = Plan::new(text.u64()?);
    let tail = text.sum()?;
    for _ in 0..text.u32()? {
        let (at, cut) = (text.u64()?, text.u64()?);
        let put = text.bytes()?.to_vec();
        if !plan.push(Splice { at, cut, put }) {
            return None;
        }
    }
    if !text.is_whole() {
        return None;
    }
    let bytes = text.all.len() - text.rest.len();
    Some((Order { plan, inode, tail }, bytes as u64))
}

/// Of some bytes.
#[must_use]
pub fn sum(bytes: &[u8]) -> Sum {
    Md5::digest(bytes).into()
}

/// Lists and pieces here are far from 4 GiB; one that is not spoils the sum of what it is in.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

struct Text<'b> {
    all: &'b [u8],
    rest: &'b [u8],
}

impl<'b> Text<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn sum(&mut self) -> Option<Sum> {
        self.take()
    }

    fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// Does the sum that follows match all before it?
    fn is_whole(&mut self) -> bool {
        let before = self.all.len() - self.rest.len();
        let told = self.sum();
        told.is_some() && told == self.all.get(..before).map(sum)
    }
}
