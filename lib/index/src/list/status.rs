//! Numbers of a mailbox beside its name, and the marks that tell whether they are still true.

use std::path::Path;

use mailbox::{Mark, ModSeq, Stamp, Status, Uid, UidValidity};
use sys::fs::{Fs, FsResult, Stat};

use super::{HMODSEQ, LIST, MSGS, Node};
use crate::bytes::{low32, u32_at, u64_at};
use crate::state::{ExtSpec, State};
use crate::transaction::Transaction;

/// Name of the mark that every format with an index has.
pub const INDEX_SYNC: &str = "index sync";

/// Bytes of a mark.
const MARK: u16 = 8;

/// How a mailbox with its index in `dir` looks, by the log alone; `None`: there is none.
///
/// # Errors
/// The failed call.
pub fn stamp(fs: &Fs, dir: Option<&Path>) -> FsResult<Option<Stamp>> {
    let stat = match dir {
        Some(dir) => fs.stat_opt(&dir.join("dovecot.index.log"))?,
        None => None,
    };
    let mark = |stat: Stat| Mark {
        name: INDEX_SYNC,
        numbers: [low_bits(stat.size), seconds(&stat)],
    };
    Ok(stat.map(|stat| Stamp {
        marks: vec![mark(stat)],
    }))
}

/// Time of the last change, as marks have it.
#[must_use]
pub fn seconds(stat: &Stat) -> u32 {
    low_bits(stat.mtime.sec.cast_unsigned())
}

/// What is kept of large numbers.
#[must_use]
pub fn low_bits(number: u64) -> u32 {
    low32(
        (number & u64::from(u32::MAX))
            .try_into()
            .unwrap_or(usize::MAX),
    )
}

impl State {
    /// What a list index says about a node's mailbox; it may be old. `None`: not all of it is known.
    #[must_use]
    pub fn listed_status(&self, node: &Node) -> Option<Status> {
        let seq = self.seq(Uid::new(node.uid)?)?;
        let numbers = self.ext_record(seq, MSGS.name)?;
        let modseq = u64_at(self.ext_record(seq, HMODSEQ.name)?, 0)?;
        Some(Status {
            messages: u32_at(numbers, 0)?,
            unseen: u32_at(numbers, 4)?,
            recent: u32_at(numbers, 8)?,
            uid_next: Uid::new(u32_at(numbers, 12)?)?,
            uid_validity: UidValidity::new(node.uid_validity)?,
            highest_modseq: Some(ModSeq::new(modseq)?),
        })
    }

    /// Did a node's mailbox look like this when its numbers were noted?
    #[must_use]
    pub fn has_mark(&self, node: &Node, mark: &Mark) -> bool {
        let seq = Uid::new(node.uid).and_then(|uid| self.seq(uid));
        let bytes = seq.and_then(|seq| self.ext_record(seq, mark.name));
        bytes == Some(&encode(mark.numbers)) && mark.numbers != [0, 0]
    }
}

impl Transaction {
    /// Notes a node of a tree whose flags and place are what the index has.
    pub fn note_node(&mut self, node: &Node) {
        self.extension(&LIST).set_record(node.uid, &node.encode());
    }

    /// Notes the numbers of a node's mailbox, in a list index.
    pub fn note_status(&mut self, uid: u32, status: &Status) {
        let numbers = [
            status.messages,
            status.unseen,
            status.recent,
            status.uid_next.get(),
        ];
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        self.extension(&MSGS).set_record(uid, &bytes);
        let modseq = status.highest_modseq.map_or(0, ModSeq::get);
        self.extension(&HMODSEQ)
            .set_record(uid, &modseq.to_le_bytes());
    }

    /// Notes how it looked then.
    pub fn note_mark(&mut self, uid: u32, mark: &Mark) {
        let spec = ExtSpec {
            name: mark.name,
            header_size: 0,
            record_size: MARK,
            record_align: 4,
        };
        self.extension(&spec).set_record(uid, &encode(mark.numbers));
    }
}

fn encode(numbers: [u32; 2]) -> [u8; 8] {
    let (first, second) = (u64::from(numbers[0]), u64::from(numbers[1]));
    (first | second << 32).to_le_bytes()
}
