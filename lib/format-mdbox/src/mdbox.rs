//! One mailbox, shared by all sessions of the process.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dbox::watch::Waiter;
use dbox::{AttachmentDir, DboxFile, Listed, Message};
use index::{
    Backup, CacheView, Cached, Created, Index, IndexSync, Options, State, Thresholds, Transaction,
    cache,
};
use index_view::{Backend, Removal, View};
use mailbox::{
    Access, Context, Copied, Error, FlagChange, Guid, Mail, Mailbox, MailboxName, Place, Save, Seq,
    Stamp, Status, StoredMailbox, Uid, UidSet, UidValidity, Update,
};

use crate::batch::Queue;
use crate::copy;
use crate::mail::{MdboxMail, Reference};
use crate::mailbox_ext::{GUID_SPEC, LAST_RENAME_SPEC, MDBOX_HDR, MDBOX_HDR_SPEC, MDBOX_SPEC};
use crate::record::BoxHeader;
use crate::save::Saving;
use crate::storage::Storage;

/// How storage names mailboxes on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// By directories. The name as storage encodes it, levels separated by `/`: `Sub/Deep`.
    Directories(String),
    /// `LAYOUT=index`: by `dovecot.list.index`; the mailbox's index repeats the name.
    Index(Listed),
}

impl Naming {
    /// Levels separated by `/`.
    fn name(&self) -> String {
        match self {
            Self::Directories(name) => name.clone(),
            Self::Index(listed) => listed.levels.join("/"),
        }
    }
}

/// An open index and its cache.
pub(crate) struct Opened {
    pub index: Arc<Index>,
    pub cached: Arc<Cached>,
}

/// One mdbox mailbox. Sessions share it by `Arc`; each has a [`View`] of its own.
pub struct Mdbox {
    pub(crate) storage: Arc<Storage>,
    context: Context,
    naming: Naming,
    pub(crate) queue: Queue,
    cache_settings: cache::Settings,
    thresholds: Thresholds,
    index: OnceLock<Opened>,
    opening: Mutex<()>,
}

impl Mdbox {
    /// Nothing is read before it is asked for.
    #[must_use]
    pub fn new(storage: Arc<Storage>, context: Context, naming: Naming) -> Self {
        Self {
            storage,
            context,
            naming,
            queue: Queue::default(),
            cache_settings: cache::Settings::default(),
            thresholds: Thresholds::default(),
            index: OnceLock::new(),
            opening: Mutex::new(()),
        }
    }

    /// The messages of all mailboxes beside this one.
    #[must_use]
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// What the configuration says about its cache.
    #[must_use]
    pub fn cached_as(self, cache_settings: cache::Settings) -> Self {
        Self {
            cache_settings,
            ..self
        }
    }

    /// When its index is written anew and its log is rotated.
    #[must_use]
    pub fn rotated_as(self, thresholds: Thresholds) -> Self {
        Self { thresholds, ..self }
    }

    pub(crate) fn name(&self) -> &MailboxName {
        &self.context.name
    }

    pub(crate) fn stored_name(&self) -> String {
        self.naming.name()
    }

    pub(crate) fn attachments(&self) -> Option<&AttachmentDir> {
        self.storage.attachments()
    }

    /// The index as it is on disk now.
    pub(crate) fn refresh(&self) -> Result<Arc<State>, Error> {
        let index = self.index()?;
        index.refresh().map_err(|error| self.told(error))
    }

