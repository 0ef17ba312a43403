//! `dovecot.index.cache`: what was once read out of messages, so that it need not be read again.
//! In Dovecot's bytes, so that either server finds what the other has cached. FORMATS.md §1.12.
//!
//! ```text
//! let cache = Cache::new(place, settings);                 one per mailbox and process
//! let subject = cache.field("hdr.Subject");                ids of fields
//! let mut reader = cache.reader(reset_id)?;                one per picture of the index
//! reader.read(link, &mut mail); mail.get(subject)
//! cache.asked(subject, uid, &facts);                       whether it was there or not
//! if cache.may_add(…) { cache.append(&position, &records) }  offsets for the index transaction
//! cache.wants_purge(&facts), cache.purge(…), cache.store(…) with the log locked
//! cache.flush()                                            at the end of a session
//! ```
//!
//! Files are read with `pread`: a file that somebody truncates is damaged, not a SIGBUS.
//! Locks: mailbox log → cache, never the other way around. Whoever appends may hold the log's lock;
//! whoever purges must.
//!
//! *Invariant:* nothing in here is the only copy of anything but SAVEDATE; whoever is told nothing
//! reads the message. A damaged cache is told once, to the log, and rebuilt from its good records.

mod admin;
mod append;
mod batch;
mod chain;
mod codec;
mod copy;
mod decision;
mod extract;
mod field;
mod generation;
mod header;
mod lines;
mod link;
pub mod parts;
mod plan;
mod purge;
mod reader;
pub mod record;
mod registry;
mod settings;
pub mod size;
mod table;
mod told;
mod value;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailbox::{Durability, Uid};
use sys::fs::FsResult;

use chain::Broken;
use generation::{Generation, LastTable, Opened, Trouble};
use record::Shape;
use registry::Registry;

pub use admin::{Decided, Wish};
pub use append::{Appended, NewRecord, Picture, Refused};
pub use chain::CachedMail;
pub use codec::Damage;
pub use decision::Facts;
pub use extract::values;
pub use field::{Decision, FieldId, FieldType, Policy};
pub use generation::Place;
pub use header::{Header, Unusable};
pub use lines::{HeaderLines, merge_header_lines};
pub use link::{EXT_HEADER_SIZE, EXT_NAME, EXT_RECORD_SIZE, decode_link, encode_link};
pub use purge::{Purged, Stored};
pub use reader::Reader;
pub use settings::Settings;
pub use table::{Table, TableEntry, TableHead};
pub use told::ENVELOPE_FIELDS;
pub use value::{MailBits, SentDate, decode_u32, decode_u64};

/// When appended bytes are made durable. `mail_fsync`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// `optimized`, `never`: a cache that a power cut ate is found out and made again.
    #[default]
    Never,
    /// `always`.
    Always,
}

impl From<Durability> for Sync {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Always => Self::Always,
            Durability::Synced | Durability::Unsynced => Self::Never,
        }
    }
}

/// The cache of one mailbox, shared by the sessions of the process.
#[derive(Debug)]
pub struct Cache {
    place: Place,
    settings: Settings,
    sync: Sync,
    /// Held while writing: threads of one process share the file's lock.
    turn: Mutex<Turn>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct Turn {
    /// The last attempt to lock timed out: the next one does not wait.
    gave_up: bool,
}

#[derive(Debug)]
struct State {
    registry: Registry,
    current: Option<Current>,
    /// Nothing is read from the file of this `file_seq` until it is rebuilt; 0: of the file that was
    /// there when we last looked, which could not be read at all.
    broken: Option<u32>,
    /// The damage was logged.
    told: bool,
    /// We have looked for a file, so that we need not for every message as long as there is none.
    looked: bool,
}

/// What we know about the open file.
#[derive(Clone, Debug)]
struct Current {
    generation: Arc<Generation>,
    header: Header,
    /// Where its last field table is.
    table_offset: u32,
    /// How many tables there are.
    tables: u32,
}

impl Cache {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(place: Place, settings: Settings, sync: Sync) -> Arc<Self> {
        let registry = Registry::new(&settings);
        Arc::new(Self {
            place,
            settings,
            sync,
            turn: Mutex::default(),
            state: Mutex::new(State {
                registry,
                current: None,
                broken: None,
                told: false,
                looked: false,
            }),
        })
    }

    /// The field called `name`; header fields are called `hdr.` and their name. `None`: it cannot
    /// be cached.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldId> {
        self.state().registry.find(name)
    }

    /// The field's name, and what was decided about it. The file's decisions are known once a
    /// reader was had or something was appended.
    #[must_use]
    pub fn policy(&self, id: FieldId) -> Option<(String, Policy)> {
        let state = self.state();
        let field = state.registry.get(id)?;
        let name = String::from_utf8_lossy(&field.name).into_owned();
        Some((name, field.policy))
    }

    /// Every field that is cached for new messages: what to extract from one that is being read
    /// anyway.
    #[must_use]
    pub fn wanted(&self, uid: Uid, facts: &Facts) -> Vec<FieldId> {
        let mut state = self.state();
        self.known(&mut state);
        if facts.messages < self.settings.min_mail_count {
            return Vec::new();
        }
        let count = u32::try_from(state.registry.fields().len()).unwrap_or(u32::MAX);
        let ids = (0..count).map(FieldId);
        ids.filter(|id| state.registry.wants(*id, uid.get(), facts))
            .collect()
    }

    /// Fields with their names, as [`values`] wants them.
    #[must_use]
    pub fn named(&self, ids: &[FieldId]) -> Vec<(FieldId, String)> {
        let name = |id: &FieldId| Some((*id, self.policy(*id)?.0));
        ids.iter().filter_map(name).collect()
    }

