//! The settings that `auth` reads, named as in Dovecot 2.3.

use config::{Seconds, Size};
use serde::Deserialize;

/// Settings of `auth`: a field is a setting of the same name.
#[derive(Clone, Debug, Deserialize)]
#[expect(
    missing_docs,
    reason = "the table of settings in lib/config says what each one is"
)]
pub struct Settings {
    pub auth_cache_negative_ttl: Seconds,
    pub auth_cache_size: Size,
    pub auth_cache_ttl: Seconds,
    pub auth_default_realm: String,
    pub auth_failure_delay: Seconds,
    pub auth_master_user_separator: String,
    pub auth_mechanisms: Vec<String>,
    pub auth_username_chars: String,
    pub auth_username_format: String,
    pub auth_username_translation: String,
    pub auth_verbose: bool,
    pub auth_verbose_passwords: String,
    pub auth_worker_max_count: u32,
    #[serde(default)]
    pub passdb: Vec<PassdbSettings>,
    #[serde(default)]
    pub userdb: Vec<UserdbSettings>,
}

/// One `passdb { }`.
#[derive(Clone, Debug, Deserialize)]
#[expect(
    missing_docs,
    reason = "the table of settings in lib/config says what each one is"
)]
pub struct PassdbSettings {
    pub driver: String,
    pub args: String,
    pub auth_verbose: Verbose,
    pub default_fields: String,
    pub deny: bool,
    pub master: bool,
    pub mechanisms: Vec<String>,
    pub override_fields: String,
    pub pass: bool,
    pub result_failure: Rule,
    pub result_internalfail: Rule,
    pub result_success: Rule,
    pub skip: SkipPassdb,
    pub username_filter: String,
}

/// One `userdb { }`.
#[derive(Clone, Debug, Deserialize)]
#[expect(
    missing_docs,
    reason = "the table of settings in lib/config says what each one is"
)]
pub struct UserdbSettings {
    pub driver: String,
    pub args: String,
    pub auth_verbose: Verbose,
    pub default_fields: String,
    pub override_fields: String,
    pub result_failure: Rule,
    pub result_internalfail: Rule,
    pub result_success: Rule,
    pub skip: SkipUserdb,
}

/// What an answer of one database means for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// End with success.
    ReturnOk,
    /// End with what an earlier database said.
    Return,
    /// End with failure.
    ReturnFail,
    /// Ask the next; keep what an earlier one said.
    Continue,
    /// Ask the next; success unless it says otherwise.
    ContinueOk,
    /// Ask the next; failure unless it says otherwise.
    ContinueFail,
}

/// When a passdb is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipPassdb {
    /// Always ask.
    Never,
    /// An earlier passdb has authenticated the user.
    Authenticated,
    /// No earlier passdb has.
    Unauthenticated,
}

/// When a userdb is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipUserdb {
    /// Always ask.
    Never,
    /// An earlier userdb has found the user.
    Found,
    /// No earlier userdb has.
    Notfound,
}

/// Whether one database's failures are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verbose {
    /// As the global `auth_verbose` says.
    Default,
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Verbose {
    /// Is it, where the global settings are these?
    pub(crate) fn within(self, settings: &Settings) -> bool {
        match self {
            Self::Default => settings.auth_verbose,
            Self::Yes => true,
            Self::No => false,
        }
    }
}