    /// Waits for the lock of the mailbox; that of the map comes before it.
    pub(crate) fn lock(&self) -> Result<IndexSync<'_>, Error> {
        let index = self.index()?;
        index.begin_sync().map_err(|error| self.told(error))
    }

    pub(crate) fn finish(&self, sync: IndexSync<'_>) -> Result<(), Error> {
        sync.finish().map_err(|error| self.told(error))?;
        Ok(())
    }

    /// Up to date, and all that others have asked for is done.
    pub(crate) fn up_to_date(&self, access: Access) -> Result<Arc<State>, Error> {
        let mut state = self.refresh()?;
        if !is_complete(&state) {
            self.complete()?;
            state = self.refresh()?;
        }
        if self.is_foreign(&state)? {
            match self.storage.relink("a mailbox does not fit its map") {
                // Who may only look still looks.
                Err(error) if access == Access::ReadOnly => {
                    tracing::warn!("{}: {error}", self.name());
                }
                other => other?,
            }
            state = self.refresh()?;
        }
        let requests = self.index()?.has_requests();
        if requests && access == Access::ReadWrite {
            self.settle()?;
            return self.refresh();
        }
        Ok(state)
    }

    /// Do the records belong to another map than the one that is there, or must somebody look what a
    /// repair of the index has lost?
    fn is_foreign(&self, state: &State) -> Result<bool, Error> {
        if state.header().is_repaired() {
            return Ok(true);
        }
        let header = state.ext_header(MDBOX_HDR).and_then(BoxHeader::decode);
        let Some(header) = header else {
            return Ok(!state.is_empty());
        };
        let map = self.storage.map.last_picture()?;
        let fits = header.map_uid_validity == map.uid_validity() || state.is_empty();
        Ok(self.storage.map.is_lost() || map.is_repaired() || !fits)
    }

    /// Somebody has begun to make this mailbox. Dovecot holds its lock when it asks for the map's, so the
    /// map is read before the lock is taken, and never waited for under it.
    fn complete(&self) -> Result<(), Error> {
        self.storage.map.last_picture()?;
        let mut sync = self.lock()?;
        if !is_complete(sync.state()) {
            let uid_validity = match UidValidity::new(sync.state().header().uid_validity()) {
                Some(known) => known,
                None => self.context.uid_validities.next()?,
            };
            let mut transaction = self.identity(uid_validity)?;
            transaction.make_durable();
            let done = sync.commit(&transaction);
            done.map_err(|error| self.told(error))?;
        }
        self.finish(sync)
    }

    /// A message, read from wherever it is. Damage is repaired, once.
    pub(crate) fn read(&self, reference: &Reference) -> Result<(DboxFile, Message), Error> {
        let damage = match self.try_read(reference) {
            Err(damage @ Error::Corrupted { .. }) => damage,
            other => return other,
        };
        let Some(now) = self.reference(reference.uid)? else {
            return Err(Error::Expunged);
        };
        if now == *reference {
            tracing::warn!("{}: uid {}: {damage}", self.name(), reference.uid);
            self.storage.relink_once(reference.record.map_uid)?;
        }
        match self.reference(reference.uid)? {
            Some(repaired) => self.try_read(&repaired),
            None => Err(Error::Expunged),
        }
    }

    fn try_read(&self, reference: &Reference) -> Result<(DboxFile, Message), Error> {
        self.storage.read(reference.record.map_uid, reference.guid)
    }

    fn reference(&self, uid: Uid) -> Result<Option<Reference>, Error> {
        let state = self.refresh()?;
        Ok(state.seq(uid).and_then(|seq| Reference::of(&state, seq)))
    }

    fn index(&self) -> Result<&Index, Error> {
        Ok(&self.opened()?.index)
    }

    pub(crate) fn opened(&self) -> Result<&Opened, Error> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let _one_opens = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let opened = Index::open(&self.context.fs, self.index_dir()?, self.options());
        let index = match opened {
            // The directory is there, the index is not.
            Err(index::Error::NotFound { .. }) if self.exists()? => self.create_index()?,
            other => other.map_err(|error| self.told(error))?,
        };
        let index = Arc::new(index);
        let durability = self.context.settings.durability;
        let cached = Cached::new(&index, self.cache_settings.clone(), durability.into());
        Ok(self.index.get_or_init(|| Opened { index, cached }))
    }

    fn index_dir(&self) -> Result<&Path, Error> {
        let dir = self.context.place.index.as_deref();
        dir.ok_or_else(|| Error::Config("mdbox: indexes cannot be in memory only".to_owned()))
    }

    fn options(&self) -> Options {
        Options {
            backup: Backup::Keep,
            thresholds: self.thresholds,
            ..Options::mailbox(&self.context.settings)
        }
    }

    /// A new index: identity, UIDVALIDITY, and whose map it refers to.
    fn create_index(&self) -> Result<Index, Error> {
        let dir = self.index_dir()?;
        self.context
            .fs
            .mkdir_all(dir, self.context.settings.dir_mode)?;
        let uid_validity = self.context.uid_validities.next()?;
        let transaction = self.identity(uid_validity)?;
        let (index, created) = Index::create(&self.context.fs, dir, self.options(), &transaction)
            .map_err(|error| self.told(error))?;
        if created == Created::Ours && dir != self.context.place.mail {
            let durability = self.context.settings.durability;
            durability.sync_dir(&self.context.fs, dir)?;
        }
        Ok(index)
    }

    fn identity(&self, uid_validity: UidValidity) -> Result<Transaction, Error> {
        let mut transaction = Transaction::external();
        let guid = match &self.naming {
            Naming::Index(listed) => listed.guid,
            Naming::Directories(_) => Guid::generate(),
        };
        let header = BoxHeader {
            map_uid_validity: self.storage.map.last_picture()?.uid_validity(),
            guid,
            flags: 0,
        };
        transaction
            .extension(&MDBOX_HDR_SPEC)
            .set_header(0, &header.encode());
        transaction.extension(&MDBOX_SPEC).introduce();
        transaction.extension(&GUID_SPEC).introduce();
        if let Naming::Index(listed) = &self.naming {
            listed.put_name(&State::empty(0), &mut transaction);
        }
        transaction.set_uid_validity(uid_validity.get());
        Ok(transaction)
    }

    /// The error as a session is to be told it.
    pub(crate) fn told(&self, error: index::Error) -> Error {
        match error {
            index::Error::NotFound { .. } | index::Error::Deleted { .. } => Error::NotFound {
                mailbox: self.context.name.clone(),
            },
            other => other.into(),
        }
    }
}

