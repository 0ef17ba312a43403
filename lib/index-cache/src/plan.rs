//! Which fields a purge keeps.

use std::collections::HashMap;

use super::decision::Aged;
use super::field::{Decision, FieldId, FieldType, Policy};
use super::registry::{Registered, Registry};
use super::table::TableEntry;

/// Of a message: new ones are not older than about a week.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    New,
    Old,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HasFile {
    Yes,
    No,
}

/// Which fields go into the new file.
pub(super) struct Plan {
    pub entries: Vec<TableEntry>,
    places: HashMap<FieldId, Kept>,
    changes: Vec<Change>,
}

/// What becomes of a field.
struct Change {
    id: FieldId,
    before: Policy,
    after: Policy,
}

#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub place: u32,
    decision: Decision,
    pub fixed_size: Option<u32>,
    pub kind: FieldType,
}

impl Plan {
    pub fn new(registry: &Registry, has_file: HasFile, aged: impl Fn(FieldId) -> Aged) -> Self {
        let mut plan = Self {
            entries: Vec::new(),
            places: HashMap::new(),
            changes: Vec::new(),
        };
        for (number, field) in registry.fields().iter().enumerate() {
            let id = FieldId(u32::try_from(number).unwrap_or(u32::MAX));
            let policy = match aged(id) {
                Aged::Keep => field.policy,
                Aged::ToTemp => Policy::free(Decision::Temp),
                Aged::Drop => Policy::NO,
            };
            // A first file has all fields, as Dovecot makes it.
            if has_file == HasFile::Yes && !field.used {
                continue;
            }
            if has_file == HasFile::No || policy.decision != Decision::No {
                plan.add(id, field, policy);
            }
            plan.changes.push(Change {
                id,
                before: field.policy,
                after: policy,
            });
        }
        plan
    }

    /// The new file is there.
    pub fn carry_out(&self, registry: &mut Registry) {
        registry.pending = false;
        for change in &self.changes {
            let is_kept = self.places.contains_key(&change.id);
            let Some(field) = registry.get_mut(change.id) else {
                continue;
            };
            if !is_kept {
                field.used = false;
                field.last_used = 0;
            }
            // Clients have gone on asking meanwhile.
            field.dirty = field.policy != change.before;
            if !field.dirty {
                field.policy = change.after;
            }
            registry.pending |= registry.get(change.id).is_some_and(|field| field.dirty);
        }
    }

    fn add(&mut self, id: FieldId, field: &Registered, policy: Policy) {
        let kept = Kept {
            place: u32::try_from(self.entries.len()).unwrap_or(u32::MAX),
            decision: policy.decision,
            fixed_size: field.fixed_size(),
            kind: field.kind,
        };
        self.places.insert(id, kept);
        self.entries.push(TableEntry {
            name: field.name.clone(),
            kind: field.kind,
            size: field.size,
            policy,
            last_used: field.last_used,
        });
    }

    /// `None`: nobody wants it, or only of new messages.
    pub fn keeps(&self, id: FieldId, age: Age) -> Option<Kept> {
        let kept = self.places.get(&id).copied()?;
        let wanted = match kept.decision {
            Decision::No => false,
            Decision::Temp => age == Age::New || id == FieldId::ONLY_COPY,
            Decision::Yes => true,
        };
        wanted.then_some(kept)
    }
}
