//! Who is here and not yet logged in: limits, and who has to go when they are reached.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use tokio::task::AbortHandle;

/// Clients that are not logged in, oldest first.
pub(crate) struct Registry {
    limit: usize,
    next: u64,
    clients: BTreeMap<u64, Entry>,
    per_address: HashMap<IpAddr, usize>,
}

struct Entry {
    address: IpAddr,
    task: Option<AbortHandle>,
}

/// One address may have this part of the limit when room is scarce.
const SHARE: usize = 10;

impl Registry {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            next: 0,
            clients: BTreeMap::new(),
            per_address: HashMap::new(),
        }
    }

    /// Notes a client; returns its number, and whom it displaces when the limit is reached: the oldest
    /// of its own address if that has more than its share, else the oldest of all.
    pub(crate) fn enter(&mut self, address: IpAddr) -> (u64, Option<AbortHandle>) {
        let displaced = if self.clients.len() >= self.limit {
            self.displace(address)
        } else {
            None
        };
        let number = self.next;
        self.next += 1;
        self.clients.insert(
            number,
            Entry {
                address,
                task: None,
            },
        );
        *self.per_address.entry(address).or_default() += 1;
        (number, displaced)
    }

    /// The task that serves a client.
    pub(crate) fn set_task(&mut self, number: u64, task: AbortHandle) {
        if let Some(entry) = self.clients.get_mut(&number) {
            entry.task = Some(task);
        }
    }

    /// The client is logged in or gone.
    pub(crate) fn leave(&mut self, number: u64) {
        let Some(entry) = self.clients.remove(&number) else {
            return;
        };
        if let Some(count) = self.per_address.get_mut(&entry.address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&entry.address);
            }
        }
    }

    fn displace(&mut self, address: IpAddr) -> Option<AbortHandle> {
        let own = self.per_address.get(&address).copied().unwrap_or(0);
        let greedy = own > self.limit / SHARE;
        let mut candidates = self.clients.iter();
        let victim = match greedy {
            true => candidates.find(|(_, entry)| entry.address == address),
            false => candidates.next(),
        };
        let number = *victim?.0;
        let task = self
            .clients
            .get_mut(&number)
            .and_then(|entry| entry.task.take());
        self.leave(number);
        task
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn the_greedy_displace_themselves() {
        let mut registry = Registry::new(20);
        let (honest, _) = registry.enter(address(1));
        for _ in 0..100 {
            registry.enter(address(2));
        }
        assert_eq!(registry.clients.len(), 20);
        assert!(registry.clients.contains_key(&honest));
    }

    #[test]
    fn the_oldest_goes_when_everybody_is_modest() {
        let mut registry = Registry::new(3);
        let numbers: Vec<u64> = (1..=4).map(|n| registry.enter(address(n)).0).collect();
        assert!(!registry.clients.contains_key(&numbers[0]));
        assert_eq!(registry.clients.len(), 3);
        numbers.iter().for_each(|n| registry.leave(*n));
        assert!(registry.clients.is_empty() && registry.per_address.is_empty());
    }
}
