//! Asks the userdbs in order who a user is.

use crate::attempt::{Attempt, Phase};
use crate::authdb::AuthDb;
use crate::authenticate::Accepted;
use crate::client::Client;
use crate::context::Context;
use crate::driver::Answer;
use crate::fields::Fields;
use crate::names::{Names, check};
use crate::outside::{Level, Note, Outside, Weight};
use crate::passdb::Verdict;
use crate::settings::{Rule, SkipUserdb};
use crate::userdb::Userdb;

/// What userdb says of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserRecord {
    /// Name after normalisation, or as a userdb corrected it.
    pub name: String,
    /// `uid`.
    pub uid: Option<u32>,
    /// `gid`.
    pub gid: Option<u32>,
    /// `home`.
    pub home: Option<String>,
    /// `chroot`.
    pub chroot: Option<String>,
    /// `mail`.
    pub mail: Option<String>,
    /// Groups of the system user that `system_groups_user` names.
    pub groups: Vec<u32>,
    /// Everything else, in order.
    pub fields: Vec<(String, String)>,
}

/// Why there is no [`UserRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUser {
    /// No userdb knows the user.
    Unknown,
    /// A userdb cannot say; it has been noted.
    Unavailable,
}

/// Whether the user has just proved to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    LoggedIn,
    NotYet,
}

impl AuthDb {
    /// Who has logged in?
    ///
    /// # Errors
    /// [`NoUser`].
    pub async fn user_of(
        &self,
        client: &Client,
        accepted: &Accepted,
        outside: &impl Outside,
    ) -> Result<UserRecord, NoUser> {
        let search = Search {
            db: self,
            client,
            names: accepted.names.clone(),
            passdb: &accepted.fields,
        };
        let mut record = search
            .run(accepted.userdb.clone(), Known::LoggedIn, outside)
            .await?;
        if let Some(master) = &accepted.names.master {
            record
                .fields
                .push(("master_user".to_owned(), master.clone()));
        }
        Ok(record)
    }

    /// Who is this user, for whom mail has come or an administrator asks?
    ///
    /// # Errors
    /// [`NoUser`].
    pub async fn user(
        &self,
        client: &Client,
        name: &str,
        outside: &impl Outside,
    ) -> Result<UserRecord, NoUser> {
        let names = self.rules.lookup(name).map_err(|refused| {
            if self.verbose {
                note(outside, Level::Info, ("userdb", "?"), refused.to_string());
            }
            NoUser::Unknown
        })?;
        let search = Search {
            db: self,
            client,
            names,
            passdb: &Fields::default(),
        };
        search.run(Fields::default(), Known::NotYet, outside).await
    }

    /// All users that the userdbs can list, sorted.
    ///
    /// # Errors
    /// A userdb cannot say; it has been noted.
    pub async fn users(&self, outside: &impl Outside) -> Result<Vec<String>, NoUser> {
        let mut users = Vec::new();
        for userdb in &self.userdbs {
            users.extend(userdb.users(outside).await.map_err(|why| {
                note(outside, Level::Error, (userdb.name(), ""), why);
                NoUser::Unavailable
            })?);
        }
        users.sort_unstable();
        users.dedup();
        Ok(users)
    }
}

/// One lookup.
struct Search<'a> {
    db: &'a AuthDb,
    client: &'a Client,
    names: Names,
    passdb: &'a Fields,
}

