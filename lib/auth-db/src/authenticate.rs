//! Asks the passdbs in order, as Dovecot does, until one decides.

use crate::attempt::{Attempt, Phase};
use crate::authdb::AuthDb;
use crate::client::Client;
use crate::fields::Fields;
use crate::names::{Names, Refused};
use crate::outside::{Level, Note, Outside};
use crate::passdb::{More, Passdb, Standing, Verdict};
use crate::settings::Rule;

/// What a client claims.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// Whose password it is; may hold `login user*master user`.
    pub authcid: &'a str,
    /// As whom it wants to act, if the mechanism can say so.
    pub authzid: Option<&'a str>,
    /// The password.
    pub password: &'a [u8],
}

/// Who has proved to be whom.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// All names.
    pub names: Names,
    /// What passdbs returned.
    pub fields: Fields,
    /// What passdbs returned for userdb.
    pub userdb: Fields,
}

/// Nobody has proved anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Whom it was about, as far as known.
    pub user: String,
    /// Why.
    pub reason: Reason,
    /// Whether the answer may go out at once (`nodelay`).
    pub nodelay: bool,
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Wrong name or password; it must not be told which.
    Credentials,
    /// The master user may not log in as that user.
    LoginUser,
    /// The account must not log in now.
    Disabled,
    /// The password has expired.
    Expired,
    /// A database does not answer.
    Unavailable,
}

/// Where the attempt stands between two passdbs.
#[derive(Default)]
struct Progress {
    standing: Standing,
    seen_internal: bool,
    last: Option<Verdict>,
}

/// What to do after a passdb's answer.
enum Next {
    Ask,
    End,
}

impl AuthDb {
    /// Is the claim true?
    ///
    /// # Errors
    /// [`Rejected`]; what went wrong has been noted.
    pub async fn authenticate(
        &self,
        client: &Client,
        claim: Claim<'_>,
        outside: &impl Outside,
    ) -> Result<Accepted, Rejected> {
        let names = match self.claimed_names(&claim) {
            Ok(names) => names,
            Err(refused) => return Err(self.refuse_name(client, &claim, &refused, outside)),
        };
        let phase = if names.login_user.is_some() {
            Phase::Master
        } else {
            Phase::Own
        };
        let mut attempt = Attempt::new(client, names, claim.password, phase);
        let verdict = self.ask_passdbs(&mut attempt, outside).await;
        self.conclude(attempt, verdict, outside)
    }

    fn claimed_names(&self, claim: &Claim<'_>) -> Result<Names, Refused> {
        let names = self.rules.claim(claim.authcid, claim.authzid)?;
        if names.login_user.is_some() && self.masters.is_empty() {
            return Err(Refused::NoMasters);
        }
        Ok(names)
    }

    fn refuse_name(
        &self,
        client: &Client,
        claim: &Claim<'_>,
        refused: &Refused,
        outside: &impl Outside,
    ) -> Rejected {
        if self.verbose {
            outside.note(Note {
                level: Level::Info,
                source: if client.mech == "LOGIN" {
                    "login"
                } else {
                    "plain"
                },
                user: "?".to_owned(),
                master: false,
                text: refused.to_string(),
            });
        }
        Rejected {
            user: claim.authcid.to_owned(),
            reason: Reason::Credentials,
            nodelay: false,
        }
    }

    /// Asks all passdbs that must be asked.
    pub(crate) async fn ask_passdbs(
        &self,
        attempt: &mut Attempt<'_>,
        outside: &impl Outside,
    ) -> Verdict {
        let mut list = if attempt.phase == Phase::Master {
            &self.masters
        } else {
            &self.passdbs
        };
        let mut progress = Progress::default();
        let mut at = 0;
        while let Some(passdb) = list.get(at) {
            at += 1;
            if passdb.is_skipped(attempt, progress.standing) {
                continue;
            }
            let more = if at < list.len() { More::Yes } else { More::No };
            let before = (
                attempt.names.user.clone(),
                attempt.fields.clone(),
                attempt.userdb.clone(),
            );
            let verdict = passdb.ask(attempt, outside, more).await;
            if !matches!(verdict, Verdict::Ok | Verdict::Next) {
                // What a failing passdb said of the user does not count.
                (attempt.names.user, attempt.fields, attempt.userdb) = before;
            }
            if let Next::End = progress.take(passdb, verdict, attempt, outside) {
                break;
            }
            if attempt.phase == Phase::Master && verdict == Verdict::Ok {
                become_login_user(attempt, outside);
                (list, at) = (&self.passdbs, 0);
            }
        }
        if attempt.phase == Phase::Master && progress.standing == Standing::Authenticated {
            become_login_user(attempt, outside);
        }
        progress.verdict(attempt, outside)
    }

