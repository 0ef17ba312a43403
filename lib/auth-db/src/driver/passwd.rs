//! passwd: users of the system through NSS (files, LDAP, sssd …), as passdb and as userdb.

use std::cell::RefCell;
use std::time::Instant;

use sys::users::SystemUser;

use super::{Answer, Record};
use crate::cache::{Cache, key};
use crate::fields::FieldTemplates;
use crate::outside::{Outside, Weight};

/// Scheme of passwords in passwd(5).
const DEFAULT_SCHEME: &str = "CRYPT";

/// One passdb or userdb of this driver.
pub(crate) struct Passwd {
    /// `args` of a userdb: fields that are added.
    fields: FieldTemplates,
    cache: RefCell<Cache<SystemUser>>,
}

impl Passwd {
    /// Reads `args`: fields, and `blocking=…`, which means nothing here: lookups never block the service.
    pub(crate) fn new(args: &str, cache: Cache<SystemUser>) -> Result<Self, config::expand::Error> {
        let kept: Vec<&str> = args
            .split_ascii_whitespace()
            .filter(|word| !word.starts_with("blocking="))
            .collect();
        Ok(Self {
            fields: FieldTemplates::parse(&kept.join(" "))?,
            cache: RefCell::new(cache),
        })
    }

    /// What passdb wants. `x` and `*` are no passwords: the hash is in shadow(5), which PAM reads.
    pub(crate) async fn password(&self, user: &str, outside: &impl Outside) -> Answer<Record> {
        let found = self.find(user, outside).await;
        found.map(|user| Record {
            password: user.password,
            default_scheme: DEFAULT_SCHEME.to_owned(),
            fields: Vec::new(),
        })
    }

    /// What userdb wants.
    pub(crate) async fn user(
        &self,
        context: &crate::context::Context<'_>,
        outside: &impl Outside,
    ) -> Answer<Vec<(String, String)>> {
        let found = self.find(&context.names.user, outside).await;
        found.map(|user| {
            let mut fields = vec![
                ("system_groups_user".to_owned(), user.name),
                ("uid".to_owned(), user.uid.to_string()),
                ("gid".to_owned(), user.gid.to_string()),
                ("home".to_owned(), user.home.to_string_lossy().into_owned()),
            ];
            fields.extend(self.fields.expand(context));
            fields
        })
    }

    /// All users that NSS lists, but root.
    pub(crate) async fn users(&self, outside: &impl Outside) -> Result<Vec<String>, String> {
        match outside.off_loop(Weight::Lookup, sys::users::all).await {
            Some(Ok(users)) => Ok(users
                .into_iter()
                .filter(|user| user.uid != 0)
                .map(|user| user.name)
                .collect()),
            Some(Err(error)) => Err(format!("getpwent() failed: {error}")),
            None => Err("getpwent() was given up".to_owned()),
        }
    }

    async fn find(&self, user: &str, outside: &impl Outside) -> Answer<SystemUser> {
        let key = key(&[user]);
        if let Some(known) = self.cache.borrow_mut().get(&key, Instant::now()) {
            return known.map_or(Answer::Unknown, Answer::Found);
        }
        let name = user.to_owned();
        match outside
            .off_loop(Weight::Lookup, move || sys::users::by_name(&name))
            .await
        {
            Some(Ok(found)) => {
                self.cache
                    .borrow_mut()
                    .put(key, found.clone(), Instant::now());
                found.map_or(Answer::Unknown, Answer::Found)
            }
            Some(Err(error)) => Answer::Failed(format!("getpwnam() failed: {error}")),
            None => Answer::Failed("getpwnam() was given up".to_owned()),
        }
    }
}

impl std::fmt::Debug for Passwd {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Passwd")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
