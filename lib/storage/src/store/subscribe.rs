//! SUBSCRIBE and UNSUBSCRIBE.

use std::path::PathBuf;
use std::time::Duration;

use mailbox::Error;
use sys::fs::dotlock;

use super::Storage;
use crate::changelog::Event;
use crate::namespace::{Namespace, Target};
use crate::settings::Auto;
use crate::subscriptions::Subscriptions;

/// No `subscriptions` is larger.
const MAX_FILE: u64 = 16 << 20;

/// How long others may write the file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Subscribe,
    Unsubscribe,
}

impl Storage {
    pub(super) fn change_subscription(&self, target: &Target, wish: Wish) -> Result<(), Error> {
        let (keeper, levels) = self.keeper(target)?;
        keeper.list.create_root()?;
        let mut changed = false;
        dotlock::replace(&self.fs, &keeper.file(), LOCK_TIMEOUT, || {
            let mut file = self.read_subscriptions(keeper)?;
            changed = match wish {
                Wish::Subscribe => file.add(&levels),
                Wish::Unsubscribe => file.remove(&levels),
            };
            Ok::<_, Error>(changed.then(|| file.encode()))
        })?;
        if changed {
            self.shared
                .fs
                .sync_dir(keeper.list.location.subscriptions_dir())?;
            keeper.list.note_subscriptions();
            let name = keeper.names.plain(&levels);
            self.log_changes(
                keeper,
                &[match wish {
                    Wish::Subscribe => Event::Subscribe(&name),
                    Wish::Unsubscribe => Event::Unsubscribe(&name),
                }],
            );
        }
        Ok(())
    }

    pub(super) fn read_subscriptions(&self, keeper: &Namespace) -> Result<Subscriptions, Error> {
        let bytes = self.fs.read_file_opt(&keeper.file(), MAX_FILE)?;
        let separator = keeper.names.layout.separator();
        Ok(Subscriptions::decode(&bytes.unwrap_or_default(), separator))
    }

    /// The namespace whose file holds this subscription, and the levels as they stand there. One with
    /// `subscriptions = no` leaves them to the namespace around it.
    pub(super) fn keeper(&self, target: &Target) -> Result<(&Namespace, Vec<String>), Error> {
        let own = self.namespace(target)?;
        if let Some(original) = own.alias_for {
            let levels = target.levels.clone();
            return self.keeper(&Target {
                namespace: original,
                levels,
            });
        }
        if own.subscriptions {
            return Ok((own, target.levels.clone()));
        }
        let around = self
            .namespaces
            .all
            .iter()
            .filter(|other| other.subscriptions && own.prefix.starts_with(&other.prefix));
        let keeper = around.max_by_key(|other| other.prefix.len());
        let keeper = keeper.ok_or(Error::NotPossible {
            why: "Subscriptions not supported",
        })?;
        let name = own.display(&target.levels).ok_or(Error::InvalidName {
            why: "Invalid name",
        })?;
        let rest = name
            .as_str()
            .strip_prefix(&keeper.prefix)
            .unwrap_or(name.as_str());
        Ok((keeper, keeper.names.levels(rest)?))
    }

    /// Can the name be subscribed to: is it a mailbox, a level above one, or one to come?
    pub(super) fn is_somewhere(&self, target: &Target) -> Result<bool, Error> {
        let namespace = self.namespace(target)?;
        Ok(namespace.list.is_inbox(&target.levels)
            || namespace.auto(&target.levels) != Auto::No
            || namespace.list.is_selectable(&target.levels)?
            || namespace.list.has(&target.levels)?)
    }
}

impl Namespace {
    fn file(&self) -> PathBuf {
        let location = &self.list.location;
        location.subscriptions_dir().join(&location.subscriptions)
    }
}
