//! A mailbox's cache beside its index: what either has to know of the other. FORMATS.md §1.12.
//!
//! ```text
//! let cached = Cached::new(&index, settings, sync);        one per mailbox and process
//! let mut view = CacheView::new(&cached, &state);          one per picture of the index
//! view.get(seq, FieldId::SIZE_VIRTUAL)                     asks; None: read the message, then
//! view.learn(seq, FieldId::SIZE_VIRTUAL, value)            which is written in batches, and by
//! view.flush()
//! cached.stage(&sync, &mut transaction, &learnt)           a save: fields of new messages
//! cached.tidy(&mut sync)                                   at the end of a sync: purges if it is time
//! ```
//!
//! Nothing here is an error to anybody: a cache that cannot be read or written costs time only.

mod admin;
mod entry;
mod saved;
mod view;

use std::sync::{Arc, Mutex, PoisonError};

use index_cache::{
    Cache, EXT_HEADER_SIZE, EXT_NAME, EXT_RECORD_SIZE, Facts, FieldId, NewRecord, Picture, Place,
    Purged, Refused, Settings, Sync, decode_link, encode_link,
};
use mailbox::Uid;

use crate::state::field;
use crate::{ExtSpec, Index, IndexSync, Preserve, State, Transaction, clock};

pub use entry::CacheEntry;
pub use saved::SaveWatch;
pub use view::CacheView;

const EXTENSION: ExtSpec<'static> = ExtSpec {
    name: EXT_NAME,
    header_size: EXT_HEADER_SIZE,
    record_size: EXT_RECORD_SIZE,
    record_align: EXT_RECORD_SIZE,
};

/// What was read out of a message.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// Which message.
    pub uid: Uid,
    /// Values, in the encoding of their field.
    pub values: Vec<(FieldId, Vec<u8>)>,
}

/// What [`Cached::stage`] has put into a transaction.
#[derive(Debug)]
pub struct Staged(Option<(Arc<Cache>, Purged)>);

impl Staged {
    /// The transaction was not committed; the log is still locked. Without this, the file says
    /// something else than the index until the next one that writes, which Dovecot would tell its log.
    pub fn undo(self) {
        if let Some((cache, purged)) = self.0 {
            cache.discard(&purged);
        }
    }
}

/// See the head of this file.
#[derive(Debug)]
pub struct Cached {
    index: Arc<Index>,
    settings: Settings,
    sync: Sync,
    /// Of the index that was last seen; another indexid means another cache.
    cache: Mutex<Option<(u32, Arc<Cache>)>>,
}

impl Cached {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(index: &Arc<Index>, settings: Settings, sync: Sync) -> Arc<Self> {
        Arc::new(Self {
            index: Arc::clone(index),
            settings,
            sync,
            cache: Mutex::new(None),
        })
    }

    /// The cache that belongs to a state.
    #[must_use]
    pub fn cache(&self, state: &State) -> Arc<Cache> {
        let index_id = state.header().index_id();
        let mut slot = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.as_ref() {
            Some((id, cache)) if *id == index_id => Arc::clone(cache),
            _ => {
                let place = self.index.cache_place(index_id);
                let cache = Cache::new(place, self.settings.clone(), self.sync);
                *slot = Some((index_id, Arc::clone(&cache)));
                cache
            }
        }
    }

    /// Fields that are worth extracting from a message that is about to be saved under `uid`.
    #[must_use]
    pub fn wanted(&self, state: &State, uid: Uid) -> Vec<FieldId> {
        self.cache(state).wanted(uid, &facts(state))
    }

    /// Writes what was learnt about messages that the index has. The log must not be locked by this
    /// thread. What nobody wants cached is passed over.
    pub fn learn(&self, state: &State, learnt: &[Learnt]) {
        let result = match self.append(state, learnt) {
            Err(Failed::Refused(Refused::Stale { .. })) => match self.index.refresh() {
                Ok(state) => self.append(&state, learnt),
                Err(error) => Err(error.into()),
            },
            other => other,
        };
        let result = match result {
            Err(Failed::Refused(Refused::Stale { .. } | Refused::NeedsPurge(_))) => {
                self.store(learnt)
            }
            other => other,
        };
        tell(result);
    }

    /// Without the lock, into the file that the state knows.
    fn append(&self, state: &State, learnt: &[Learnt]) -> Result<(), Failed> {
        let cache = self.cache(state);
        let facts = facts(state);
        let records = records(&cache, state, &facts, learnt);
        if records.is_empty() {
            return Ok(());
        }
        let appended = cache.append(&picture(state, &|| links(state)), &records)?;
        let mut transaction = Transaction::external();
        put_links(
            &mut transaction,
            appended.file_seq,
            &records,
            &appended.offsets,
        );
        self.index.commit(&transaction)?;
        Ok(())
    }

    /// With the lock: whatever the file is.
    fn store(&self, learnt: &[Learnt]) -> Result<(), Failed> {
        let mut sync = self.index.begin_sync()?;
        let mut transaction = Transaction::external();
        let staged = self.stage(&sync, &mut transaction, learnt);
        if let Err(error) = sync.commit(&transaction) {
            staged.undo();
            return Err(error.into());
        }
        Ok(())
    }

