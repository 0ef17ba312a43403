//! One passdb is asked about one attempt.

use zeroize::Zeroizing;

use super::{Driver, More, Passdb, Verdict};
use crate::attempt::{Attempt, Effects, Phase};
use crate::driver::pam::Pam;
use crate::driver::{Answer, Record};
use crate::fields::FieldTemplates;
use crate::outside::{Level, Outside, PamRefusal, PamVerdict, Weight};
use crate::password::{Cost, Stored};

/// A passdb's turn.
struct Turn<'a, 'b, O> {
    passdb: &'a Passdb,
    attempt: &'a mut Attempt<'b>,
    outside: &'a O,
    more: More,
    effects: Effects,
}

impl Passdb {
    /// Asks. Fields go into the attempt; the caller takes them back if the answer does not count.
    pub(crate) async fn ask(
        &self,
        attempt: &mut Attempt<'_>,
        outside: &impl Outside,
        more: More,
    ) -> Verdict {
        Turn {
            passdb: self,
            attempt,
            outside,
            more,
            effects: Effects::default(),
        }
        .run()
        .await
    }
}

impl<O: Outside> Turn<'_, '_, O> {
    async fn run(mut self) -> Verdict {
        let passdb = self.passdb;
        self.set_all(&passdb.default_fields);
        let verdict = match &passdb.driver {
            Driver::Pam(pam) => self.ask_pam(pam).await,
            _ => self.ask_record().await,
        };
        if !matches!(verdict, Verdict::Ok | Verdict::Next) {
            return verdict;
        }
        self.set_all(&passdb.override_fields);
        // A failure inside of the passdb (`allow_nets`) fails this passdb, not the whole: the next one may succeed.
        if self.effects.failed {
            Verdict::Unknown
        } else {
            verdict
        }
    }

    async fn ask_record(&mut self) -> Verdict {
        let record = match self.record().await {
            Answer::Found(record) => record,
            Answer::Unknown => {
                self.refused("unknown user");
                return Verdict::Unknown;
            }
            Answer::Failed(why) => {
                self.error(why);
                return Verdict::Internal;
            }
        };
        if self.passdb.deny {
            // Being in it is enough.
            return Verdict::Mismatch;
        }
        for (name, value) in &record.fields {
            self.set(name, value);
        }
        match self.attempt.phase {
            Phase::LoginUser | Phase::Existence => Verdict::Ok,
            _ if self.effects.noauthenticate => Verdict::Next,
            Phase::Own | Phase::Master => self.check(&record).await,
        }
    }

    async fn record(&self) -> Answer<Record> {
        let context = self.attempt.context();
        match &self.passdb.driver {
            Driver::PasswdFile(file) => file.password(&context, self.outside).await,
            Driver::Passwd(passwd) => {
                passwd
                    .password(&self.attempt.names.user, self.outside)
                    .await
            }
            Driver::Static(fixed) => fixed.password(&context),
            Driver::Pam(_) => Answer::Unknown,
        }
    }

    /// Compares the password.
    async fn check(&self, record: &Record) -> Verdict {
        if self.effects.nopassword && record.password.is_empty() {
            return Verdict::Ok;
        }
        if self.effects.nopassword {
            self.error("nopassword set but password is non-empty".to_owned());
        }
        if self.effects.nopassword || record.password.is_empty() {
            self.refused("Password mismatch");
            return Verdict::Mismatch;
        }
        let stored = match Stored::parse(&record.password, &record.default_scheme) {
            Ok(stored) => stored,
            Err(problem) => {
                self.error(problem.to_string());
                return Verdict::Unusable;
            }
        };
        match self.verify(stored).await {
            Ok(true) => Verdict::Ok,
            Ok(false) => {
                self.refused("Password mismatch");
                Verdict::Mismatch
            }
            Err(problem) => {
                self.error(problem);
                Verdict::Internal
            }
        }
    }

    /// Compares in place, or in a thread where that takes long.
    async fn verify(&self, stored: Stored) -> Result<bool, String> {
        let user = self.attempt.names.original.clone();
        let result = match stored.cost() {
            Cost::Cheap => stored.verify(self.attempt.password, &user),
            Cost::Slow => {
                let password = Zeroizing::new(self.attempt.password.to_vec());
                let work = move || stored.verify(&password, &user);
                let done = self.outside.off_loop(Weight::Hash, work).await;
                done.ok_or_else(|| "hashing was given up".to_owned())?
            }
        };
        result.map_err(|problem| format!("Invalid password in passdb: {problem}"))
    }

    async fn ask_pam(&mut self, pam: &Pam) -> Verdict {
        if self.passdb.deny || matches!(self.attempt.phase, Phase::LoginUser | Phase::Existence) {
            self.error("passdb doesn't support lookups, can't verify user's existence".to_owned());
            return Verdict::Unusable;
        }
        let verdict = pam
            .ask(&self.attempt.context(), self.attempt.password, self.outside)
            .await;
        match verdict {
            PamVerdict::Accepted { user } => {
                self.set("user", &user);
                Verdict::Ok
            }
            PamVerdict::Refused { reason, text } => self.pam_refused(reason, &text),
            PamVerdict::Failed(why) => {
                self.error(why);
                Verdict::Internal
            }
        }
    }

    fn pam_refused(&self, reason: PamRefusal, text: &str) -> Verdict {
        match reason {
            PamRefusal::UnknownUser => {
                self.refused("unknown user");
                Verdict::Unknown
            }
            PamRefusal::Mismatch => {
                self.refused(&format!("{text} (Password mismatch?)"));
                Verdict::Mismatch
            }
            PamRefusal::Disabled => {
                self.attempt.note(
                    self.outside,
                    Level::Info,
                    self.passdb.name(),
                    text.to_owned(),
                );
                Verdict::Disabled
            }
            PamRefusal::PasswordExpired => {
                self.attempt.note(
                    self.outside,
                    Level::Info,
                    self.passdb.name(),
                    text.to_owned(),
                );
                Verdict::Expired
            }
        }
    }

    fn set_all(&mut self, fields: &FieldTemplates) {
        for (name, value) in fields.expand(&self.attempt.context()) {
            self.set(&name, &value);
        }
    }

    /// Sets a field and says in the log what is wrong with it.
    fn set(&mut self, name: &str, value: &str) {
        let failed_before = self.effects.failed;
        if let Err(problem) = self.attempt.set_field(name, value, &mut self.effects) {
            let refused = self.effects.failed && !failed_before;
            let level = if refused { Level::Info } else { Level::Error };
            // A wrong field must not let anybody in under another name.
            self.effects.failed = true;
            self.attempt
                .note(self.outside, level, self.passdb.name(), problem);
        }
    }

    fn error(&self, text: String) {
        self.attempt
            .note(self.outside, Level::Error, self.passdb.name(), text);
    }

    /// Says in the log, if wanted, that the user is refused here.
    fn refused(&self, text: &str) {
        if self.passdb.verbose && self.attempt.phase != Phase::Existence {
            let text = self
                .passdb
                .given
                .append(text, self.attempt.password, self.more);
            self.attempt
                .note(self.outside, Level::Info, self.passdb.name(), text);
        }
    }
}
