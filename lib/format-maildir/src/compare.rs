//! What the files say against what the index says, message by message. FORMATS.md §4.4.
//!
//! The uidlist knows UIDs, file names know flags; where a record is dirty (0x80), or somebody has asked for
//! its change, the index knows better. Keywords that have no letter are the index's alone.

use std::collections::{BTreeMap, BTreeSet};

use index::log::record::{Toggle, UidRange};
use index::{RecordRef, State, Transaction};
use mailbox::{Flags, Seq, Uid, UidSet};

use crate::ext::DIRTY;
use crate::files::Files;
use crate::name::Letters;
use crate::record::{File, Place, Record};
use crate::scan::Extent;

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct Stock {
    /// What was listed.
    pub extent: Extent,
    /// Messages from this UID on have it since then: nobody has looked at them, wherever they are.
    pub given_from: u64,
}

/// What was found out.
pub(crate) struct Compared {
    /// What to write.
    pub transaction: Transaction,
    /// Positions of records whose UID was expunged, and whose file is there: it needs another one.
    pub returned: Vec<usize>,
    /// UIDs that are gone.
    pub expunged: Vec<Uid>,
}

impl Default for Compared {
    fn default() -> Self {
        Self {
            transaction: Transaction::external(),
            returned: Vec::new(),
            expunged: Vec::new(),
        }
    }
}

struct Compare<'c> {
    files: &'c Files,
    state: &'c State,
    /// Clients' changes that nobody has done to the files yet, by UID.
    requested: BTreeSet<u32>,
    /// The letter of each keyword of the index.
    letters: Vec<Option<usize>>,
    flags: BTreeMap<(u8, u8), Vec<Uid>>,
    /// Messages that got and that lost each letter.
    changes: Vec<[Vec<Uid>; 2]>,
    first_recent: u32,
    given_from: u64,
    compared: Compared,
}

/// Compares what is known of the files.
pub(crate) fn compare(
    files: &Files,
    (state, requested): (&State, Vec<u32>),
    Stock { extent, given_from }: Stock,
) -> Compared {
    let letters = files.keywords.letters_of(state.keywords());
    let mut compare = Compare {
        files,
        state,
        requested: requested.into_iter().collect(),
        letters,
        flags: BTreeMap::new(),
        changes: vec![Default::default(); Letters::COUNT],
        first_recent: state.header().first_recent_uid(),
        given_from,
        compared: Compared::default(),
    };
    compare.run(extent);
    compare.finish()
}

/// Was it there just now, or some time ago?
fn is_seen(file: File, extent: Extent) -> bool {
    extent == Extent::All || file.place == Place::New
}

impl Compare<'_> {
    fn run(&mut self, extent: Extent) {
        let (files, state) = (self.files, self.state);
        let mut lines = files.records.iter().enumerate().peekable();
        let seqs = (1..=state.len()).filter_map(Seq::new);
        for (seq, known) in seqs.filter_map(|seq| Some((seq, state.record(seq)?))) {
            while let Some((at, line)) = lines.next_if(|(_, line)| line.uid < known.uid()) {
                self.without_record((at, line), extent);
            }
            let line = lines.next_if(|(_, line)| line.uid == known.uid());
            match (line.and_then(|(_, line)| line.file()), extent) {
                (Some(file), _) if is_seen(file, extent) => self.both(seq, known, file),
                (Some(_), _) => {}
                // Without a line nobody has this UID.
                (None, Extent::New) if line.is_some() => {}
                (None, _) => self.expunge(known.uid()),
            }
        }
        for line in lines {
            self.without_record(line, extent);
        }
    }

    fn both(&mut self, seq: Seq, known: RecordRef<'_>, file: File) {
        let knows_better = known.flags() & DIRTY != 0 || self.requested.contains(&known.uid());
        let Some(uid) = Uid::new(known.uid()).filter(|_| !knows_better) else {
            return;
        };
        let ours = known.flags() & Flags::CHANGEABLE.index_bits();
        let theirs = file.flags.index_bits();
        if ours != theirs {
            let change = (theirs & !ours, ours & !theirs);
            self.flags.entry(change).or_default().push(uid);
        }
        let mut known = 0;
        for bit in self.state.keyword_set(seq).unwrap_or_default().iter() {
            if let Some(Some(letter)) = self.letters.get(bit) {
                known |= 1 << letter;
            }
        }
        self.change_letters(uid, Letters(file.letters.0 & !known), 0);
        self.change_letters(uid, Letters(known & !file.letters.0), 1);
    }

    fn change_letters(&mut self, uid: Uid, letters: Letters, which: usize) {
        for letter in letters.iter() {
            let change = self.changes.get_mut(letter);
            if let Some(uids) = change.and_then(|change| change.get_mut(which)) {
                uids.push(uid);
            }
        }
    }

    fn without_record(&mut self, (at, line): (usize, &Record), extent: Extent) {
        match line.file() {
            Some(file) if line.uid >= self.state.header().next_uid() => self.append(line.uid, file),
            Some(file) if is_seen(file, extent) => self.compared.returned.push(at),
            // Gone, as far as we know.
            _ => {}
        }
    }

    fn append(&mut self, uid: u32, file: File) {
        let flags = file.flags.index_bits();
        self.compared.transaction.append(uid, flags);
        if let Some(uid) = Uid::new(uid) {
            self.change_letters(uid, file.letters, 0);
        }
        // Somebody has looked at it, and at those before it.
        if file.place == Place::Cur && u64::from(uid) < self.given_from {
            self.first_recent = self.first_recent.max(uid + 1);
        }
    }

    fn expunge(&mut self, uid: u32) {
        self.compared.transaction.expunge(uid, [0; 16]);
        self.compared.expunged.extend(Uid::new(uid));
    }

    fn finish(mut self) -> Compared {
        let transaction = &mut self.compared.transaction;
        for ((add, remove), uids) in self.flags {
            for (first, last) in UidSet::from_iter(uids).ranges() {
                let (first, last) = (first.get(), last.get());
                transaction.update_flags_of(UidRange { first, last }, add, remove);
            }
        }
        for (letter, uids) in self.changes.into_iter().enumerate() {
            let toggles = [Toggle::Add, Toggle::Remove].into_iter().zip(uids);
            for (toggle, uids) in toggles.filter(|(_, uids)| !uids.is_empty()) {
                if let Some(name) = self.files.keywords.name(letter) {
                    transaction.update_keyword(toggle, name.as_str(), &UidSet::from_iter(uids));
                }
            }
        }
        if self.first_recent > self.state.header().first_recent_uid() {
            transaction.set_first_recent_uid(self.first_recent);
        }
        self.compared
    }
}
