//! What a client knows of its mailbox, small and in bytes, and what has become of it since.
//!
//! A session that is parked keeps no view. Its picture has each mail's UID and flags, as runs of mails that are alike: a
//! mailbox in which everything is read is one run. Whoever brings the session back opens the mailbox anew and compares,
//! so that it does not matter what the format keeps of changes.

use std::collections::HashMap;

use mailbox::{Change, FlagState, Flags, Keyword, KeywordSet, Mailbox, Seq, Uid, UidSet};
use serde::{Deserialize, Serialize};

/// `\Recent` among the bits of flags.
const RECENT: u8 = 0x20;

/// A frozen view, as the client was told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    uid_validity: u32,
    keywords: Vec<String>,
    /// Flags that mails have: the bits, and numbers of `keywords`.
    states: Vec<(u8, Vec<u32>)>,
    /// Ascending.
    runs: Vec<Run>,
}

/// Mails next to each other, alike, with consecutive UIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    /// UIDs between this run and the last UID before it.
    gap: u32,
    mails: u32,
    /// Number of its flags in `states`.
    state: u32,
}

/// How a mailbox differs from a picture of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Since {
    /// As [`Mailbox::sync`] tells them.
    pub changes: Vec<Change>,
    /// Mails that are `\Recent` for the session whatever the new view says.
    pub recent: UidSet,
}

/// It is another mailbox, or one whose UIDs mean other mails.
#[derive(Debug, PartialEq, Eq)]
pub struct Another;

impl Picture {
    /// Of a view as it is.
    pub fn of(view: &dyn Mailbox) -> Self {
        let mut picture = Self {
            uid_validity: view.status().uid_validity.get(),
            keywords: view
                .keywords()
                .iter()
                .map(|keyword| keyword.as_str().to_owned())
                .collect(),
            states: Vec::new(),
            runs: Vec::new(),
        };
        let mut known = HashMap::new();
        let mut last = 0;
        for (uid, state) in mails(view) {
            let state = match known.get(&state) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(picture.states.len()).unwrap_or(u32::MAX);
                    picture.states.push(plain(&state));
                    known.insert(state, number);
                    number
                }
            };
            picture.add(uid.get() - last - 1, state);
            last = uid.get();
        }
        picture
    }

    fn add(&mut self, gap: u32, state: u32) {
        match self.runs.last_mut() {
            Some(run) if gap == 0 && run.state == state => run.mails += 1,
            _ => self.runs.push(Run {
                gap,
                mails: 1,
                state,
            }),
        }
    }

    /// What has become of it: what a view that had lived on would tell at its next sync, with expunges.
    ///
    /// # Errors
    /// [`Another`]
    pub fn compare(&self, view: &dyn Mailbox) -> Result<Since, Another> {
        if view.status().uid_validity.get() != self.uid_validity {
            return Err(Another);
        }
        let numbers = self.numbers(view.keywords());
        let (mut expunges, mut flags) = (Vec::new(), Vec::new());
        let mut recent = Vec::new();
        // How many of the mails in the picture are still there, so far.
        let mut here = 0_u32;
        for (uid, state) in self.mails() {
            let state = state.ok_or(Another)?;
            let Some(seq) = view.seq(uid) else {
                let seq = Seq::new(here + 1).ok_or(Another)?;
                expunges.push(Change::Expunged { seq, uid });
                continue;
            };
            here += 1;
            // A mail that was not there before stands in between.
            if seq.get() != here {
                return Err(Another);
            }
            if state.0 & RECENT != 0 {
                recent.push(uid);
            }
            if !is_alike(state, &numbers, &view.flags(seq).unwrap_or_default()) {
                flags.push(Change::Flags { seq });
            }
        }
        let grown = (view.len() > here).then(|| Change::Grown {
            messages: view.len(),
            recent: view.status().recent,
        });
        Ok(Since {
            changes: expunges.into_iter().chain(flags).chain(grown).collect(),
            recent: recent.into_iter().collect(),
        })
    }

    /// Does the client know all these keywords? How many of them it was told of, then; else none: it is told again.
    pub fn knows_all(&self, keywords: &[Keyword]) -> usize {
        let knows = |keyword: &Keyword| {
            self.keywords
                .iter()
                .any(|name| keyword.as_str().eq_ignore_ascii_case(name))
        };
        match keywords.iter().all(knows) {
            true => keywords.len(),
            false => 0,
        }
    }

    /// Each mail with its flags; `None` for flags that are not there: no picture of ours.
    fn mails(&self) -> impl Iterator<Item = (Uid, Option<&(u8, Vec<u32>)>)> {
        let mut last = 0_u32;
        self.runs.iter().flat_map(move |run| {
            let first = last.saturating_add(run.gap).saturating_add(1);
            last = first.saturating_add(run.mails.saturating_sub(1));
            let state = usize::try_from(run.state)
                .ok()
                .and_then(|number| self.states.get(number));
            (first..=last).filter_map(move |uid| Some((Uid::new(uid)?, state)))
        })
    }

    /// Where each keyword of the picture stands in a view.
    fn numbers(&self, keywords: &[Keyword]) -> Vec<Option<usize>> {
        let number = |name: &String| {
            keywords
                .iter()
                .position(|keyword| keyword.as_str().eq_ignore_ascii_case(name))
        };
        self.keywords.iter().map(number).collect()
    }
}

fn mails(view: &dyn Mailbox) -> impl Iterator<Item = (Uid, FlagState)> {
    (1..=view.len())
        .filter_map(Seq::new)
        .filter_map(|seq| Some((view.uid(seq)?, view.flags(seq).unwrap_or_default())))
}

fn plain(state: &FlagState) -> (u8, Vec<u32>) {
    let recent = if state.flags.contains(Flags::RECENT) {
        RECENT
    } else {
        0
    };
    let keywords = state
        .keywords
        .iter()
        .filter_map(|number| u32::try_from(number).ok());
    (state.flags.index_bits() | recent, keywords.collect())
}

/// But for `\Recent`, which nobody changes.
fn is_alike((bits, keywords): &(u8, Vec<u32>), numbers: &[Option<usize>], now: &FlagState) -> bool {
    let mut before = KeywordSet::default();
    for number in keywords {
        let here = usize::try_from(*number)
            .ok()
            .and_then(|number| numbers.get(number).copied().flatten());
        match here {
            Some(number) => before.insert(number),
            // A keyword that is gone altogether.
            None => return false,
        }
    }
    Flags::from_index_bits(*bits) == now.flags.without(Flags::RECENT) && before == now.keywords
}

#[cfg(test)]
mod tests;
