//! Flags and keywords, and taking messages out.
//!
//! Flags go into the index with 0x80 beside them, in one transaction: the file gets them with its next
//! rewrite (`mbox_lazy_writes`), or at once.

use std::collections::BTreeMap;
use std::time::Duration;

use index::log::record::Toggle;
use index::{State, Transaction};
use mailbox::{Error, FlagChange, Flags, Keyword, Seq, Uid, UidSet};

use crate::ext::DIRTY;
use crate::mbox::{Mbox, uids_of};
use crate::settings::{Settings, Writes};
use crate::update::Extent;

/// Which of some messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Those with `\Deleted`: EXPUNGE.
    Deleted,
    /// Whatever their flags: the second half of MOVE.
    All,
}

/// One message's change.
struct Change {
    add: u8,
    remove: u8,
    keywords: Vec<(Toggle, String)>,
}

impl Mbox {
    pub(crate) fn change_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.with_index(|index| {
            let mut sync = index.begin_sync()?;
            let transaction = transaction(sync.state(), uids, change);
            sync.commit(&transaction)?;
            // Requests of others stay for who locks the file.
            Ok(())
        })?;
        match self.settings.writes {
            Writes::Lazy => Ok(()),
            Writes::Prompt => self.write_dirty(&self.settings),
        }
    }

    pub(crate) fn remove(&self, uids: &UidSet, which: Removal) -> Result<(), Error> {
        self.work(&self.settings, |work| {
            work.must_write()?;
            work.settle(Extent::All)?;
            let state = work.state();
            let deleted = |uid: &Uid| {
                let flags = state.seq(*uid).and_then(|seq| state.flags(seq));
                flags.is_some_and(|flags| flags.contains(Flags::DELETED))
            };
            let wanted = uids_of(&state, uids).into_iter().filter_map(Uid::new);
            let gone: UidSet = wanted
                .filter(|uid| which == Removal::All || deleted(uid))
                .collect();
            if gone.is_empty() {
                Ok(())
            } else {
                work.flush(&gone)
            }
        })
    }

    /// Writes what only the index has.
    pub(crate) fn write_dirty(&self, settings: &Settings) -> Result<(), Error> {
        self.work(settings, |work| match work.can_write() {
            true => work.flush(&UidSet::default()),
            false => Ok(()),
        })
    }

    /// The session is over: writes what is dirty, unless somebody else is at it.
    pub(crate) fn close(&self) {
        let is_dirty = |state: &State| {
            state.is_empty() || state.records().any(|record| record.flags() & DIRTY != 0)
        };
        let state = self.with_index(|index| Ok(index.state()?));
        if !state.is_ok_and(|state| is_dirty(&state)) {
            return;
        }
        let settings = Settings {
            lock_timeout: Duration::from_secs(2),
            ..self.settings.clone()
        };
        if let Err(error) = self.write_dirty(&settings) {
            // The index has it all.
            tracing::debug!(
                "{}: flags are not in the file yet: {error}",
                self.path().display()
            );
        }
    }

    /// Messages below `next` are `\Recent` to nobody else; tells from which UID on they were.
    pub(crate) fn claim_recent(&self, next: u32) -> Result<u32, Error> {
        self.with_index(|index| {
            let mut sync = index.begin_sync()?;
            let first = sync.state().header().first_recent_uid();
            if first < next {
                let mut transaction = Transaction::external();
                transaction.set_first_recent_uid(next);
                sync.commit(&transaction)?;
            }
            Ok(first)
        })
    }
}

fn transaction(state: &State, uids: &UidSet, change: &FlagChange) -> Transaction {
    let mut flags: BTreeMap<(u8, u8), Vec<Uid>> = BTreeMap::new();
    let mut keywords: Vec<((Toggle, String), Vec<Uid>)> = Vec::new();
    for uid in uids_of(state, uids).into_iter().filter_map(Uid::new) {
        let Some(seq) = state.seq(uid) else { continue };
        let difference = difference(state, seq, change);
        let (add, remove) = (difference.add, difference.remove);
        if add | remove == 0 && difference.keywords.is_empty() {
            continue;
        }
        flags.entry((add | DIRTY, remove)).or_default().push(uid);
        for keyword in difference.keywords {
            match keywords.iter_mut().find(|(known, _)| *known == keyword) {
                Some((_, uids)) => uids.push(uid),
                None => keywords.push((keyword, vec![uid])),
            }
        }
    }
    let mut transaction = Transaction::external();
    for ((add, remove), uids) in flags {
        transaction.update_flags(&uids.into_iter().collect(), add, remove);
    }
    for ((toggle, name), uids) in keywords {
        transaction.update_keyword(toggle, &name, &uids.into_iter().collect());
    }
    transaction
}

fn difference(state: &State, seq: Seq, change: &FlagChange) -> Change {
    let now = state.flags(seq).unwrap_or_default().index_bits();
    let set = state.keyword_set(seq).unwrap_or_default();
    let has = |keyword: &Keyword| {
        state
            .keyword(keyword.as_str())
            .is_some_and(|bit| set.contains(bit))
    };
    let adding = |keywords: &[Keyword]| -> Vec<(Toggle, String)> {
        let new = keywords.iter().filter(|keyword| !has(keyword));
        new.map(|keyword| (Toggle::Add, keyword.as_str().to_owned()))
            .collect()
    };
    match change {
        FlagChange::Add(flags, keywords) => Change {
            add: flags.index_bits() & !now,
            remove: 0,
            keywords: adding(keywords),
        },
        FlagChange::Remove(flags, keywords) => {
            let gone = keywords.iter().filter(|keyword| has(keyword));
            let keywords = gone
                .map(|keyword| (Toggle::Remove, keyword.as_str().to_owned()))
                .collect();
            Change {
                add: 0,
                remove: flags.index_bits() & now,
                keywords,
            }
        }
        FlagChange::Replace(flags, keywords) => {
            let wanted = flags.index_bits();
            let names = set.iter().filter_map(|bit| state.keywords().get(bit));
            let stays = |name: &String| {
                keywords
                    .iter()
                    .any(|kept| kept.as_str().eq_ignore_ascii_case(name))
            };
            let gone = names
                .filter(|name| !stays(name))
                .map(|name| (Toggle::Remove, name.clone()));
            let keywords = adding(keywords).into_iter().chain(gone).collect();
            Change {
                add: wanted & !now,
                remove: now & !wanted,
                keywords,
            }
        }
    }
}
