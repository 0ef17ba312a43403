//! A userdb: a driver, and what its block says about when and how it is asked.

use crate::cache::Cache;
use crate::context::Context;
use crate::driver::Answer;
use crate::driver::passwd::Passwd;
use crate::driver::passwd_file::{Files, PasswdFile};
use crate::driver::statics::{Existence, StaticUser};
use crate::fields::{FieldTemplates, Fields};
use crate::outside::Outside;
use crate::settings::{Rule, Settings, SkipUserdb, UserdbSettings};

/// One `userdb { }`.
#[derive(Debug)]
pub(crate) struct Userdb {
    driver: Driver,
    default_fields: FieldTemplates,
    override_fields: FieldTemplates,
    pub(crate) skip: SkipUserdb,
    pub(crate) on_success: Rule,
    pub(crate) on_failure: Rule,
    pub(crate) on_internal: Rule,
    pub(crate) verbose: bool,
}

#[derive(Debug)]
enum Driver {
    PasswdFile(PasswdFile),
    Passwd(Passwd),
    Static(StaticUser),
    /// What the passdb returned as `userdb_*`.
    Prefetch,
}

impl Userdb {
    /// Reads a block.
    pub(crate) fn new(
        block: &UserdbSettings,
        settings: &Settings,
        files: &Files,
    ) -> Result<Self, String> {
        let fields = |text| FieldTemplates::parse(text).map_err(|error| error.to_string());
        Ok(Self {
            driver: driver(block, settings, files)?,
            default_fields: fields(&block.default_fields)?,
            override_fields: fields(&block.override_fields)?,
            skip: block.skip,
            on_success: block.result_success,
            on_failure: block.result_failure,
            on_internal: block.result_internalfail,
            verbose: block.auth_verbose.within(settings),
        })
    }

    /// The driver's name, as logs say it.
    pub(crate) fn name(&self) -> &'static str {
        match self.driver {
            Driver::PasswdFile(_) => "passwd-file",
            Driver::Passwd(_) => "passwd",
            Driver::Static(_) => "static",
            Driver::Prefetch => "prefetch",
        }
    }

    /// Must somebody else say whether the user exists?
    pub(crate) fn needs_existence(&self) -> bool {
        matches!(&self.driver, Driver::Static(fixed) if fixed.existence == Existence::InPassdb)
    }

    /// Asks. What is found is added to `known`: the defaults only where nothing is known yet.
    pub(crate) async fn ask(
        &self,
        context: &Context<'_>,
        known: &Fields,
        outside: &impl Outside,
    ) -> Answer<Fields> {
        let found = match &self.driver {
            Driver::PasswdFile(file) => file.user(context, outside).await,
            Driver::Passwd(passwd) => passwd.user(context, outside).await,
            Driver::Static(fixed) => Answer::Found(fixed.user(context)),
            Driver::Prefetch if known.is_empty() => Answer::Unknown,
            Driver::Prefetch => Answer::Found(Vec::new()),
        };
        found.map(|found| {
            let mut fields = known.clone();
            for (name, value) in self.default_fields.expand(context) {
                if !fields.has(&name) {
                    fields.set(&name, &value);
                }
            }
            for (name, value) in found {
                fields.set(&name, &value);
            }
            // Overriding values may use what was found (`home=%h/mail`).
            let values = self.override_fields.expand(&Context {
                userdb: &fields,
                ..*context
            });
            for (name, value) in values {
                fields.set(&name, &value);
            }
            fields
        })
    }

    /// All users that it can list.
    pub(crate) async fn users(&self, outside: &impl Outside) -> Result<Vec<String>, String> {
        match &self.driver {
            Driver::PasswdFile(file) => file.users(outside).await,
            Driver::Passwd(passwd) => passwd.users(outside).await,
            Driver::Static(_) | Driver::Prefetch => Ok(Vec::new()),
        }
    }

    /// Reads files ahead.
    pub(crate) async fn preload(&self, outside: &impl Outside) -> Result<(), String> {
        match &self.driver {
            Driver::PasswdFile(file) => file.preload(outside).await,
            _ => Ok(()),
        }
    }
}

fn driver(block: &UserdbSettings, settings: &Settings, files: &Files) -> Result<Driver, String> {
    let told = |error: config::expand::Error| format!("{}: {error}", block.driver);
    match block.driver.as_str() {
        "passwd-file" => PasswdFile::new(&block.args, files).map(Driver::PasswdFile),
        "passwd" => Passwd::new(&block.args, Cache::new(settings))
            .map(Driver::Passwd)
            .map_err(told),
        "static" => StaticUser::new(&block.args)
            .map(Driver::Static)
            .map_err(told),
        "prefetch" => Ok(Driver::Prefetch),
        "" => Err("driver is missing".to_owned()),
        other => Err(format!("Unknown userdb driver '{other}'")),
    }
}
