//! Caches to work on: those of the fixtures, with the links that their indexes have, and new ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use index::State;
use index::cache::{Cache, EXT_NAME, Facts, FieldId, NewRecord, Picture, Place, Settings, Sync};
use index::cache::{CachedMail, decode_link};
use index::log::record::{Body, ext_records};
use index::log::{LogHeader, Walk};
use mailbox::{Seq, Uid};
use sys::fs::Fs;
use tempfile::TempDir;
use testkit::Fixture;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

pub const INDEX_ID: u32 = 0x6b04_2e5b;
pub const NOW: u32 = 1_795_440_000;

/// Fixtures that have caches.
pub const FIXTURES: [&str; 12] = [
    "maildir",
    "maildirfs",
    "maildirrot",
    "mbox",
    "mboxbare",
    "mdbox",
    "mdboxalt",
    "mdboxgz",
    "mdboxindex",
    "sdbox",
    "sdbox-sieve",
    "sdboxattach",
];

pub fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

pub fn facts(messages: u32) -> Facts {
    Facts {
        now: NOW,
        messages,
        ..Facts::default()
    }
}

/// The home directory: some fixtures are later pictures of another one's.
pub fn home(fixture: &Fixture) -> PathBuf {
    let user = fixture.expected()["user"].as_str().unwrap().to_owned();
    fixture.directory().join(user)
}

/// Directories below with a cache.
pub fn cache_dirs(fixture: &Fixture) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![home(fixture)];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            } else if entry.file_name() == "dovecot.index.cache" {
                found.push(directory.clone());
            }
        }
    }
    found.sort();
    found
}

/// What an index says about its cache.
#[derive(Debug, Default)]
pub struct Links {
    pub index_id: u32,
    pub reset_id: u32,
    pub of: BTreeMap<u32, u32>,
    extensions: Vec<String>,
    record_size: BTreeMap<String, u16>,
}

impl Links {
    /// Reads checkpoint and logs: only what is about the cache.
    pub fn of_index(directory: &Path) -> Self {
        let mut links = Self::default();
        let mut from = (0, 0);
        if let Ok(bytes) = fs::read(directory.join("dovecot.index")) {
            let state = State::decode(&bytes).unwrap();
            from = (state.place().file_seq, state.place().head);
            links.take_checkpoint(&state);
        }
        for name in ["dovecot.index.log.2", "dovecot.index.log"] {
            let Ok(bytes) = fs::read(directory.join(name)) else {
                continue;
            };
            let header = LogHeader::decode(&bytes).unwrap();
            links.index_id = header.index_id;
            for record in Walk::new(&bytes[LogHeader::SIZE..], LogHeader::SIZE as u64) {
                if (header.file_seq, record.offset) >= from {
                    links.apply(&record.body().unwrap());
                }
            }
        }
        links
    }

    fn take_checkpoint(&mut self, state: &State) {
        let names = state.extensions().iter().map(|ext| ext.name.clone());
        self.extensions = names.collect();
        self.reset_id = state.extension(EXT_NAME).unwrap().reset_id;
        for number in 1..=state.len() {
            let seq = Seq::new(number).unwrap();
            let link = state.ext_record(seq, EXT_NAME).and_then(decode_link);
            let uid = state.uid(seq).unwrap();
            self.of.insert(uid.get(), link.unwrap_or_default());
        }
    }

    fn apply(&mut self, body: &Body) {
        match body {
            Body::Append(appends) => {
                self.of.extend(appends.iter().map(|append| (append.uid, 0)));
            }
            Body::ExpungeGuid(expunges) => {
                for expunge in expunges {
                    self.of.remove(&expunge.uid);
                }
            }
            Body::KeywordUpdate { .. } => self.introduce("keywords", 0),
            Body::ExtIntro(intros) => {
                for intro in intros {
                    let name = match intro.ext_id {
                        Some(id) => self.extensions[id as usize].clone(),
                        None => intro.name.clone(),
                    };
                    self.introduce(&name, intro.record_size);
                }
            }
            Body::ExtReset { reset_id, .. } if self.is_introduced() => {
                self.reset_id = *reset_id;
                self.of.values_mut().for_each(|link| *link = 0);
            }
            Body::ExtRecordUpdate(entries) if self.is_introduced() => {
                for (uid, link) in ext_records(entries, 4) {
                    let known = self.of.get_mut(&uid).unwrap();
                    *known = decode_link(link).unwrap_or_default();
                }
            }
            _ => {}
        }
    }

