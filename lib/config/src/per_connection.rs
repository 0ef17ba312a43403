//! A service's settings per connection, made once for all connections that the same filters match.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{Facts, Snapshot};

/// How something is made of a snapshot for connections.
type Make<T, E> = Box<dyn Fn(&Snapshot, &Facts<'_>) -> Result<T, E> + Send + Sync>;

/// A snapshot, and what a service makes of it for connections.
pub struct PerConnection<T, E> {
    current: RwLock<Current<T>>,
    make: Make<T, E>,
}

struct Current<T> {
    snapshot: Arc<Snapshot>,
    made: HashMap<Vec<usize>, Arc<T>>,
}

impl<T, E> PerConnection<T, E> {
    /// Nothing is made yet. `make`: how settings are read from a snapshot.
    pub fn new(
        snapshot: Snapshot,
        make: impl Fn(&Snapshot, &Facts<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self {
        let current = Current {
            snapshot: Arc::new(snapshot),
            made: HashMap::new(),
        };
        Self {
            current: RwLock::new(current),
            make: Box::new(make),
        }
    }

    /// What counts for a connection.
    ///
    /// # Errors
    /// What `make` says.
    pub fn get(&self, facts: &Facts<'_>) -> Result<Arc<T>, E> {
        let (snapshot, matching) = {
            let current = self.read();
            let matching = current.snapshot.matching(facts);
            if let Some(made) = current.made.get(&matching) {
                return Ok(Arc::clone(made));
            }
            (Arc::clone(&current.snapshot), matching)
        };
        let made = Arc::new((self.make)(&snapshot, facts)?);
        let mut current = self.write();
        if Arc::ptr_eq(&current.snapshot, &snapshot) {
            current.made.insert(matching, Arc::clone(&made));
        }
        Ok(made)
    }

    /// Uses another snapshot from now on, if it serves `typical` connections.
    ///
    /// # Errors
    /// What `make` says of the new snapshot; the old one stays.
    pub fn replace(&self, snapshot: Snapshot, typical: &Facts<'_>) -> Result<(), E> {
        (self.make)(&snapshot, typical)?;
        *self.write() = Current {
            snapshot: Arc::new(snapshot),
            made: HashMap::new(),
        };
        Ok(())
    }

    /// The snapshot of this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.read().snapshot)
    }

    fn read(&self) -> RwLockReadGuard<'_, Current<T>> {
        // Nothing in here panics half way.
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Current<T>> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }
}
