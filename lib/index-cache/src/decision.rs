//! How decisions about fields move with time and use (FORMATS.md §1.12; names and rules are those
//! of Dovecot 2.3, so that both servers may take turns on one file):
//!
//! - asked for the first time: no → temp.
//! - a client goes back to an older message within one session, or asks for one older than a week:
//!   it keeps no copy of its own, so temp → yes.
//! - not asked for `mail_cache_unaccessed_field_drop`: yes → temp; twice as long: gone. A purge
//!   does that.

use super::field::{Decision, FieldId, FieldType, Policy};
use super::registry::{Registered, Registry};

/// `last_used` is that exact.
const DAY: u32 = 24 * 3600;
/// So many header fields are cached; more only fill the disk.
const MAX_CACHED_HEADERS: usize = 100;

/// What decisions depend on, from the clock and the header of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// UNIX seconds.
    pub now: u32,
    /// `day_stamp` of the index: local midnight of the last day with new messages, 0: unknown.
    pub day_stamp: u32,
    /// `day_first_uid[7]` of the index: messages from this UID on are new, 0: all are.
    pub week_uid: u32,
    /// Messages in the mailbox.
    pub messages: u32,
}

impl Facts {
    /// Is the message not older than about a week?
    pub(super) fn is_new(&self, uid: u32) -> bool {
        uid >= self.week_uid
    }
}

/// What time does to a field that nobody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aged {
    Keep,
    ToTemp,
    Drop,
}

impl Registry {
    /// `drop_after` is the setting, in seconds.
    pub fn aged(&self, id: FieldId, facts: &Facts, drop_after: u32) -> Aged {
        let Some(field) = self.get(id) else {
            return Aged::Keep;
        };
        match field.aged(facts, drop_after) {
            Aged::Drop if id != FieldId::ONLY_COPY => Aged::Drop,
            Aged::Keep => Aged::Keep,
            _ if field.policy.decision == Decision::Temp => Aged::Keep,
            _ => Aged::ToTemp,
        }
    }
}

impl Registered {
    fn aged(&self, facts: &Facts, drop_after: u32) -> Aged {
        let before = |age: u32| self.last_used < facts.day_stamp.saturating_sub(age);
        if self.policy.forced || self.policy.decision == Decision::No || facts.day_stamp == 0 {
            Aged::Keep
        } else if before(drop_after.saturating_mul(2)) {
            Aged::Drop
        } else if self.policy.decision == Decision::Yes && before(drop_after) {
            Aged::ToTemp
        } else {
            Aged::Keep
        }
    }

    fn is_cached_header(&self) -> bool {
        self.kind == FieldType::Header && self.policy.decision != Decision::No
    }
}

impl Registry {
    /// Somebody asked for `id` of the message `uid`, whether or not it was cached.
    pub fn asked(&mut self, id: FieldId, uid: u32, facts: &Facts) {
        let Some(field) = self.get_mut(id) else {
            return;
        };
        let stale = facts.now.saturating_sub(field.last_used) > DAY;
        let mut touched = stale;
        match (field.policy.decision, field.policy.forced) {
            (Decision::No, true) => touched = false,
            (Decision::No, false) | (_, true) => {}
            (Decision::Yes, false) if !stale => {}
            (decision, false) if uid >= field.high_uid && facts.is_new(uid) => {
                field.high_uid = uid;
                // Whether "yes" is still right, only going back would tell.
                touched = stale && decision == Decision::Temp;
            }
            (Decision::Temp, false) => {
                field.policy = Policy::free(Decision::Yes);
                field.dirty = true;
            }
            (Decision::Yes, false) => {}
        }
        if touched {
            field.last_used = facts.now;
        }
        let changed = field.dirty || (touched && field.place.is_some());
        self.pending |= changed;
    }

    /// A value of `id` for the message `uid` is about to be cached. Says whether it may.
    pub fn adding(&mut self, id: FieldId, uid: u32, facts: &Facts) -> bool {
        let full = self
            .fields()
            .iter()
            .filter(|f| f.is_cached_header())
            .count()
            >= MAX_CACHED_HEADERS;
        let Some(field) = self.get_mut(id) else {
            return false;
        };
        if field.policy == Policy::forced(Decision::No) {
            return false;
        }
        if field.policy.decision != Decision::No && field.last_used != 0 {
            return true;
        }
        if field.policy.decision == Decision::No {
            if full && field.kind == FieldType::Header {
                return false;
            }
            field.policy = Policy::free(Decision::Temp);
        }
        field.last_used = facts.now;
        field.high_uid = uid;
        field.dirty = true;
        self.pending = true;
        true
    }

