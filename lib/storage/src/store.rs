//! All mailboxes of one user, for one session.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use mailbox::{
    Access, Context, Copied, Error, ListEntry, MailStore, Mailbox, MailboxName, NamespaceInfo,
    NamespaceKind, Place, Save, SpecialUse, Status, StoredMailbox, UidSet,
};

use crate::formats::Options;
use crate::list::Keeper;
use crate::location::{Format, Layout};
use crate::namespace::{Namespace, Namespaces, Target};
use crate::settings::{Auto, Settings};
use crate::shared::Shared;
use crate::user::MailUser;
use crate::watch::{Watched, lasting};
use sys::fs::Fs;

mod admin;
mod autoexpunge;
pub mod cache;
mod create;
mod delete;
mod listing;
pub mod maintain;
mod rename;
mod subscribe;
mod visit;

/// A user's mail as one session sees it. Mailboxes themselves are shared by all sessions of the
/// process ([`Shared`]), and clones share what their settings say.
#[derive(Clone)]
pub struct Storage {
    shared: Arc<Shared>,
    /// As the user's files are locked.
    fs: Fs,
    namespaces: Arc<Namespaces>,
    settings: mailbox::Settings,
    options: Options,
    home: Option<PathBuf>,
    visit: visit::Visit,
}

impl Storage {
    /// Finds out where the user's mail is. Nothing is read or made yet.
    ///
    /// # Errors
    /// [`Error::Config`]
    pub fn open(shared: &Arc<Shared>, user: &MailUser, settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            shared: Arc::clone(shared),
            fs: shared.fs.locking_by(settings.lock_method.into()),
            namespaces: Arc::new(Namespaces::open(shared, user, settings)?),
            settings: settings.of_mailboxes(),
            options: Options::of(settings, user)?,
            home: user.home.as_ref().map(PathBuf::from),
            visit: visit::Visit::default(),
        })
    }

    /// Every directory that this user's mail may be in: what a confined process must be allowed.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for namespace in self.namespaces.all.iter() {
            all.extend(namespace.list.location.directories());
        }
        all.extend(self.options.attachments().map(std::path::Path::to_owned));
        all.sort();
        all.dedup();
        all
    }

    fn resolve(&self, name: &MailboxName) -> Result<Target, Error> {
        self.namespaces.resolve(name)
    }

    fn namespace(&self, target: &Target) -> Result<&Namespace, Error> {
        let namespace = self.namespaces.all.get(target.namespace);
        namespace.ok_or(Error::InvalidName {
            why: "No such namespace",
        })
    }

    /// The mailbox in memory, whether it exists on disk or not.
    fn mailbox(
        &self,
        name: &MailboxName,
        target: &Target,
    ) -> Result<Arc<dyn StoredMailbox>, Error> {
        let place = self.namespace(target)?.list.place(&target.levels)?;
        let place = place.ok_or_else(|| Error::NotFound {
            mailbox: name.clone(),
        })?;
        self.mailbox_at(place, name, target)
    }

    fn mailbox_at(
        &self,
        place: Place,
        name: &MailboxName,
        target: &Target,
    ) -> Result<Arc<dyn StoredMailbox>, Error> {
        let namespace = self.namespace(target)?;
        self.shared.mailbox(place, |place| {
            let context = Context {
                fs: self.fs.clone(),
                place,
                name: name.clone(),
                settings: self.settings,
                uid_validities: Arc::clone(&namespace.uid_validities),
            };
            let at = (&namespace.list, target.levels.as_slice());
            self.options.open(&self.shared, at, context)
        })
    }

    /// Whoever remembers the numbers of a mailbox, if anybody does.
    fn keeper_of(
        &self,
        target: &Target,
        mailbox: &Arc<dyn StoredMailbox>,
    ) -> Result<Option<Keeper>, Error> {
        let list = &self.namespace(target)?.list;
        Ok(list.keeper_of(&target.levels, mailbox))
    }

    /// A mailbox that exists, or that the configuration wants to exist.
    fn existing(&self, name: &MailboxName) -> Result<Arc<dyn StoredMailbox>, Error> {
        let target = self.resolve(name)?;
        let namespace = self.namespace(&target)?;
        let list = &namespace.list;
        if list.is_selectable(&target.levels)? {
            return self.mailbox(name, &target);
        }
        let is_inbox = list.is_inbox(&target.levels);
        if is_inbox && list.location.layout != Layout::Index {
            list.create_root()?;
            let mailbox = self.mailbox(name, &target)?;
            mailbox.create()?;
            return Ok(mailbox);
        }
        let auto = namespace.auto(&target.levels);
        if auto == Auto::No && !is_inbox {
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
        self.mailbox(name, &target)
    }

    /// Does something with an existing mailbox; what of its directories is missing is made. Whether it
    /// exists is asked only when it seems not to.
    fn with_existing<T>(
        &self,
        name: &MailboxName,
        act: impl Fn(&Arc<dyn StoredMailbox>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let target = self.resolve(name)?;
        let known = self.mailbox(name, &target);
        match known.and_then(|mailbox| act(&mailbox)) {
            Err(Error::NotFound { .. }) => {}
            other => return other,
        }
        let mailbox = self.existing(name)?;
        match act(&mailbox) {
            Err(Error::NotFound { .. }) => {}
            other => return other,
        }
        // Half a mailbox, as some tools leave behind: a directory without cur/, new/ or tmp/.
        if !mailbox.exists()? {
            return Err(Error::NotFound {
                mailbox: name.clone(),
            });
        }
        mailbox.create()?;
        act(&mailbox)
    }
}

impl MailStore for Storage {
    fn namespaces(&self) -> Vec<NamespaceInfo> {
        let all = self.namespaces.all.iter();
        let told = all.filter(|namespace| !namespace.hidden);
        let own = told.map(|namespace| NamespaceInfo {
            prefix: namespace.prefix.clone(),
            separator: namespace.names.separator,
            kind: namespace.kind,
        });
        let others = self
            .namespaces
            .others
            .iter()
            .filter(|others| !others.hidden);
        let others = others.map(|others| NamespaceInfo {
            prefix: others.prefix.clone(),
            separator: others.separator,
            kind: NamespaceKind::OtherUsers,
        });
        own.chain(others).collect()
    }

    fn list(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        self.list_matching(patterns)
    }

    fn special_use(&self, name: &MailboxName) -> Vec<SpecialUse> {
        self.special_use_of(name)
    }

    fn list_subscribed(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        self.list_subscribed_matching(patterns)
    }

    fn open(&mut self, name: &MailboxName, access: Access) -> Result<Box<dyn Mailbox>, Error> {
        let target = self.resolve(name)?;
        let format = self.namespace(&target)?.list.location.format;
        let (view, keeper) = self.with_existing(name, |mailbox| {
            let view = Arc::clone(mailbox).open(name, access)?;
            let view = match format {
                // These have watchers of their own.
                Format::Maildir | Format::Sdbox | Format::Mdbox => view,
                Format::Mbox => Box::new(Watched::new(view, &self.shared.changes, mailbox.place())),
            };
            Ok((view, self.keeper_of(&target, mailbox)?))
        })?;
        self.visit.go_to(keeper);
        Ok(view)
    }

    fn watch(&mut self, name: &MailboxName) -> Result<Option<OwnedFd>, Error> {
        let target = self.resolve(name)?;
        let format = self.namespace(&target)?.list.location.format;
        lasting(format, &self.place(name)?)
    }

    fn status(&mut self, name: &MailboxName) -> Result<Status, Error> {
        let target = self.resolve(name)?;
        let list = &self.namespace(&target)?.list;
        if let Ok(mailbox) = self.mailbox(name, &target)
            && let Some(known) = list.known_status(&target.levels, &*mailbox)
        {
            return Ok(known);
        }
        let (status, keeper) = self.with_existing(name, |mailbox| {
            Ok((mailbox.status()?, self.keeper_of(&target, mailbox)?))
        })?;
        if let Some(keeper) = keeper {
            keeper.note();
        }
        Ok(status)
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
        let mailbox = self.existing(name)?;
        let keeper = self.keeper_of(&self.resolve(name)?, &mailbox)?;
        let save = mailbox.begin_save()?;
        Ok(match keeper {
            Some(keeper) => Box::new(visit::Noted { save, keeper }),
            None => save,
        })
    }

    fn copy(
        &mut self,
        from: &mut dyn Mailbox,
        uids: &UidSet,
        to: &MailboxName,
    ) -> Result<Copied, Error> {
        let mailbox = self.existing(to)?;
        let keeper = self.keeper_of(&self.resolve(to)?, &mailbox)?;
        let copied = mailbox.copy_from(from, uids)?;
        if let Some(keeper) = keeper {
            keeper.note();
        }
        Ok(copied)
    }
}
