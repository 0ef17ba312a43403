//! A service's settings per connection, made once for all connections that the same filters match.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::{Facts, Snapshot};

/// A snapshot, and what a service makes of it for connections.
pub struct PerConnection<T, E> {
    snapshot: RefCell<Snapshot>,
    made: RefCell<HashMap<Vec<usize>, Rc<T>>>,
    make: fn(&Snapshot, &Facts<'_>) -> Result<T, E>,
}

impl<T, E> PerConnection<T, E> {
    /// Nothing is made yet. `make`: how settings are read from a snapshot.
    pub fn new(snapshot: Snapshot, make: fn(&Snapshot, &Facts<'_>) -> Result<T, E>) -> Self {
        Self {
            snapshot: RefCell::new(snapshot),
            made: RefCell::default(),
            make,
        }
    }

    /// What counts for a connection.
    ///
    /// # Errors
    /// What `make` says.
    pub fn get(&self, facts: &Facts<'_>) -> Result<Rc<T>, E> {
        let snapshot = self.snapshot.borrow();
        let matching = snapshot.matching(facts);
        if let Some(made) = self.made.borrow().get(&matching) {
            return Ok(Rc::clone(made));
        }
        let made = Rc::new((self.make)(&snapshot, facts)?);
        self.made.borrow_mut().insert(matching, Rc::clone(&made));
        Ok(made)
    }

    /// Uses another snapshot from now on, if it serves `typical` connections.
    ///
    /// # Errors
    /// What `make` says of the new snapshot; the old one stays.
    pub fn replace(&self, snapshot: Snapshot, typical: &Facts<'_>) -> Result<(), E> {
        (self.make)(&snapshot, typical)?;
        self.snapshot.replace(snapshot);
        self.made.borrow_mut().clear();
        Ok(())
    }

    /// The snapshot of this moment.
    pub fn snapshot(&self) -> std::cell::Ref<'_, Snapshot> {
        self.snapshot.borrow()
    }
}
