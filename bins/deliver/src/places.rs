//! Who is delivered to next? So many at a time, and no user may have more than a few of them.
//!
//! *Invariant:* a user whose disk, or worker, stands still holds up nobody else's mail.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use ipc::Username;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Most deliveries to one user at a time.
const PER_USER: usize = 4;

/// Places for deliveries.
#[derive(Debug)]
pub struct Places {
    all: Semaphore,
    per_user: usize,
    /// Users to whom something is being delivered, or waits to be.
    users: RefCell<HashMap<Username, Arc<Semaphore>>>,
}

/// One delivery's place, free again when dropped.
#[derive(Debug)]
pub struct Place<'a> {
    _common: SemaphorePermit<'a>,
    _own: OwnedSemaphorePermit,
    // Last: it looks whether anybody else is left.
    _asker: Asker<'a>,
}

/// One who has, or waits for, a user's place.
#[derive(Debug)]
struct Asker<'a> {
    places: &'a Places,
    user: Username,
    own: Arc<Semaphore>,
}

impl Places {
    /// For `most` deliveries at a time.
    pub fn new(most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            all: Semaphore::new(most),
            per_user: PER_USER.min(most.div_ceil(2)),
            users: RefCell::default(),
        }
    }

    /// Waits for a place, first among the user's own, then among all. `None`: never.
    pub async fn take(&self, user: &Username) -> Option<Place<'_>> {
        let asker = self.ask(user);
        let own = Arc::clone(&asker.own).acquire_owned().await.ok()?;
        let common = self.all.acquire().await.ok()?;
        Some(Place {
            _common: common,
            _own: own,
            _asker: asker,
        })
    }

    fn ask(&self, user: &Username) -> Asker<'_> {
        let mut users = self.users.borrow_mut();
        let own = users
            .entry(user.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(self.per_user)));
        Asker {
            places: self,
            user: user.clone(),
            own: Arc::clone(own),
        }
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        // The table's, and our own.
        if Arc::strong_count(&self.own) == 2 {
            self.places.users.borrow_mut().remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Username {
        Username::try_from(name.to_owned()).unwrap()
    }

    /// Is there a place now?
    async fn now<'a>(places: &'a Places, name: &str) -> Option<Place<'a>> {
        let user = user(name);
        tokio::select! {
            biased;
            place = places.take(&user) => place,
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn one_user_leaves_room_for_others() {
        let places = Places::new(6);
        let mut stuck = Vec::new();
        while let Some(place) = now(&places, "ann").await {
            stuck.push(place);
        }
        assert_eq!(stuck.len(), 3);
        let bob = now(&places, "bob").await.unwrap();
        drop(stuck.pop());
        assert!(now(&places, "ann").await.is_some());
        drop((stuck, bob));
        assert!(places.users.borrow().is_empty());
        assert_eq!(places.all.available_permits(), 6);
    }

    #[tokio::test]
    async fn one_place_is_enough() {
        let places = Places::new(1);
        let ann = now(&places, "ann").await.unwrap();
        assert!(now(&places, "bob").await.is_none());
        drop(ann);
        assert!(now(&places, "bob").await.is_some());
    }
}
