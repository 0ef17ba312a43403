//! What a manager of sessions reads of the configuration.

use std::sync::Arc;

use config::{Error, Facts, Overrides, PerConnection, Snapshot};
use ipc::auth_master::MailUser;
use serde::Deserialize;

use crate::identity::IdentitySettings;
use crate::overrides::of_user;

/// What counts for one session.
#[derive(Debug)]
pub(super) struct Settings {
    pub identity: IdentitySettings,
    pub mail_max_userip_connections: u32,
}

#[derive(Debug, Deserialize)]
struct UserIpLimit {
    mail_max_userip_connections: u32,
}

impl Settings {
    /// Whoever the user is.
    pub fn read(snapshot: &Snapshot, facts: &Facts<'_>) -> Result<Self, Error> {
        Self::with(snapshot, facts, &Overrides::default())
    }

    /// For this user. All that userdb says is checked here, so that a worker finds nothing wrong in it.
    pub fn of_user(
        settings: &PerConnection<Self, Error>,
        facts: &Facts<'_>,
        user: &MailUser,
    ) -> Result<Arc<Self>, Error> {
        if user.fields.is_empty() {
            return settings.get(facts);
        }
        let snapshot = settings.snapshot();
        let overrides = of_user(&snapshot, user)?;
        if overrides.is_plugin_only() {
            return settings.get(facts);
        }
        Self::with(&snapshot, facts, &overrides).map(Arc::new)
    }

    fn with(snapshot: &Snapshot, facts: &Facts<'_>, overrides: &Overrides) -> Result<Self, Error> {
        let limit: UserIpLimit = snapshot.settings_of_user(facts, overrides)?;
        Ok(Self {
            identity: snapshot.settings_of_user(facts, overrides)?,
            mail_max_userip_connections: limit.mail_max_userip_connections,
        })
    }
}