/// Has it an UIDVALIDITY and an identity? With messages but without an identity it is damaged, not new.
fn is_complete(state: &State) -> bool {
    let header = state.ext_header(MDBOX_HDR).and_then(BoxHeader::decode);
    state.header().uid_validity() != 0 && (header.is_some() || !state.is_empty())
}

impl Backend for Mdbox {
    type Waiter = Waiter;

    fn sync(&self, access: Access) -> Result<Arc<State>, Error> {
        self.up_to_date(access)
    }

    fn claim_recent(&self, next: u32) -> Result<u32, Error> {
        self.take_recent(next)
    }

    fn mail<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
    ) -> Result<Box<dyn Mail + 'v>, Error> {
        let mail = MdboxMail::new(self, (state, seq), None);
        Ok(Box::new(mail.ok_or(Error::Expunged)?))
    }

    fn mail_cached<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
        cache: &'v mut CacheView,
    ) -> Result<Box<dyn Mail + 'v>, Error> {
        let mail = MdboxMail::new(self, (state, seq), Some(cache));
        Ok(Box::new(mail.ok_or(Error::Expunged)?))
    }

    fn cached(&self) -> Option<Arc<Cached>> {
        let opened = self.opened().ok()?;
        Some(Arc::clone(&opened.cached))
    }

    fn waiter(&self) -> Option<Waiter> {
        Waiter::of(self.context.place.index.as_deref())
    }

    fn store_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.change_flags(uids, change)
    }

    fn remove(&self, uids: &UidSet, which: Removal) -> Result<(), Error> {
        self.expunge(uids, which)
    }
}

impl StoredMailbox for Mdbox {
    fn place(&self) -> &Place {
        &self.context.place
    }

    fn name(&self) -> &MailboxName {
        &self.context.name
    }

    fn exists(&self) -> Result<bool, Error> {
        let stat = self.context.fs.stat_opt(&self.context.place.mail)?;
        Ok(stat.is_some_and(|stat| stat.is_dir()))
    }

