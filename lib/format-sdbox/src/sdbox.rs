//! One mailbox, shared by all sessions of the process.

use std::any::Any;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compress::Encoding;
use dbox::watch::Waiter;
use dbox::{AttachmentDir, BodyFormat, Listed, Places};
use index::state::State;
use index::{CacheView, Cached, Index, Thresholds, Transaction, cache};
use index_view::{Backend, Removal, View, change, status_of};
use mailbox::{
    Access, Context, Copied, Error, FlagChange, Guid, Mail, Mailbox, MailboxName, Place, Save, Seq,
    Stamp, Status, StoredMailbox, Uid, UidSet, Update,
};

use crate::batch::Queue;
use crate::copy;
use crate::header::{DboxHeader, SPEC};
use crate::mail::SdboxMail;
use crate::save::Saving;

/// What the configuration says about an sdbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `mail_attachment_dir`; `None`: messages have no attachments out of line.
    pub attachments: Option<PathBuf>,
    /// `zlib_save`; `None`: new bodies are stored as they are.
    pub encoding: Option<Encoding>,
}

/// An open index and its cache.
#[derive(Clone)]
pub(crate) struct Opened {
    pub index: Arc<Index>,
    pub cached: Arc<Cached>,
}

/// See the head of this file.
pub struct Sdbox {
    pub(crate) context: Context,
    pub(crate) options: Options,
    pub(crate) places: Places,
    pub(crate) queue: Queue,
    cache_settings: cache::Settings,
    pub(crate) thresholds: Thresholds,
    pub(crate) listed: Option<Listed>,
    /// This process has looked for what killed writers left.
    pub(crate) is_clean: AtomicBool,
    /// Open since it was first needed; none again when the mailbox turned out to be gone.
    index: Mutex<Option<Opened>>,
}

impl Sdbox {
    /// Nothing is read before it is asked for.
    #[must_use]
    pub fn new(context: Context, options: Options) -> Self {
        let place = &context.place;
        Self {
            places: Places::new(place.mail.clone(), place.alt.clone()),
            context,
            options,
            queue: Queue::default(),
            cache_settings: cache::Settings::default(),
            thresholds: Thresholds::default(),
            listed: None,
            is_clean: AtomicBool::new(false),
            index: Mutex::default(),
        }
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

    /// `LAYOUT=index`: what the list calls it.
    #[must_use]
    pub fn listed_as(self, listed: Option<Listed>) -> Self {
        Self { listed, ..self }
    }

    pub(crate) fn opened(&self, index: Index) -> Opened {
        let index = Arc::new(index);
        let durability = self.context.settings.durability;
        let cached = Cached::new(&index, self.cache_settings.clone(), durability.into());
        Opened { index, cached }
    }

    pub(crate) fn index_slot(&self) -> MutexGuard<'_, Option<Opened>> {
        // An index is whole whenever it is in there.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn not_found(&self) -> Error {
        Error::NotFound {
            mailbox: self.context.name.clone(),
        }
    }

    pub(crate) fn corrupted(&self, what: &str) -> Error {
        Error::Corrupted {
            path: self.context.place.mail.clone(),
            offset: 0,
            what: what.to_owned(),
        }
    }

    pub(crate) fn body_format(&self) -> BodyFormat {
        BodyFormat {
            line_ends: self.context.settings.line_ends,
            encoding: self.options.encoding,
        }
    }

    /// Where the attachments of a message are. The mailbox's GUID is a part of their names.
    pub(crate) fn attachments(&self, state: &State, uid: Uid) -> Option<AttachmentDir> {
        let dir = self.options.attachments.clone()?;
        let guid = DboxHeader::of(state)?.guid;
        let suffix = format!("-{guid}-{uid}");
        let fs = self.context.fs.clone();
        Some(AttachmentDir::with_suffix(fs, dir, suffix))
    }
}

impl Backend for Sdbox {
    type Waiter = Waiter;

    fn sync(&self, access: Access) -> Result<Arc<State>, Error> {
        let state = self.synced()?;
        if access == Access::ReadWrite {
            self.clean_once(&state);
        }
        Ok(state)
    }

    fn claim_recent(&self, next: u32) -> Result<u32, Error> {
        self.claim(next)
    }

    fn mail<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
    ) -> Result<Box<dyn Mail + 'v>, Error> {
        Ok(Box::new(SdboxMail::new(self, state, seq, None)?))
    }

    fn mail_cached<'v>(
        self: &'v Arc<Self>,
        state: &Arc<State>,
        seq: Seq,
        cache: &'v mut CacheView,
    ) -> Result<Box<dyn Mail + 'v>, Error> {
        Ok(Box::new(SdboxMail::new(self, state, seq, Some(cache))?))
    }

    fn cached(&self) -> Option<Arc<Cached>> {
        let slot = self.index_slot();
        slot.as_ref().map(|opened| Arc::clone(&opened.cached))
    }

    fn waiter(&self) -> Option<Waiter> {
        Waiter::of(self.context.place.index.as_deref())
    }

    fn store_flags(&self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        self.locked(|sync| {
            let transaction = change::flags(sync.state(), uids, change);
            if !transaction.is_empty() {
                sync.commit(&transaction)?;
            }
            Ok(())
        })
    }

    fn remove(&self, uids: &UidSet, which: Removal) -> Result<(), Error> {
        self.remove_mails(uids, which)
    }
}

impl StoredMailbox for Sdbox {
    fn place(&self) -> &Place {
        &self.context.place
    }

    fn name(&self) -> &MailboxName {
        &self.context.name
    }

    fn exists(&self) -> Result<bool, Error> {
        self.is_there()
    }

    fn create(&self) -> Result<(), Error> {
        self.make()
    }

    fn guid(&self) -> Result<Guid, Error> {
        let header = DboxHeader::of(&*self.synced()?);
        header
            .map(|header| header.guid)
            .ok_or_else(|| self.corrupted("no mailbox GUID"))
    }

    fn status(&self) -> Result<Status, Error> {
        let state = self.synced()?;
        Ok(status_of(&state, state.recent()))
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
        // A mailbox that is gone is told before the message is read.
        self.index()?;
        Ok(Box::new(Saving::begin(self)))
    }

    fn copy_from(self: Arc<Self>, from: &mut dyn Mailbox, uids: &UidSet) -> Result<Copied, Error> {
        let same = from.as_any().downcast_ref::<View<Self>>();
        match same.map(|view| (Arc::clone(view.backend()), Arc::clone(view.state()))) {
            Some((source, state)) => copy::copy(&source, &state, uids, &self),
            None => mailbox::copy_by_saving(from, uids, Box::new(Saving::begin(self))),
        }
    }

    fn update(&self, update: &Update) -> Result<(), Error> {
        self.synced()?;
        self.locked(|sync| {
            let mut transaction = Transaction::update(sync.state(), update);
            if let (Some(guid), Some(known)) = (update.guid, DboxHeader::of(sync.state())) {
                let mut header = known;
                header.guid = guid;
                transaction.extension(&SPEC).set_header(0, &header.encode());
            }
            sync.commit(&transaction).map(drop)
        })
    }

    fn prepare_delete(&self) -> Result<(), Error> {
        self.delete_all()
    }

    fn note_rename(&self) -> Result<(), Error> {
        self.stamp_rename()
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
