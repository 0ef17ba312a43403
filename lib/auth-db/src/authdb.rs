//! All passdbs and userdbs of a configuration.

use crate::driver::passwd_file::Files;
use crate::names::Rules;
use crate::outside::Outside;
use crate::passdb::Passdb;
use crate::settings::{PassdbSettings, Settings, SkipPassdb};
use crate::userdb::Userdb;

/// Proves passwords and knows users. Lives in one thread.
#[derive(Debug)]
pub struct AuthDb {
    pub(crate) rules: Rules,
    pub(crate) passdbs: Vec<Passdb>,
    /// `master = yes`.
    pub(crate) masters: Vec<Passdb>,
    pub(crate) userdbs: Vec<Userdb>,
    pub(crate) verbose: bool,
}

impl AuthDb {
    /// Reads the settings.
    ///
    /// # Errors
    /// Everything that is wrong with them, one line each.
    pub fn new(settings: &Settings) -> Result<Self, Vec<String>> {
        let files = Files::default();
        let mut problems = Vec::new();
        let mut keep = |what: &str, at: usize, problem: String| {
            problems.push(format!("{what} {}: {problem}", at + 1))
        };
        let rules = Rules::new(settings)
            .map_err(|error| keep("auth_username_format", 0, error.to_string()))
            .ok();
        let (mut passdbs, mut masters, mut userdbs) = (Vec::new(), Vec::new(), Vec::new());
        for (at, block) in settings.passdb.iter().enumerate() {
            // Nobody is authenticated before the first passdb.
            if passdbs.is_empty() && !block.master && block.skip == SkipPassdb::Unauthenticated {
                continue;
            }
            match Passdb::new(block, settings, &files) {
                Ok(passdb) if block.master => masters.push(passdb),
                Ok(passdb) => passdbs.push(passdb),
                Err(problem) => keep("passdb", at, problem),
            }
        }
        for (at, block) in settings.userdb.iter().enumerate() {
            match Userdb::new(block, settings, &files) {
                Ok(userdb) => userdbs.push(userdb),
                Err(problem) => keep("userdb", at, problem),
            }
        }
        problems.extend(contradictions(&settings.passdb));
        match rules {
            Some(rules) if problems.is_empty() => Ok(Self {
                rules,
                passdbs,
                masters,
                userdbs,
                verbose: settings.auth_verbose,
            }),
            _ => Err(problems),
        }
    }

    /// Can anybody log in at all?
    #[must_use]
    pub fn has_passdbs(&self) -> bool {
        !self.passdbs.is_empty()
    }

    /// Reads password files ahead. The lines say which cannot be read: worth an error in the log, not an end.
    pub async fn preload(&self, outside: &impl Outside) -> Vec<String> {
        let mut problems = Vec::new();
        for passdb in self.passdbs.iter().chain(&self.masters) {
            problems.extend(passdb.preload(outside).await.err());
        }
        for userdb in &self.userdbs {
            problems.extend(userdb.preload(outside).await.err());
        }
        problems.dedup();
        problems
    }
}

/// Blocks that cannot mean anything together.
fn contradictions(passdbs: &[PassdbSettings]) -> Vec<String> {
    let own = || passdbs.iter().filter(|passdb| !passdb.master);
    let mut problems = Vec::new();
    if own().next_back().is_some_and(|last| last.pass) {
        problems.push("Last passdb can't have pass=yes".to_owned());
    }
    if passdbs.iter().any(|passdb| passdb.master && passdb.deny) {
        problems.push("Master passdb can't have deny=yes".to_owned());
    }
    if own().next().is_none() && passdbs.iter().any(|passdb| passdb.master && passdb.pass) {
        problems.push("Master passdb can't have pass=yes if there are no passdbs".to_owned());
    }
    problems
}