impl Search<'_> {
    async fn run(
        mut self,
        mut fields: Fields,
        known: Known,
        outside: &impl Outside,
    ) -> Result<UserRecord, NoUser> {
        let (mut found, mut seen_internal) = (false, false);
        for userdb in &self.db.userdbs {
            let skip = match userdb.skip {
                SkipUserdb::Never => false,
                SkipUserdb::Found => found,
                SkipUserdb::Notfound => !found,
            };
            if skip {
                continue;
            }
            let rule = match self.ask(userdb, &fields, known, outside).await {
                Answer::Found(more) => {
                    fields = more;
                    userdb.on_success
                }
                Answer::Unknown => {
                    self.unknown(userdb, outside);
                    userdb.on_failure
                }
                Answer::Failed(why) => {
                    note(
                        outside,
                        Level::Error,
                        (userdb.name(), &self.names.user),
                        why,
                    );
                    seen_internal = true;
                    userdb.on_internal
                }
            };
            found = match rule {
                Rule::ReturnOk | Rule::ContinueOk => true,
                Rule::ReturnFail | Rule::ContinueFail => false,
                Rule::Return | Rule::Continue => found,
            };
            if matches!(rule, Rule::ReturnOk | Rule::Return | Rule::ReturnFail) {
                break;
            }
        }
        match found {
            true => self.record(fields, outside).await,
            false if seen_internal => Err(NoUser::Unavailable),
            false => Err(NoUser::Unknown),
        }
    }

    async fn ask(
        &mut self,
        userdb: &Userdb,
        fields: &Fields,
        known: Known,
        outside: &impl Outside,
    ) -> Answer<Fields> {
        if known == Known::NotYet && userdb.needs_existence() {
            match self.exists(outside).await {
                Answer::Found(()) => {}
                Answer::Unknown => return Answer::Unknown,
                Answer::Failed(why) => return Answer::Failed(why),
            }
        }
        let context = Context {
            client: self.client,
            names: &self.names,
            passdb: self.passdb,
            userdb: fields,
        };
        userdb.ask(&context, fields, outside).await
    }

    /// Does a passdb know the user? It may correct the name.
    async fn exists(&mut self, outside: &impl Outside) -> Answer<()> {
        let mut attempt = Attempt::new(self.client, self.names.clone(), b"", Phase::Existence);
        match self.db.ask_passdbs(&mut attempt, outside).await {
            Verdict::Ok => {
                self.names.user = attempt.names.user;
                Answer::Found(())
            }
            Verdict::Unknown | Verdict::Mismatch | Verdict::Disabled | Verdict::Expired => {
                Answer::Unknown
            }
            Verdict::Unusable | Verdict::Internal | Verdict::Next => Answer::Failed(
                "no passdb can say whether the user exists (allow_all_users=yes?)".to_owned(),
            ),
        }
    }

    fn unknown(&self, userdb: &Userdb, outside: &impl Outside) {
        if userdb.verbose && userdb.name() != "prefetch" {
            note(
                outside,
                Level::Info,
                (userdb.name(), &self.names.user),
                "unknown user".to_owned(),
            );
        }
    }

    /// Makes numbers of names.
    async fn record(
        self,
        mut fields: Fields,
        outside: &impl Outside,
    ) -> Result<UserRecord, NoUser> {
        let name = fields.take("user").unwrap_or(self.names.user);
        let fail = |why: String| {
            note(outside, Level::Error, ("userdb", &name), why);
            NoUser::Unavailable
        };
        check(&name).map_err(|refused| fail(format!("Invalid user field: {refused}")))?;
        if fields.has("tempfail") {
            return Err(NoUser::Unavailable);
        }
        let uid = number("UID", fields.take("uid"), uid_of, outside)
            .await
            .map_err(&fail)?;
        let gid = number("GID", fields.take("gid"), sys::users::group_id, outside)
            .await
            .map_err(&fail)?;
        let groups = match (fields.take("system_groups_user"), gid) {
            (Some(user), Some(gid)) => groups(user, gid, outside).await.map_err(&fail)?,
            _ => Vec::new(),
        };
        Ok(UserRecord {
            uid,
            gid,
            groups,
            home: fields.take("home"),
            chroot: fields.take("chroot"),
            mail: fields.take("mail"),
            fields: fields.into_iter().collect(),
            name,
        })
    }
}

fn note(outside: &impl Outside, level: Level, (source, user): (&'static str, &str), text: String) {
    outside.note(Note {
        level,
        source,
        user: user.to_owned(),
        master: false,
        text,
    });
}

fn uid_of(name: &str) -> std::io::Result<Option<u32>> {
    Ok(sys::users::by_name(name)?.map(|user| user.uid))
}

async fn number(
    what: &str,
    value: Option<String>,
    by_name: fn(&str) -> std::io::Result<Option<u32>>,
    outside: &impl Outside,
) -> Result<Option<u32>, String> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if let Ok(number) = value.parse() {
        return Ok(Some(number));
    }
    let name = value.clone();
    match outside
        .off_loop(Weight::Lookup, move || by_name(&name))
        .await
    {
        Some(Ok(Some(number))) => Ok(Some(number)),
        Some(Ok(None)) | None => Err(format!("Invalid {what} value '{value}'")),
        Some(Err(error)) => Err(format!("{what} value '{value}': {error}")),
    }
}

async fn groups(user: String, gid: u32, outside: &impl Outside) -> Result<Vec<u32>, String> {
    let name = user.clone();
    match outside
        .off_loop(Weight::Lookup, move || sys::users::groups_of(&name, gid))
        .await
    {
        Some(Ok(groups)) => Ok(groups),
        Some(Err(error)) => Err(format!("getgrouplist({user}) failed: {error}")),
        None => Err(format!("getgrouplist({user}) was given up")),
    }
}
