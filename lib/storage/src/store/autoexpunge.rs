//! `mailbox { autoexpunge }` and `autoexpunge_max_mails`: what is old, or too much, goes at the end of a session
//! or delivery. As in Dovecot, the time is that of saving, the oldest message is the first one, one process of
//! a user does it at a time, and `\Recent` stays with the messages that stay.

use std::path::PathBuf;
use std::time::Duration;

use mailbox::{Access, Error, MailStore, Mailbox, MailboxName, Seq, Uid, UidSet};

use super::Storage;
use crate::lock::LockFile;
use crate::namespace::Namespace;
use crate::settings::MailboxSettings;
use crate::uidvalidity;

/// Dovecot's, so that not even one of each does it.
const LOCK: &str = "dovecot.autoexpunge.lock";

/// Of one `mailbox { }`.
#[derive(Clone, Copy)]
struct Limits {
    /// What was saved then or earlier goes, UNIX time.
    saved: Option<i64>,
    /// The first ones beyond so many go.
    most: Option<u32>,
}

impl Storage {
    /// Removes what is to be removed, and tells how many messages that were. What fails is logged: nobody
    /// waits for it.
    pub fn autoexpunge(&mut self) -> u64 {
        let mut expunged = 0;
        if let Err(error) = self.expunge_all(&mut expunged) {
            tracing::error!("autoexpunge: {error}");
        }
        expunged
    }

    fn expunge_all(&mut self, expunged: &mut u64) -> Result<(), Error> {
        let namespaces = self.namespaces.clone();
        let originals = namespaces.all.iter().filter(|one| one.alias_for.is_none());
        let mut lock = None;
        for namespace in originals {
            for setting in &namespace.known {
                let Some(limits) = Limits::of(setting) else {
                    continue;
                };
                for name in self.names_of(namespace, setting)? {
                    match self.expunge_in(&name, limits, &mut lock) {
                        Ok(count) => *expunged += count,
                        // It was deleted meanwhile.
                        Err(Error::NotFound { .. }) => {}
                        // Somebody else is at it.
                        Err(Error::Locked { .. }) if lock.is_none() => return Ok(()),
                        Err(error) => tracing::error!("autoexpunge: Mailbox {name}: {error}"),
                    }
                }
            }
        }
        Ok(())
    }

    /// Those that there are; none is made.
    fn names_of(
        &mut self,
        namespace: &Namespace,
        setting: &MailboxSettings,
    ) -> Result<Vec<MailboxName>, Error> {
        if !setting.is_pattern() {
            let is_inbox = setting.name.eq_ignore_ascii_case(MailboxName::INBOX);
            let name = match is_inbox && namespace.list.has_inbox {
                true => MailboxName::INBOX.to_owned(),
                false => format!("{}{}", namespace.prefix, setting.name),
            };
            let name = MailboxName::new(&name).map_err(|why| Error::InvalidName { why })?;
            let is_there = self.is_there(&name)?;
            return Ok(is_there.then_some(name).into_iter().collect());
        }
        let all = self.list(&[format!("{}*", namespace.prefix)])?.into_iter();
        let selectable = all.filter(|entry| entry.selectable && entry.exists);
        let fits = |name: &MailboxName| {
            let below = name.as_str().strip_prefix(namespace.prefix.as_str());
            let below = below.unwrap_or(name.as_str());
            config::wildcard_matches(setting.name.as_bytes(), below.as_bytes())
        };
        let names = selectable.map(|entry| entry.name);
        Ok(names.filter(fits).collect())
    }

    fn expunge_in(
        &mut self,
        name: &MailboxName,
        limits: Limits,
        lock: &mut Option<LockFile>,
    ) -> Result<u64, Error> {
        let messages = self.status(name)?.messages;
        let too_many = limits.most.is_some_and(|most| messages > most);
        if messages == 0 || (limits.saved.is_none() && !too_many) {
            return Ok(0);
        }
        let mut view = self.open(name, Access::Upkeep)?;
        let gone = limits.beyond(&mut *view)?;
        if gone.is_empty() {
            return Ok(0);
        }
        if lock.is_none() {
            let path = self.autoexpunge_lock()?;
            *lock = Some(LockFile::acquire(&self.fs, path, Duration::ZERO)?);
        }
        view.remove(&gone.iter().copied().collect::<UidSet>())?;
        Ok(gone.len() as u64)
    }

    fn autoexpunge_lock(&self) -> Result<PathBuf, Error> {
        let mut all = self.namespaces.all.iter();
        let inbox = all.find(|namespace| namespace.list.has_inbox);
        let volatile = inbox.and_then(|inbox| inbox.list.location.volatile.clone());
        let dir = volatile.or_else(|| self.home.clone());
        let dir =
            dir.ok_or_else(|| Error::Config("the user has no home for the lock".to_owned()))?;
        Ok(dir.join(LOCK))
    }
}

impl Limits {
    /// `None`: nothing ever goes.
    fn of(setting: &MailboxSettings) -> Option<Self> {
        let age = setting.autoexpunge.0;
        let limits = Self {
            saved: (age > 0).then(|| i64::from(uidvalidity::now()).saturating_sub_unsigned(age)),
            most: (setting.autoexpunge_max_mails > 0).then_some(setting.autoexpunge_max_mails),
        };
        (limits.saved.is_some() || limits.most.is_some()).then_some(limits)
    }

    /// What is beyond them: from the first message on, up to one that may stay.
    fn beyond(self, view: &mut dyn Mailbox) -> Result<Vec<Uid>, Error> {
        let too_many = self.most.map_or(0, |most| view.len().saturating_sub(most));
        let mut gone = Vec::new();
        for seq in (1..=view.len()).filter_map(Seq::new) {
            let goes = seq.get() <= too_many
                || match self.saved {
                    Some(edge) => is_older(view, seq, edge)?,
                    None => false,
                };
            if !goes {
                break;
            }
            gone.extend(view.uid(seq));
        }
        Ok(gone)
    }
}

/// Where nobody knows when it was saved, it is young. One that is gone already is as old as any.
fn is_older(view: &mut dyn Mailbox, seq: Seq, edge: i64) -> Result<bool, Error> {
    let saved = view.mail(seq).and_then(|mut mail| mail.save_date());
    match saved {
        Ok(date) => Ok(date.is_some_and(|date| date.seconds <= edge)),
        Err(Error::Expunged) => Ok(true),
        Err(error) => Err(error),
    }
}
