//! A passdb: a driver, and what its block says about when and how it is asked.

mod turn;

use crate::attempt::Attempt;
use crate::cache::Cache;
use crate::driver::pam::Pam;
use crate::driver::passwd::Passwd;
use crate::driver::passwd_file::{Files, PasswdFile};
use crate::driver::statics::StaticPass;
use crate::fields::FieldTemplates;
use crate::outside::Outside;
use crate::settings::{PassdbSettings, Rule, Settings, SkipPassdb};
use crate::verbose::GivenPassword;

/// One `passdb { }`.
#[derive(Debug)]
pub(crate) struct Passdb {
    driver: Driver,
    default_fields: FieldTemplates,
    override_fields: FieldTemplates,
    /// `deny = yes`: whoever is in it is kept out.
    pub(crate) deny: bool,
    mechanisms: Vec<String>,
    username_filter: Vec<String>,
    skip: SkipPassdb,
    pub(crate) on_success: Rule,
    pub(crate) on_failure: Rule,
    pub(crate) on_internal: Rule,
    verbose: bool,
    given: GivenPassword,
}

#[derive(Debug)]
enum Driver {
    PasswdFile(PasswdFile),
    Passwd(Passwd),
    Static(StaticPass),
    Pam(Pam),
}

/// What one passdb says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Mismatch,
    Unknown,
    Disabled,
    Expired,
    /// The stored password is in no scheme that we can check, or the driver cannot be asked this way.
    Unusable,
    Internal,
    /// Fields only (`noauthenticate`).
    Next,
}

impl Passdb {
    /// Reads a block.
    pub(crate) fn new(
        block: &PassdbSettings,
        settings: &Settings,
        files: &Files,
    ) -> Result<Self, String> {
        let fields = |text| FieldTemplates::parse(text).map_err(|error| error.to_string());
        let rule = match block {
            _ if block.deny => Rule::ReturnFail,
            _ if block.pass => Rule::Continue,
            _ => block.result_success,
        };
        Ok(Self {
            driver: driver(block, settings, files)?,
            default_fields: fields(&block.default_fields)?,
            override_fields: fields(&block.override_fields)?,
            deny: block.deny,
            mechanisms: block
                .mechanisms
                .iter()
                .map(|mech| mech.to_ascii_uppercase())
                .collect(),
            username_filter: block
                .username_filter
                .split_ascii_whitespace()
                .map(str::to_owned)
                .collect(),
            skip: block.skip,
            on_success: rule,
            on_failure: block.result_failure,
            on_internal: block.result_internalfail,
            verbose: block.auth_verbose.within(settings),
            given: GivenPassword::parse(&settings.auth_verbose_passwords)?,
        })
    }

    /// The driver's name, as logs say it.
    pub(crate) fn name(&self) -> &'static str {
        match self.driver {
            Driver::PasswdFile(_) => "passwd-file",
            Driver::Passwd(_) => "passwd",
            Driver::Static(_) => "static",
            Driver::Pam(_) => "pam",
        }
    }

    /// Is this passdb left out, after what earlier ones have said?
    pub(crate) fn is_skipped(&self, attempt: &Attempt<'_>, standing: Standing) -> bool {
        let skip = match self.skip {
            SkipPassdb::Never => false,
            SkipPassdb::Authenticated => standing == Standing::Authenticated,
            SkipPassdb::Unauthenticated => standing == Standing::Unauthenticated,
        };
        let wrong_mech =
            !self.mechanisms.is_empty() && !self.mechanisms.contains(&attempt.client.mech);
        skip || (wrong_mech && !attempt.client.mech.is_empty())
            || !self.matches_filter(&attempt.names.user)
    }

    /// Reads files ahead.
    pub(crate) async fn preload(&self, outside: &impl Outside) -> Result<(), String> {
        match &self.driver {
            Driver::PasswdFile(file) => file.preload(outside).await,
            _ => Ok(()),
        }
    }

    /// `username_filter = *@example.org !root`: a pattern must match, and none with `!` may.
    fn matches_filter(&self, user: &str) -> bool {
        let (refused, wanted): (Vec<_>, Vec<_>) = self
            .username_filter
            .iter()
            .map(String::as_str)
            .partition(|word| word.starts_with('!'));
        let is = |pattern: &str| wildcard(pattern, user);
        let kept_out = refused
            .iter()
            .any(|pattern| is(pattern.trim_start_matches('!')));
        !kept_out && (wanted.is_empty() || wanted.iter().any(|pattern| is(pattern)))
    }
}

/// What the passdbs so far have said together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The client is who it says.
    Authenticated,
    /// Not yet.
    #[default]
    Unauthenticated,
}

/// Is there another passdb to try?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Yes,
    No,
}

fn driver(block: &PassdbSettings, settings: &Settings, files: &Files) -> Result<Driver, String> {
    let told = |error: config::expand::Error| format!("{}: {error}", block.driver);
    match block.driver.as_str() {
        "passwd-file" => PasswdFile::new(&block.args, files).map(Driver::PasswdFile),
        "passwd" => Passwd::new(&block.args, Cache::new(settings))
            .map(Driver::Passwd)
            .map_err(told),
        "pam" => Pam::new(&block.args, Cache::new(settings)).map(Driver::Pam),
        "static" => StaticPass::new(&block.args)
            .map(Driver::Static)
            .map_err(told),
        "" => Err("driver is missing".to_owned()),
        other => Err(format!("Unknown passdb driver '{other}'")),
    }
}

/// `*` is any text, `?` any letter.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // How much of the pattern and the text was matched at the last star.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(letter) if *letter == '?' || text.get(t) == Some(letter) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|letter| *letter == '*')
}
