//! What all connections of the process share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use config::{Facts, Snapshot};
use ipc::Username;

use crate::deliveries::Deliveries;
use crate::settings::Settings;
use crate::users::Users;

/// Settings and the other services.
pub struct Shared {
    snapshot: RwLock<Arc<Snapshot>>,
    /// auth.
    pub users: Users,
    /// deliver.
    pub deliveries: Deliveries,
    /// Recipients in flight that are the same user.
    in_flight: Mutex<HashMap<Username, u32>>,
}

impl Shared {
    /// For one process.
    pub fn new(snapshot: Snapshot, users: Users, deliveries: Deliveries) -> Arc<Self> {
        Arc::new(Self {
            snapshot: RwLock::new(Arc::new(snapshot)),
            users,
            deliveries,
            in_flight: Mutex::default(),
        })
    }

    /// The settings for a connection from `remote` to `local`; `None`: over a unix socket.
    ///
    /// # Errors
    /// The configuration has a value that is none for its setting.
    pub fn settings(
        &self,
        local: Option<IpAddr>,
        remote: Option<IpAddr>,
    ) -> Result<Settings, config::Error> {
        let snapshot = Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner));
        snapshot.settings(&Facts {
            local_ip: local,
            remote_ip: remote,
            ..Facts::of_protocol("lmtp")
        })
    }

    /// The configuration for connections to come, if it can be used.
    ///
    /// # Errors
    /// It cannot; nothing has changed.
    pub fn reload(&self, snapshot: Snapshot) -> Result<(), config::Error> {
        let _: Settings = snapshot.settings(&Facts::of_protocol("lmtp"))?;
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        Ok(())
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