    fn create(&self) -> Result<(), Error> {
        let settings = &self.context.settings;
        let mail = &self.context.place.mail;
        self.context.fs.mkdir_all(mail, settings.dir_mode)?;
        if self.index.get().is_none() || self.refresh().is_err() {
            self.create_index()?;
            self.index()?;
        }
        for dir in mail.ancestors().skip(1).take(2) {
            settings.durability.sync_dir(&self.context.fs, dir)?;
        }
        Ok(())
    }

    fn guid(&self) -> Result<Guid, Error> {
        let state = self.refresh()?;
        let header = state.ext_header(MDBOX_HDR).and_then(BoxHeader::decode);
        let header = header.ok_or_else(|| Error::Corrupted {
            path: self.context.place.mail.clone(),
            offset: 0,
            what: "no mailbox GUID".to_owned(),
        })?;
        Ok(header.guid)
    }

    fn status(&self) -> Result<Status, Error> {
        let state = self.up_to_date(Access::ReadWrite)?;
        Ok(index_view::status_of(&state, state.recent()))
    }

    fn stamp(&self) -> Result<Option<Stamp>, Error> {
        let dir = self.context.place.index.as_deref();
        Ok(index::list::stamp(&self.context.fs, dir)?)
    }

    fn open(
        self: Arc<Self>,
        name: &MailboxName,
        access: Access,
    ) -> Result<Box<dyn Mailbox>, Error> {
        Ok(Box::new(View::open(self, name.clone(), access)?))
    }

    fn begin_save(self: Arc<Self>) -> Result<Box<dyn Save>, Error> {
        self.up_to_date(Access::ReadWrite)?;
        Ok(Box::new(Saving::begin(self)))
    }

    fn copy_from(self: Arc<Self>, from: &mut dyn Mailbox, uids: &UidSet) -> Result<Copied, Error> {
        self.up_to_date(Access::ReadWrite)?;
        copy::copy(&self, from, uids)
    }

    fn update(&self, update: &Update) -> Result<(), Error> {
        let state = self.up_to_date(Access::ReadWrite)?;
        let mut transaction = Transaction::update(&state, update);
        let known = state.ext_header(MDBOX_HDR).and_then(BoxHeader::decode);
        if let (Some(guid), Some(known)) = (update.guid, known) {
            let header = BoxHeader { guid, ..known };
            transaction
                .extension(&MDBOX_HDR_SPEC)
                .set_header(0, &header.encode());
        }
        let committed = self.lock()?.commit(&transaction);
        committed.map(drop).map_err(|error| self.told(error))
    }

    fn prepare_delete(&self) -> Result<(), Error> {
        let mut map = self.storage.lock_map()?;
        let mut sync = self.lock()?;
        let mut transaction = Transaction::internal();
        transaction.delete_index();
        sync.commit(&transaction)
            .map_err(|error| self.told(error))?;
        let state = sync.state().clone();
        let gone: BTreeMap<Uid, [u8; 16]> = state
            .records()
            .filter_map(|record| Some((Uid::new(record.uid())?, [0; 16])))
            .collect();
        self.expunge_under(&mut map, &mut sync, &gone)?;
        let mut transaction = Transaction::external();
        transaction.delete_index();
        transaction.make_durable();
        sync.commit(&transaction)
            .map_err(|error| self.told(error))?;
        drop(sync);
        map.finish()
    }

    fn note_rename(&self) -> Result<(), Error> {
        let mut sync = self.lock()?;
        let mut transaction = Transaction::external();
        let stamp = transaction.extension(&LAST_RENAME_SPEC);
        stamp.set_header(0, &dbox::temp::now().to_le_bytes());
        if let Naming::Index(listed) = &self.naming {
            listed.put_name(sync.state(), &mut transaction);
        }
        sync.commit(&transaction)
            .map_err(|error| self.told(error))?;
        self.finish(sync)
    }

    fn wake(&self) {
        if let Some(dir) = &self.context.place.index {
            dbox::watch::wake(dir);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
