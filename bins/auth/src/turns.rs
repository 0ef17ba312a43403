//! Who is next? Askers take turns, so that one who asks for a thousand things delays another by one of them.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

/// Who wants something: an address; of IPv6 the /64, in which everybody may have as many addresses as he likes.
/// `None`: no client, as with lookups for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asker(Option<IpAddr>);

impl Asker {
    /// The asker behind a client's address.
    pub fn new(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 64).into(),
            address => address,
        }))
    }
}

/// What waits, by asker.
#[derive(Debug)]
pub struct Turns<T> {
    waiting: HashMap<Asker, VecDeque<T>>,
    /// Each asker that waits, once.
    order: VecDeque<Asker>,
    len: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> Turns<T> {
    /// Adds one thing.
    pub fn push(&mut self, asker: Asker, thing: T) {
        let queue = self.waiting.entry(asker).or_default();
        if queue.is_empty() {
            self.order.push_back(asker);
        }
        queue.push_back(thing);
        self.len += 1;
    }

    /// Takes the first thing of the asker whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let asker = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&asker)?;
        let thing = queue.pop_front()?;
        if queue.is_empty() {
            self.waiting.remove(&asker);
        } else {
            self.order.push_back(asker);
        }
        self.len -= 1;
        Some(thing)
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(address: &str) -> Asker {
        Asker::new(Some(address.parse().unwrap()))
    }

    #[test]
    fn askers_take_turns() {
        let mut turns = Turns::default();
        for n in 0..1000 {
            turns.push(asker("192.0.2.1"), n);
        }
        turns.push(asker("192.0.2.2"), 5000);
        turns.push(Asker::new(None), 6000);
        turns.push(asker("192.0.2.2"), 5001);
        let first: Vec<i32> = (0..6).filter_map(|_| turns.pop()).collect();
        assert_eq!(first, [0, 5000, 6000, 1, 5001, 2]);
        assert_eq!(turns.len(), 997);
        while turns.pop().is_some() {}
        assert!(turns.waiting.is_empty() && turns.order.is_empty() && turns.len() == 0);
    }

    #[test]
    fn a_network_is_one_asker() {
        assert_eq!(asker("2001:db8::1"), asker("2001:db8::ffff:1"));
        assert_ne!(asker("2001:db8::1"), asker("2001:db8:0:1::1"));
        assert_eq!(asker("::ffff:192.0.2.1"), asker("192.0.2.1"));
    }
}