    /// Should a value of `id` be cached for the message `uid` though nobody asked for it?
    pub fn wants(&self, id: FieldId, uid: u32, facts: &Facts) -> bool {
        match self.get(id).map(|field| field.policy.decision) {
            None | Some(Decision::No) => false,
            // What the next purge would drop again is not added.
            Some(Decision::Temp) => facts.is_new(uid),
            Some(Decision::Yes) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const NOW: u32 = 1_800_000_000;
    const FACTS: Facts = Facts {
        now: NOW,
        day_stamp: NOW - 1000,
        week_uid: 10,
        messages: 100,
    };

    fn decision(registry: &Registry, id: FieldId) -> Policy {
        registry.get(id).unwrap().policy
    }

    #[test]
    fn first_use_is_temporary_and_going_back_is_for_good() {
        let mut registry = Registry::new(&Settings::default());
        let id = FieldId::DATE_SENT;
        assert!(!registry.wants(id, 20, &FACTS));
        registry.asked(id, 20, &FACTS);
        assert!(registry.adding(id, 20, &FACTS));
        assert_eq!(decision(&registry, id), Policy::free(Decision::Temp));
        assert!(registry.wants(id, 20, &FACTS) && !registry.wants(id, 9, &FACTS));
        registry.asked(id, 21, &FACTS);
        assert_eq!(decision(&registry, id), Policy::free(Decision::Temp));
        registry.asked(id, 20, &FACTS);
        assert_eq!(decision(&registry, id), Policy::free(Decision::Yes));
        assert!(registry.wants(id, 9, &FACTS));
    }

    #[test]
    fn a_message_older_than_a_week_is_for_good() {
        let mut registry = Registry::new(&Settings::default());
        registry.adding(FieldId::GUID, 5, &FACTS);
        registry.asked(FieldId::GUID, 9, &FACTS);
        assert_eq!(
            decision(&registry, FieldId::GUID),
            Policy::free(Decision::Yes)
        );
    }

    #[test]
    fn settings_force() {
        let settings = Settings {
            always_cache_fields: vec!["HDR.Subject".to_owned(), "no such field".to_owned()],
            ..Settings::default()
        };
        let mut registry = Registry::new(&settings);
        let subject = registry.find("hdr.SUBJECT").unwrap();
        assert_eq!(decision(&registry, subject), Policy::forced(Decision::Yes));
        assert!(registry.wants(subject, 1, &FACTS));
        assert!(!registry.adding(FieldId::IMAP_ENVELOPE, 20, &FACTS));
        registry.asked(FieldId::IMAP_ENVELOPE, 20, &FACTS);
        assert_eq!(registry.get(FieldId::IMAP_ENVELOPE).unwrap().last_used, 0);
        let flags = decision(&registry, FieldId::FLAGS);
        assert_eq!(flags, Policy::free(Decision::Temp));
    }

    #[test]
    fn time_takes_away() {
        let mut registry = Registry::new(&Settings::default());
        let field = registry.get_mut(FieldId::GUID).unwrap();
        field.policy = Policy::free(Decision::Yes);
        for (age, aged) in [(0, Aged::Keep), (31, Aged::ToTemp), (61, Aged::Drop)] {
            field.last_used = NOW - 1000 - age * DAY;
            assert_eq!(field.aged(&FACTS, 30 * DAY), aged);
        }
        field.policy = Policy::forced(Decision::Yes);
        assert_eq!(field.aged(&FACTS, 30 * DAY), Aged::Keep);
    }

    #[test]
    fn names_are_bounded() {
        let mut registry = Registry::new(&Settings::default());
        assert_eq!(registry.find("hdr."), None);
        assert_eq!(registry.find("hdr.a:b"), None);
        assert_eq!(registry.find(&format!("hdr.{}", "x".repeat(101))), None);
        let found: usize = (0..5000)
            .filter_map(|n| registry.find(&format!("hdr.{n}")))
            .count();
        assert_eq!(found, MAX_FIELDS_IN_TEST - KNOWN_IN_TEST);
        let ids: Vec<_> = (0..200)
            .map(|n| registry.find(&format!("hdr.{n}")).unwrap())
            .collect();
        let cached = ids
            .iter()
            .filter(|id| registry.adding(**id, 1, &FACTS))
            .count();
        assert_eq!(cached, MAX_CACHED_HEADERS);
    }

    const MAX_FIELDS_IN_TEST: usize = 4096;
    const KNOWN_IN_TEST: usize = 15;
}