    /// The last one introduced is marked by its size.
    fn introduce(&mut self, name: &str, size: u16) {
        if !self.extensions.iter().any(|known| known == name) {
            self.extensions.push(name.to_owned());
        }
        self.record_size.clear();
        self.record_size.insert(name.to_owned(), size);
    }

    fn is_introduced(&self) -> bool {
        self.record_size.contains_key(EXT_NAME)
    }

    pub fn pairs(&self) -> Vec<(Uid, u32)> {
        let linked = self.of.iter().filter(|(_, link)| **link != 0);
        linked.map(|(number, link)| (uid(*number), *link)).collect()
    }
}

/// The cache of a directory, as the index there says.
pub fn cache_of(directory: &Path, links: &Links) -> Arc<Cache> {
    open(&directory.join("dovecot.index.cache"), links.index_id)
}

pub fn open(path: &Path, index_id: u32) -> Arc<Cache> {
    open_with(Fs::real(), path, index_id, Settings::default())
}

pub fn open_with(fs: Fs, path: &Path, index_id: u32, settings: Settings) -> Arc<Cache> {
    let place = Place {
        fs,
        path: path.to_owned(),
        index_id,
        mode: 0o600,
    };
    Cache::new(place, settings, Sync::Never)
}

/// A cache with an index that only knows links.
pub struct Mailbox {
    pub directory: TempDir,
    pub cache: Arc<Cache>,
    pub reset_id: u32,
    pub links: BTreeMap<Uid, u32>,
    pub facts: Facts,
}

impl Mailbox {
    pub fn new(settings: Settings) -> Self {
        Self::on(Fs::real(), settings)
    }

    pub fn on(fs: Fs, settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dovecot.index.cache");
        Self {
            cache: open_with(fs, &path, INDEX_ID, settings),
            directory,
            reset_id: 0,
            links: BTreeMap::new(),
            facts: facts(10),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("dovecot.index.cache")
    }

    pub fn record(&self, number: u32, values: &[(FieldId, &[u8])]) -> NewRecord {
        let values = values.iter().map(|(id, value)| (*id, value.to_vec()));
        NewRecord {
            uid: uid(number),
            link: self.links.get(&uid(number)).copied(),
            values: values.collect(),
        }
    }

    /// With the log locked: `store`, and what it says goes into the index.
    pub fn store(
        &mut self,
        number: u32,
        values: &[(FieldId, &[u8])],
    ) -> Result<(), index::cache::Refused> {
        for (id, _) in values {
            let _ = self.cache.may_add(*id, uid(number), &self.facts);
        }
        let record = self.record(number, values);
        let pairs: Vec<_> = self.links.iter().map(|(uid, link)| (*uid, *link)).collect();
        let picture = Picture {
            reset_id: self.reset_id,
            facts: self.facts,
            links: &|| pairs.clone(),
        };
        let stored = self.cache.store(&picture, &[record])?;
        if let Some(purged) = stored.purged {
            self.reset_id = purged.file_seq;
            self.links = purged.links.into_iter().collect();
        }
        assert_eq!(stored.appended.file_seq, self.reset_id);
        if let Some(offset) = stored.appended.offsets[0] {
            self.links.insert(uid(number), offset);
        }
        Ok(())
    }

    pub fn purge(&mut self) -> Result<(), index::cache::Refused> {
        let pairs: Vec<_> = self.links.iter().map(|(uid, link)| (*uid, *link)).collect();
        let picture = Picture {
            reset_id: self.reset_id,
            facts: self.facts,
            links: &|| pairs.clone(),
        };
        let purged = self.cache.purge(&picture)?;
        self.reset_id = purged.file_seq;
        self.links = purged.links.into_iter().collect();
        Ok(())
    }

    pub fn read(&self, number: u32) -> CachedMail {
        let mut mail = CachedMail::default();
        if let Some(mut reader) = self.cache.reader(self.reset_id) {
            reader.read(self.links.get(&uid(number)).copied(), &mut mail);
        }
        mail
    }

    pub fn get(&self, number: u32, id: FieldId) -> Option<Vec<u8>> {
        self.read(number).get(id).map(<[u8]>::to_vec)
    }
}

/// Counts what this thread tells the log as errors.
pub struct Told {
    count: Arc<AtomicU32>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Told {
    pub fn start() -> Self {
        let count = Arc::new(AtomicU32::new(0));
        let counter = Counter(Arc::clone(&count));
        Self {
            count,
            _guard: tracing::subscriber::set_default(counter),
        }
    }

    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

struct Counter(Arc<AtomicU32>);

impl Subscriber for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() == Level::ERROR {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
