//! A user's mail, as the configuration has it.

use std::sync::Arc;

use broker::IdentitySettings;
use config::Snapshot;
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
    pub storage: storage::Settings,
    pub identity: IdentitySettings,
    /// The command line says where mail is: that counts before userdb.
    forced: bool,
}

impl Settings {
    pub fn load(arguments: &Arguments) -> Result<Self, Failure> {
        let snapshot: Snapshot = settings::snapshot(arguments)?;
        let facts = settings::facts();
        let overrides = arguments.overrides.iter();
        let mut names = overrides.filter_map(|setting| setting.split_once('='));
        Ok(Self {
            storage: snapshot.settings(&facts)?,
            identity: snapshot.settings(&facts)?,
            forced: names.any(|(name, _)| name.trim() == "mail_location" || name.trim() == "mail"),
        })
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
    let mut of_user = settings.storage.clone();
    match (location, &identity.mail) {
        (Some(location), _) => {
            of_user.mail_location = location.to_owned();
            of_user.namespace.clear();
        }
        (None, Some(mail)) if !settings.forced => of_user.mail_location.clone_from(mail),
        (None, _) => {}
    }
    let user = MailUser {
        name: identity.user.to_string(),
        home: identity.home.clone(),
        variables: vec![("service".to_owned(), "doveadm".to_owned())],
    };
    Storage::open(shared, &user, &of_user)
}