    fn conclude(
        &self,
        attempt: Attempt<'_>,
        verdict: Verdict,
        outside: &impl Outside,
    ) -> Result<Accepted, Rejected> {
        let nodelay = attempt.nodelay;
        let user = attempt.names.user.clone();
        let reject = |reason| {
            Err(Rejected {
                user,
                reason,
                nodelay,
            })
        };
        match verdict {
            Verdict::Ok if attempt.fields.has("nologin") => reject(Reason::Disabled),
            Verdict::Ok if is_proxied(&attempt.fields) => {
                let text = "passdb says proxy, but this service does not proxy".to_owned();
                attempt.note(outside, Level::Error, "passdb", text);
                reject(Reason::Unavailable)
            }
            Verdict::Ok => Ok(Accepted {
                names: attempt.names,
                fields: attempt.fields,
                userdb: attempt.userdb,
            }),
            Verdict::Disabled => reject(Reason::Disabled),
            Verdict::Expired => reject(Reason::Expired),
            Verdict::Internal => reject(Reason::Unavailable),
            _ if attempt.phase == Phase::LoginUser => reject(Reason::LoginUser),
            _ => reject(Reason::Credentials),
        }
    }
}

/// The master user's password was right: from now on it is about the user as whom it logs in.
fn become_login_user(attempt: &mut Attempt<'_>, outside: &impl Outside) {
    let Some(login_user) = attempt.names.login_user.take() else {
        return;
    };
    attempt.note(
        outside,
        Level::Notice,
        "passdb",
        format!("Master user logging in as {login_user}"),
    );
    let master = std::mem::replace(&mut attempt.names.user, login_user);
    attempt.names.master = Some(master);
    attempt.phase = Phase::LoginUser;
}

fn is_proxied(fields: &Fields) -> bool {
    fields.has("proxy") || (fields.has("proxy_maybe") && fields.has("host"))
}

impl Progress {
    /// What a passdb's answer means for the whole.
    fn take(
        &mut self,
        passdb: &Passdb,
        verdict: Verdict,
        attempt: &Attempt<'_>,
        outside: &impl Outside,
    ) -> Next {
        if passdb.deny {
            return self.take_denial(passdb, verdict, attempt, outside);
        }
        self.last = Some(verdict);
        let rule = match verdict {
            // These exist and must stay outside, whatever the rules say.
            Verdict::Disabled | Verdict::Expired => {
                self.standing = Standing::Unauthenticated;
                return Next::End;
            }
            Verdict::Ok => passdb.on_success,
            Verdict::Next => Rule::Continue,
            Verdict::Internal => passdb.on_internal,
            Verdict::Mismatch | Verdict::Unknown | Verdict::Unusable => passdb.on_failure,
        };
        self.seen_internal |= verdict == Verdict::Internal;
        match rule {
            Rule::ReturnOk | Rule::ContinueOk => self.standing = Standing::Authenticated,
            Rule::ReturnFail | Rule::ContinueFail => self.standing = Standing::Unauthenticated,
            Rule::Return | Rule::Continue => {}
        }
        match rule {
            Rule::ReturnOk | Rule::Return | Rule::ReturnFail => Next::End,
            Rule::Continue | Rule::ContinueOk | Rule::ContinueFail => Next::Ask,
        }
    }

    /// Only who is surely not in a deny passdb goes on.
    fn take_denial(
        &mut self,
        passdb: &Passdb,
        verdict: Verdict,
        attempt: &Attempt<'_>,
        outside: &impl Outside,
    ) -> Next {
        let verdict = match verdict {
            Verdict::Unknown => return Next::Ask,
            Verdict::Internal | Verdict::Unusable => Verdict::Internal,
            _ => {
                let text = "User found from deny passdb".to_owned();
                attempt.note(outside, Level::Info, passdb.name(), text);
                Verdict::Disabled
            }
        };
        self.standing = Standing::Unauthenticated;
        self.last = Some(verdict);
        Next::End
    }

    /// What all of them together say.
    fn verdict(self, attempt: &Attempt<'_>, outside: &impl Outside) -> Verdict {
        match self.last {
            _ if self.standing == Standing::Authenticated => Verdict::Ok,
            Some(Verdict::Next) => {
                let text =
                    "Last passdb had noauthenticate field, cannot authenticate user".to_owned();
                attempt.note(outside, Level::Error, "passdb", text);
                Verdict::Internal
            }
            Some(Verdict::Disabled) => Verdict::Disabled,
            Some(Verdict::Expired) => Verdict::Expired,
            // It may have been the one with the right password.
            _ if self.seen_internal => Verdict::Internal,
            // A passdb said yes and its rule did not let that count (`pass = yes` without anything after it).
            Some(Verdict::Ok) | None => Verdict::Unknown,
            Some(last) => last,
        }
    }
}
