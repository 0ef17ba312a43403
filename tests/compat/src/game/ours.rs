//! Our storage as a player.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Seconds, Size};
use mailbox::{
    Access, Error, FlagChange, Flags, Keyword, MailDate, MailStore, MailboxName, NewMail, Uid,
    UidSet,
};
use storage::{NamespaceSettings, Settings, Shared, Storage};
use sys::fs::Fs;

use super::{Dice, Names, Op, Side, Tier};
use crate::ours::{self, as_user};
use crate::picture::Mailbox;
use crate::theirs::UID;

/// A session, in a process that is replaced now and then.
pub struct Ours {
    home: PathBuf,
    settings: Settings,
    shared: Arc<Shared>,
    store: Storage,
}

impl Ours {
    /// On the mail in `home`.
    #[must_use]
    pub fn new(home: &Path, location: &str) -> Self {
        let settings = Settings {
            mail_location: location.to_owned(),
            namespace: vec![NamespaceSettings {
                separator: "/".to_owned(),
                ..NamespaceSettings::default()
            }],
            // As restless as Dovecot: [`super::RESTLESS`].
            mail_index_rewrite_min_log_bytes: Size(512),
            mail_index_rewrite_max_log_bytes: Size(2 << 10),
            mail_index_log_rotate_min_size: Size(2 << 10),
            mail_index_log_rotate_max_size: Size(8 << 10),
            mail_index_log_rotate_min_age: Seconds(0),
            mail_index_log2_max_age: Seconds(1),
            ..Settings::default()
        };
        Self::with(home, settings)
    }

    fn with(home: &Path, settings: Settings) -> Self {
        let shared = Shared::new(Fs::real());
        let store = as_user(UID, || ours::open(&shared, home, &settings));
        Self {
            home: home.to_owned(),
            settings,
            shared,
            store,
        }
    }

    /// As another session of the same process would, or as a new process, or not.
    pub fn start_over(&mut self, dice: &mut Dice) {
        match dice.roll(12) {
            0 => {
                let new = Self::with(&self.home, self.settings.clone());
                std::mem::replace(self, new).end();
            }
            1 => as_user(UID, || {
                self.store = ours::open(&self.shared, &self.home, &self.settings);
            }),
            _ => {}
        }
    }

    /// Logs out: a session writes into the list index when it ends, as who it is.
    pub fn end(self) {
        as_user(UID, || drop(self));
    }

    fn run(&mut self, op: &Op) -> Result<(), Error> {
        let store = &mut self.store;
        match op {
            Op::Append {
                to,
                text,
                flags,
                seconds,
            } => {
                let (flags, keywords) = split(flags);
                let mail = NewMail {
                    flags,
                    keywords,
                    internal_date: Some(MailDate {
                        seconds: *seconds,
                        offset_minutes: 0,
                    }),
                    ..NewMail::default()
                };
                let mut save = store.begin_save(&name(to))?;
                save.save(&mail, &mut text.as_bytes())?;
                save.commit().map(drop)
            }
            Op::Store {
                at,
                uids,
                how,
                flags,
            } => {
                let (flags, keywords) = split(flags);
                let change = match *how {
                    "+" => FlagChange::Add(flags, keywords),
                    "-" => FlagChange::Remove(flags, keywords),
                    _ => FlagChange::Replace(flags, keywords),
                };
                let mut view = store.open(&name(at), Access::ReadWrite)?;
                view.store_flags(&set(uids), &change)
            }
            Op::Copy { at, uids, to } => {
                let mut view = store.open(&name(at), Access::ReadWrite)?;
                store.copy(&mut *view, &set(uids), &name(to)).map(drop)
            }
            Op::Move { at, uids, to } => {
                let mut view = store.open(&name(at), Access::ReadWrite)?;
                let copied = store.copy(&mut *view, &set(uids), &name(to))?;
                view.remove(&copied.from.into_iter().collect())
            }
            Op::Expunge { at } => store.open(&name(at), Access::ReadWrite)?.expunge(None),
            Op::Create(one) => store.create(&name(one)),
            Op::Delete(one) => store.delete(&name(one)),
            Op::Rename(one, other) => store.rename(&name(one), &name(other)),
            Op::Subscribe(one) => store.subscribe(&name(one)),
            Op::Unsubscribe(one) => store.unsubscribe(&name(one)),
            Op::Purge => store.purge(&mut |_, _| {}),
            Op::AltMove { at, uids, tier } => {
                let tier = match tier {
                    Tier::Primary => storage::Tier::Primary,
                    Tier::Alt => storage::Tier::Alt,
                };
                store.altmove(&name(at), &set(uids), tier)
            }
        }
    }
}

impl Side for Ours {
    fn perform(&mut self, op: &Op) {
        let refused = as_user(UID, || self.run(op)).err();
        if let Some(error) = refused {
            let is_refusal = matches!(
                error,
                Error::Exists { .. } | Error::InvalidName { .. } | Error::NotPossible { .. }
            );
            assert!(op.is_about_names() && is_refusal, "{op:?}: {error}");
        }
    }

    fn picture(&mut self, mailbox: &str) -> Mailbox {
        let name = name(mailbox);
        as_user(UID, || {
            ours::mailbox(&mut self.store, &name, Access::ReadWrite)
        })
    }

    fn names(&mut self) -> Names {
        let (list, subscribed) = as_user(UID, || ours::names(&mut self.store));
        Names::new(list, subscribed)
    }
}

fn name(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|&uid| Uid::new(uid)).collect()
}

fn split(names: &[&str]) -> (Flags, Vec<Keyword>) {
    let (system, user): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| name.starts_with('\\'));
    let flag = |name: &&str| {
        let known = Flags::NAMES.iter().find(|(_, known)| known == name);
        known.unwrap().0
    };
    let flags = system.iter().map(flag).fold(Flags::empty(), Flags::with);
    let keywords = user.iter().map(|name| Keyword::new(name).unwrap());
    (flags, keywords.collect())
}
