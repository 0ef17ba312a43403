//! All mailboxes of one user, for one session.

use std::sync::Arc;

use format_maildir::Maildir;
use format_maildir::save::Saving;
use format_maildir::view::View;
use mailbox::{
    Access, Copied, Error, ListEntry, MailStore, Mailbox, MailboxName, NamespaceInfo, Save, Status,
    UidSet,
};

use crate::namespace::{Namespace, Target, resolve};
use crate::settings::{Auto, Settings};
use crate::shared::Shared;
use crate::user::MailUser;

mod create;
mod delete;
mod listing;
mod rename;
mod subscribe;

/// A user's mail as one session sees it. Mailboxes themselves are shared by all sessions of the
/// process ([`Shared`]).
pub struct Storage {
    shared: Arc<Shared>,
    namespaces: Vec<Namespace>,
    settings: format_maildir::settings::Settings,
}

impl Storage {
    /// Finds out where the user's mail is. Nothing is read or made yet.
    ///
    /// # Errors
    /// [`Error::Config`]
    pub fn open(shared: &Arc<Shared>, user: &MailUser, settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            shared: Arc::clone(shared),
            namespaces: Namespace::all(&shared.fs, user, settings)?,
            settings: settings.maildir(),
        })
    }

    /// Every directory that this user's mail may be in: what a confined process must be allowed.
    #[must_use]
    pub fn directories(&self) -> Vec<std::path::PathBuf> {
        let mut all = Vec::new();
        for namespace in &self.namespaces {
            let location = &namespace.list.location;
            all.push(location.root.clone());
            all.extend(location.inbox.clone());
            all.extend(location.control.clone());
            if let crate::location::Index::Under(index) = &location.index {
                all.push(index.clone());
            }
        }
        all.sort();
        all.dedup();
        all
    }

    fn resolve(&self, name: &MailboxName) -> Result<Target, Error> {
        resolve(&self.namespaces, name)
    }

    fn namespace(&self, target: &Target) -> Result<&Namespace, Error> {
        let namespace = self.namespaces.get(target.namespace);
        namespace.ok_or(Error::InvalidName {
            why: "No such namespace",
        })
    }

    /// The mailbox in memory, whether it exists on disk or not.
    fn maildir(&self, name: &MailboxName, target: &Target) -> Result<Arc<Maildir>, Error> {
        let namespace = self.namespace(target)?;
        let place = namespace.list.place(&target.levels);
        Ok(self.shared.maildir(place, |place| {
            let counter = Arc::clone(&namespace.uid_validities);
            let fs = self.shared.fs.clone();
            Maildir::new(fs, place, name.clone(), self.settings, counter)
                .watched_by(Arc::clone(&self.shared.watcher))
        }))
    }

    /// A mailbox that exists, or that the configuration wants to exist.
    fn existing(&self, name: &MailboxName) -> Result<Arc<Maildir>, Error> {
        let target = self.resolve(name)?;
        let namespace = self.namespace(&target)?;
        let maildir = self.maildir(name, &target)?;
        if namespace.list.is_selectable(&target.levels)? {
            return Ok(maildir);
        }
        if namespace.list.is_inbox(&target.levels) {
            namespace.list.create_root()?;
            maildir.create_dirs()?;
            return Ok(maildir);
        }
        let auto = namespace.auto(&target.levels);
        if auto == Auto::No {
            return Err(Error::NotFound {
                mailbox: name.clone(),
            });
        }
        match self.create_target(name, &target) {
            Ok(()) | Err(Error::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        if auto == Auto::Subscribe {
            self.change_subscription(&target, subscribe::Wish::Subscribe)?;
        }
        Ok(maildir)
    }

    /// Does something with an existing mailbox; what of its directories is missing is made. Whether it
    /// exists is asked only when it seems not to.
    fn with_existing<T>(
        &self,
        name: &MailboxName,
        act: impl Fn(&Arc<Maildir>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let target = self.resolve(name)?;
        match act(&self.maildir(name, &target)?) {
            Err(Error::NotFound { .. }) => {}
            other => return other,
        }
        let maildir = self.existing(name)?;
        match act(&maildir) {
            Err(Error::NotFound { .. }) => {}
            other => return other,
        }
        // Half a mailbox, as some tools leave behind: a directory without cur/, new/ or tmp/.
        if self.shared.fs.stat_opt(&maildir.place().dir)?.is_none() {
            return Err(Error::NotFound {
                mailbox: name.clone(),
            });
        }
        maildir.create_dirs()?;
        act(&maildir)
    }
}

impl MailStore for Storage {
    fn namespaces(&self) -> Vec<NamespaceInfo> {
        let told = self.namespaces.iter().filter(|namespace| !namespace.hidden);
        told.map(|namespace| NamespaceInfo {
            prefix: namespace.prefix.clone(),
            separator: namespace.names.separator,
        })
        .collect()
    }

    fn list(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        self.list_matching(patterns)
    }

    fn list_subscribed(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        self.list_subscribed_matching(patterns)
    }

    fn open(&mut self, name: &MailboxName, access: Access) -> Result<Box<dyn Mailbox>, Error> {
        self.with_existing(name, |maildir| {
            let view = View::open(Arc::clone(maildir), name.clone(), access)?;
            Ok(Box::new(view) as Box<dyn Mailbox>)
        })
    }

    fn status(&mut self, name: &MailboxName) -> Result<Status, Error> {
        self.with_existing(name, |maildir| maildir.status())
    }

    fn create(&mut self, name: &MailboxName) -> Result<(), Error> {
        let target = self.resolve(name)?;
        self.create_target(name, &target)
    }

    fn delete(&mut self, name: &MailboxName) -> Result<(), Error> {
        self.delete_mailbox(name)
    }

    fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Result<(), Error> {
        self.rename_mailbox(from, to)
    }

    fn subscribe(&mut self, name: &MailboxName) -> Result<(), Error> {
        let target = self.resolve(name)?;
        if !self.is_somewhere(&target)? {
            return Err(Error::NotFound {
                mailbox: name.clone(),
            });
        }
        self.change_subscription(&target, subscribe::Wish::Subscribe)
    }

    fn unsubscribe(&mut self, name: &MailboxName) -> Result<(), Error> {
        let target = self.resolve(name)?;
        self.change_subscription(&target, subscribe::Wish::Unsubscribe)
    }

    fn begin_save(&mut self, name: &MailboxName) -> Result<Box<dyn Save + '_>, Error> {
        Ok(Box::new(Saving::begin(self.existing(name)?)))
    }

    fn copy(
        &mut self,
        from: &mut dyn Mailbox,
        uids: &UidSet,
        to: &MailboxName,
    ) -> Result<Copied, Error> {
        let to = self.existing(to)?;
        let Some(view) = from.as_any().downcast_ref::<View>() else {
            return Err(Error::NotPossible {
                why: "Cannot copy from this kind of mailbox",
            });
        };
        format_maildir::copy::copy(view.maildir(), uids, &to)
    }
}