    /// Somebody asked for a field of a message. To be said for every look-up, also in vain: it is
    /// what decisions are made of.
    pub fn asked(&self, id: FieldId, uid: Uid, facts: &Facts) {
        self.state().registry.asked(id, uid.get(), facts);
    }

    /// May a value that somebody asked for be cached? It then counts as the field's first use.
    #[must_use]
    pub fn may_add(&self, id: FieldId, uid: Uid, facts: &Facts) -> bool {
        let mut state = self.state();
        self.known(&mut state);
        facts.messages >= self.settings.min_mail_count
            && state.registry.adding(id, uid.get(), facts)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decisions of the file, if there is one, are known.
    fn known(&self, state: &mut State) {
        if !state.looked {
            let opened = self.open(state);
            self.tolerate(state, opened);
        }
    }

    fn generation_of(&self, reset_id: u32) -> Option<(Arc<Generation>, Arc<[Shape]>)> {
        let mut state = self.state();
        if reset_id == 0 || state.is_broken(reset_id) {
            return None;
        }
        if state.file_seq() != Some(reset_id) {
            let opened = self.open(&mut state);
            self.tolerate(&mut state, opened);
        }
        let current = state.current.as_ref()?;
        let is_it = current.generation.file_seq == reset_id && !state.is_broken(reset_id);
        is_it.then(|| (Arc::clone(&current.generation), state.registry.shapes()))
    }

    /// Opens what is at the path now and takes over its fields. Afterwards there may be no current
    /// file: that is not an error.
    fn open(&self, state: &mut State) -> FsResult<()> {
        state.forget_file();
        state.looked = true;
        match Generation::open(&self.place)? {
            Opened::Nothing | Opened::Foreign => {}
            Opened::Damaged(damage) => self.damaged(state, 0, damage),
            Opened::File(generation, header) => match state.take(&Arc::new(generation), header) {
                Ok(()) => state.found_good(header.file_seq),
                Err(Trouble::Fs(error)) => return Err(error),
                Err(Trouble::Damaged(damage)) => self.damaged(state, 0, damage),
            },
        }
        Ok(())
    }

    /// A cache that cannot be read is as good as none.
    fn tolerate(&self, state: &mut State, result: FsResult<()>) {
        if let Err(error) = result {
            state.forget_file();
            if !std::mem::replace(&mut state.told, true) {
                tracing::error!("{error}");
            }
        }
    }

    /// From now on nothing is read from that file. Logged once until it is rebuilt.
    fn damaged(&self, state: &mut State, file_seq: u32, damage: Damage) {
        state.broken = Some(file_seq);
        state.forget_file();
        if !std::mem::replace(&mut state.told, true) {
            let path = self.place.path.display();
            tracing::error!("Corrupted index cache file {path}: {damage}");
        }
    }

    fn found_broken(&self, generation: &Generation, broken: Broken) {
        let mut state = self.state();
        match broken {
            Broken::Trouble(Trouble::Fs(error)) => self.tolerate(&mut state, Err(error)),
            // Of an older file: it is gone anyway.
            _ if state
                .file_seq()
                .is_some_and(|seq| seq != generation.file_seq) => {}
            Broken::Trouble(Trouble::Damaged(damage)) => {
                self.damaged(&mut state, generation.file_seq, damage);
            }
            Broken::UnknownField => {
                let damage = Damage("field index too large");
                self.damaged(&mut state, generation.file_seq, damage);
            }
        }
    }

    /// The fields of the file as they are now; `None` if it is no longer the current one.
    fn refreshed(&self, generation: &Arc<Generation>) -> Option<Arc<[Shape]>> {
        let mut state = self.state();
        if state.file_seq() != Some(generation.file_seq) {
            return None;
        }
        match state.refresh() {
            Ok(()) => return Some(state.registry.shapes()),
            Err(Trouble::Fs(error)) => self.tolerate(&mut state, Err(error)),
            Err(Trouble::Damaged(damage)) => {
                self.damaged(&mut state, generation.file_seq, damage);
            }
        }
        None
    }
}

impl State {
    fn file_seq(&self) -> Option<u32> {
        self.current
            .as_ref()
            .map(|current| current.generation.file_seq)
    }

    fn is_broken(&self, file_seq: u32) -> bool {
        self.broken == Some(file_seq)
    }

    /// Somebody else may have replaced the broken file.
    fn found_good(&mut self, file_seq: u32) {
        if self.broken.is_some_and(|broken| broken != file_seq) {
            self.broken = None;
            self.told = false;
        }
    }

    fn forget_file(&mut self) {
        self.current = None;
        self.registry.forget_file();
    }

    /// `generation` is the current file.
    fn take(&mut self, generation: &Arc<Generation>, header: Header) -> Result<(), Trouble> {
        let last = generation.last_table(header.fields_offset)?;
        self.adopt(generation, header, &last)
    }

    fn adopt(
        &mut self,
        generation: &Arc<Generation>,
        header: Header,
        last: &LastTable,
    ) -> Result<(), Trouble> {
        self.registry.adopt(&last.table)?;
        self.current = Some(Current {
            generation: Arc::clone(generation),
            header,
            table_offset: last.offset,
            tables: last.count,
        });
        Ok(())
    }

    /// Reads the last table of the current file again.
    fn refresh(&mut self) -> Result<(), Trouble> {
        let Some(current) = self.current.clone() else {
            return Ok(());
        };
        let mut last = current.generation.last_table(current.table_offset)?;
        last.count += current.tables - 1;
        self.adopt(&current.generation, current.header, &last)
    }
}