    /// Writes fields of messages into the cache, and their links into a transaction that is about to
    /// be committed: which may also append these messages. Makes or purges the file where needed.
    /// Should the commit fail: [`Staged::undo`].
    pub fn stage(
        &self,
        sync: &IndexSync<'_>,
        transaction: &mut Transaction,
        learnt: &[Learnt],
    ) -> Staged {
        let state = Arc::clone(sync.state());
        let cache = self.cache(&state);
        let records = records(&cache, &state, &facts(&state), learnt);
        if records.is_empty() {
            return Staged(None);
        }
        match cache.store(&picture(&state, &|| links(&state)), &records) {
            Ok(stored) => {
                if let Some(purged) = &stored.purged {
                    put_purged(transaction, purged);
                }
                let appended = &stored.appended;
                put_links(transaction, appended.file_seq, &records, &appended.offsets);
                Staged(stored.purged.map(|purged| (cache, purged)))
            }
            Err(refused) => {
                tell(Err(refused.into()));
                Staged(None)
            }
        }
    }

    /// Purges the cache if it is time. For the end of a sync by a session; deliveries leave it to
    /// the next session.
    pub fn tidy(&self, sync: &mut IndexSync<'_>) {
        let state = Arc::clone(sync.state());
        let cache = self.cache(&state);
        let Some(reason) = cache.wants_purge(&facts(&state)) else {
            return;
        };
        tracing::debug!(
            "{}: purging the cache: {reason}",
            self.index.log_path().display()
        );
        tell(self.purge_in(sync));
    }

    fn purge_in(&self, sync: &mut IndexSync<'_>) -> Result<(), Failed> {
        let state = Arc::clone(sync.state());
        let cache = self.cache(&state);
        let purged = cache.purge(&picture(&state, &|| links(&state)))?;
        let mut transaction = Transaction::external();
        put_purged(&mut transaction, &purged);
        let committed = sync.commit(&transaction);
        if committed.is_err() {
            cache.discard(&purged);
        }
        Ok(committed.map(|_| ())?)
    }

    /// Messages were removed that the old state had: counts towards the next purge.
    pub fn expunged(&self, old: &State, uids: impl IntoIterator<Item = Uid>) {
        let linked = uids.into_iter().filter(|uid| link(old, *uid).is_some());
        let count = u32::try_from(linked.count()).unwrap_or(u32::MAX);
        if count > 0 {
            tell(self.cache(old).count_expunged(count).map_err(Failed::from));
        }
    }
}

impl Index {
    fn cache_place(&self, index_id: u32) -> Place {
        Place {
            fs: self.fs().clone(),
            path: self.log_path().with_extension("cache"),
            index_id,
            mode: self.file_mode(),
        }
    }
}

/// Why something was not done to a cache.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// By its file.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// By the index beside it.
    #[error(transparent)]
    Index(#[from] crate::Error),
}

fn tell(result: Result<(), Failed>) {
    if let Err(failed) = result {
        tracing::debug!("not cached: {failed}");
    }
}

fn facts(state: &State) -> Facts {
    const WEEK_AGO: usize = field::DAY_STAMP + 4 + 7 * 4;
    Facts {
        now: clock::now(),
        day_stamp: state.header().get(field::DAY_STAMP),
        week_uid: state.header().get(WEEK_AGO),
        messages: state.len(),
    }
}

fn reset_id(state: &State) -> u32 {
    state.extension(EXT_NAME).map_or(0, |cache| cache.reset_id)
}

fn picture<'a>(state: &State, links: &'a dyn Fn() -> Vec<(Uid, u32)>) -> Picture<'a> {
    Picture {
        reset_id: reset_id(state),
        facts: facts(state),
        links,
    }
}

fn link(state: &State, uid: Uid) -> Option<u32> {
    let seq = state.seq(uid)?;
    decode_link(state.ext_record(seq, EXT_NAME)?)
}

fn links(state: &State) -> Vec<(Uid, u32)> {
    let Some(extension) = state.extension(EXT_NAME) else {
        return Vec::new();
    };
    let linked = state.records().filter_map(|record| {
        let link = decode_link(extension.bytes_of(record)?)?;
        Some((Uid::new(record.uid())?, link))
    });
    linked.collect()
}

/// What of it may be cached.
fn records(cache: &Cache, state: &State, facts: &Facts, learnt: &[Learnt]) -> Vec<NewRecord> {
    let record = |learnt: &Learnt| {
        let values = learnt.values.iter();
        let values = values.filter(|(id, _)| cache.may_add(*id, learnt.uid, facts));
        NewRecord {
            uid: learnt.uid,
            link: link(state, learnt.uid),
            values: values.cloned().collect(),
        }
    };
    let records = learnt.iter().map(record);
    records.filter(|record| !record.values.is_empty()).collect()
}

fn put_links(
    transaction: &mut Transaction,
    file_seq: u32,
    records: &[NewRecord],
    offsets: &[Option<u32>],
) {
    let extension = transaction.extension(&EXTENSION);
    extension.generation(file_seq);
    for (record, offset) in records.iter().zip(offsets) {
        if offset.is_some() {
            extension.set_record(record.uid.get(), &encode_link(*offset));
        }
    }
}

fn put_purged(transaction: &mut Transaction, purged: &Purged) {
    let extension = transaction.extension(&EXTENSION);
    extension.reset(purged.file_seq, Preserve::Nothing);
    for (uid, link) in &purged.links {
        extension.set_record(uid.get(), &encode_link(Some(*link)));
    }
}
