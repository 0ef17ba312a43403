//! A user's mail, as the configuration has it.

use std::sync::Arc;

use broker::{IdentitySettings, Refused};
use config::Snapshot;
use ipc::auth_master;
use ipc::worker::Identity;
use mailbox::Error;
use storage::{MailUser, Shared, Storage};

use super::action::Action;
use super::child::Job;
use super::progress::Progress;
use super::session::Session;
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::output::Rows;
use crate::settings;

/// What the configuration says about mail and its users.
pub struct Settings {
    snapshot: Snapshot,
    /// What the command line sets (`-o`): that counts before userdb.
    forced: Vec<String>,
}

impl Settings {
    pub fn load(arguments: &Arguments) -> Result<Self, Failure> {
        let snapshot: Snapshot = settings::snapshot(arguments)?;
        let overrides = arguments.overrides.iter();
        let forced = overrides.filter_map(|setting| setting.split_once('='));
        Ok(Self {
            snapshot,
            forced: forced.map(|(name, _)| name.trim().to_owned()).collect(),
        })
    }

    /// For the one who runs doveadm.
    pub fn identity(&self) -> Result<IdentitySettings, Failure> {
        Ok(self.snapshot.settings(&settings::facts())?)
    }

    /// Who a process for this user becomes.
    pub fn identify(&self, user: &auth_master::MailUser) -> Result<Identity, Refused> {
        let mut identity = broker::identify_by(&self.snapshot, &settings::facts(), user)?;
        let forced = |name: &str| self.forced.iter().any(|forced| forced == name);
        identity.fields.retain(|(name, _)| !forced(name));
        identity.mail = identity
            .mail
            .filter(|_| !forced("mail_location") && !forced("mail"));
        Ok(identity)
    }

    fn storage(&self, identity: &Identity) -> Result<storage::Settings, config::Error> {
        let overrides = broker::overrides(&self.snapshot, identity)?;
        self.snapshot
            .settings_of_user(&settings::facts(), &overrides)
    }
}

/// What sessions share. Made while the process may still read what belongs to nobody.
pub fn shared() -> Arc<Shared> {
    Shared::new(sys::fs::Fs::real())
}

/// A session of one user, who this process has become.
pub fn session<'r>(
    settings: &Settings,
    shared: &Arc<Shared>,
    job: &Job,
    rows: &'r mut dyn Rows,
    action: &dyn Action,
) -> Result<Session<'r>, Failure> {
    let opened = storage(settings, shared, &job.identity, None);
    let user = job.identity.user.to_string();
    let opened = opened.map_err(|error| Failure::User(user.clone(), error.to_string()))?;
    let mut session = Session::new(user, opened, rows, Progress::new(job.progress));
    if action.other_user().is_some() || action.other_location().is_some() {
        let reader = job.other.as_ref().unwrap_or(&job.identity);
        session.other = Some(storage(settings, shared, reader, action.other_location()));
    }
    Ok(session)
}

fn storage(
    settings: &Settings,
    shared: &Arc<Shared>,
    identity: &Identity,
    location: Option<&str>,
) -> Result<Storage, Error> {
    let mut of_user = settings
        .storage(identity)
        .map_err(|error| Error::Config(error.to_string()))?;
    if let Some(location) = location {
        of_user.mail_location = location.to_owned();
        of_user.namespace.clear();
    }
    let user = MailUser {
        name: identity.user.to_string(),
        home: identity.home.clone(),
        variables: vec![("service".to_owned(), "doveadm".to_owned())],
    };
    Storage::open(shared, &user, &of_user)
}
