//! What administrators see and set of a cache: its decisions. doveadm-mailbox(1), `mailbox cache`.

use super::Cache;
use super::append::{Refused, write_columns};
use super::field::{Decision, FieldId, Policy};
use super::registry::{Registered, Registry};

/// What was decided about a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Its name, as the cache has it.
    pub name: String,
    /// What is done with its values.
    pub decision: Decision,
    /// When somebody last asked for it: UNIX seconds, 0: never.
    pub last_used: u32,
}

/// What an administrator decides; `None`: that stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What is done with its values.
    pub decision: Option<Decision>,
    /// When somebody is to have asked for it: UNIX seconds.
    pub last_used: Option<u32>,
}

impl Cache {
    /// Every field that the cache knows. `None`: there is no file that belongs to an index with this
    /// `reset_id`.
    #[must_use]
    pub fn decided(&self, reset_id: u32) -> Option<Vec<Decided>> {
        self.generation_of(reset_id)?;
        let state = self.state();
        Some(state.registry.fields().iter().map(decided).collect())
    }

    /// Decides about the fields whose names are `chosen`, in the file: those that it does not have stay
    /// undecided.
    ///
    /// # Errors
    /// See [`Refused`]; then the file is as it was.
    pub fn decide(
        &self,
        reset_id: u32,
        chosen: &dyn Fn(&str) -> bool,
        wish: Wish,
    ) -> Result<(), Refused> {
        let mut turn = self.turn();
        let locked = self.lock(&mut turn)?;
        let mut state = self.state();
        let current = self.current_of(&mut state, &locked)?;
        if current.header.file_seq != reset_id {
            let file_seq = current.header.file_seq;
            return Err(Refused::Stale { file_seq });
        }
        state.registry.decide_chosen(chosen, wish);
        Ok(write_columns(&mut state.registry, &current)?)
    }
}

impl Registry {
    fn decide_chosen(&mut self, chosen: &dyn Fn(&str) -> bool, wish: Wish) {
        let count = u32::try_from(self.fields().len()).unwrap_or(u32::MAX);
        for id in (0..count).map(FieldId) {
            let Some(field) = self.get_mut(id).filter(|field| chosen(&name_of(field))) else {
                continue;
            };
            field.policy = wish.decision.map_or(field.policy, Policy::free);
            field.last_used = wish.last_used.unwrap_or(field.last_used);
        }
    }
}

fn decided(field: &Registered) -> Decided {
    Decided {
        name: name_of(field),
        decision: field.policy.decision,
        last_used: field.last_used,
    }
}

fn name_of(field: &Registered) -> String {
    String::from_utf8_lossy(&field.name).into_owned()
}
