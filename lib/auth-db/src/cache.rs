//! `auth_cache_size`: answers of NSS and PAM kept for a while, so that slow directories are asked less.
//!
//! A key names the database, the user, the service, our address and whatever else the answer was made from: nobody
//! gets an answer that was for somebody else. Passwords are kept as keyed hashes only.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::settings::Settings;

/// What one entry costs beside its key and value, bytes (estimated).
const OVERHEAD: usize = 200;

/// A bounded store: the entry that was used longest ago goes first.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    entries: HashMap<Vec<u8>, Slot<V>>,
    /// Keys by the time of their last use.
    uses: BTreeMap<u64, Vec<u8>>,
    next_use: u64,
    used: usize,
    limit: usize,
    ttl: Duration,
    negative_ttl: Duration,
}

#[derive(Debug)]
struct Slot<V> {
    value: Option<V>,
    since: Instant,
    last_use: u64,
}

impl<V: Clone> Cache<V> {
    /// `auth_cache_size = 0` keeps nothing.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            entries: HashMap::new(),
            uses: BTreeMap::new(),
            next_use: 0,
            used: 0,
            limit: settings.auth_cache_size.bytes(),
            ttl: settings.auth_cache_ttl.duration(),
            negative_ttl: settings.auth_cache_negative_ttl.duration(),
        }
    }

    /// What was learned before `now` and is fresh enough: `Some(None)` is that there is nothing.
    pub(crate) fn get(&mut self, key: &[u8], now: Instant) -> Option<Option<V>> {
        let slot = self.entries.get_mut(key)?;
        let ttl = if slot.value.is_some() {
            self.ttl
        } else {
            self.negative_ttl
        };
        if now.saturating_duration_since(slot.since) >= ttl {
            self.remove(key);
            return None;
        }
        self.uses.remove(&slot.last_use);
        slot.last_use = self.next_use;
        self.uses.insert(self.next_use, key.to_vec());
        self.next_use += 1;
        Some(slot.value.clone())
    }

    /// Remembers an answer.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Option<V>, now: Instant) {
        let size = Self::size(&key);
        if size > self.limit {
            return;
        }
        self.remove(&key);
        while self.used + size > self.limit {
            let Some((_, oldest)) = self.uses.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
            self.used -= Self::size(&oldest);
        }
        self.uses.insert(self.next_use, key.clone());
        self.entries.insert(
            key,
            Slot {
                value,
                since: now,
                last_use: self.next_use,
            },
        );
        self.next_use += 1;
        self.used += size;
    }

    /// Forgets an answer.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(slot) = self.entries.remove(key) {
            self.uses.remove(&slot.last_use);
            self.used -= Self::size(key);
        }
    }

    fn size(key: &[u8]) -> usize {
        2 * key.len() + size_of::<V>() + OVERHEAD
    }
}

/// Joins parts so that no two lists of parts give the same key.
pub(crate) fn key(parts: &[&str]) -> Vec<u8> {
    let mut key = Vec::new();
    for part in parts {
        key.extend_from_slice(&part.len().to_le_bytes());
        key.extend_from_slice(part.as_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: usize) -> Cache<u32> {
        Cache {
            entries: HashMap::new(),
            uses: BTreeMap::new(),
            next_use: 0,
            used: 0,
            limit: entries * Cache::<u32>::size(&key(&["a"])),
            ttl: Duration::from_secs(10),
            negative_ttl: Duration::from_secs(5),
        }
    }

    #[test]
    fn answers_expire() {
        let (mut cache, start) = (cache(2), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        cache.put(key(&["a"]), Some(1), start);
        cache.put(key(&["b"]), None, start);
        assert_eq!(cache.get(&key(&["a"]), after(9)), Some(Some(1)));
        assert_eq!(cache.get(&key(&["b"]), after(4)), Some(None));
        assert_eq!(cache.get(&key(&["b"]), after(5)), None);
        assert_eq!(cache.get(&key(&["a"]), after(10)), None);
        assert_eq!(
            (cache.used, cache.uses.len(), cache.entries.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn the_least_used_goes_first() {
        let (mut cache, now) = (cache(2), Instant::now());
        cache.put(key(&["a"]), Some(1), now);
        cache.put(key(&["b"]), Some(2), now);
        cache.get(&key(&["a"]), now);
        cache.put(key(&["c"]), Some(3), now);
        let has = |cache: &mut Cache<u32>, name| cache.get(&key(&[name]), now).is_some();
        assert_eq!(
            ["a", "b", "c"].map(|name| has(&mut cache, name)),
            [true, false, true]
        );
    }

    #[test]
    fn nothing_is_kept_in_no_space() {
        let mut cache = cache(0);
        cache.put(key(&["a"]), Some(1), Instant::now());
        assert_eq!(cache.get(&key(&["a"]), Instant::now()), None);
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["a"]), key(&["a", ""]));
    }
}
