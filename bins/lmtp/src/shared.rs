//! What all connections of the process share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ipc::Username;

use crate::deliveries::Deliveries;
use crate::settings::Settings;
use crate::users::Users;

/// Settings and the other services.
pub struct Shared {
    settings: RwLock<Arc<Settings>>,
    /// auth.
    pub users: Users,
    /// deliver.
    pub deliveries: Deliveries,
    /// Recipients in flight that are the same user.
    in_flight: Mutex<HashMap<Username, u32>>,
}

impl Shared {
    /// For one process.
    pub fn new(settings: Settings, users: Users, deliveries: Deliveries) -> Arc<Self> {
        Arc::new(Self {
            settings: RwLock::new(Arc::new(settings)),
            users,
            deliveries,
            in_flight: Mutex::default(),
        })
    }

    /// The settings for a new connection.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// New settings for connections to come.
    pub fn reload(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Counts one more recipient that is `user`, unless `limit` (0: none) are in flight already.
    pub fn begin(self: &Arc<Self>, user: &Username, limit: u32) -> Option<InFlight> {
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = in_flight.entry(user.clone()).or_default();
        if limit > 0 && *count >= limit {
            return None;
        }
        *count = count.saturating_add(1);
        Some(InFlight {
            user: user.clone(),
            shared: Arc::clone(self),
        })
    }
}

/// One recipient that counts for its user until this is dropped.
pub struct InFlight {
    user: Username,
    shared: Arc<Shared>,
}

impl InFlight {
    /// Whose.
    pub fn user(&self) -> &Username {
        &self.user
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut in_flight = self
            .shared
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_flight.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                in_flight.remove(&self.user);
            }
        }
    }
}
