//! What one service may know of the configuration, compiled: loaded at its start, asked per connection.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::de;
use crate::effective::Effective;
use crate::filter::{Condition, Facts};
use crate::overrides::Overrides;
use crate::problem::Error;
use crate::table::{self, Readers};
use crate::value::Value;

/// Where `doveconf compile` puts the snapshots.
pub const DIRECTORY: &str = "/run/culver/config";
/// Environment variable that names another directory (tests).
pub const DIRECTORY_VARIABLE: &str = "CULVER_CONFIG_DIR";

/// The first bytes of a snapshot; another layout gets another number.
const HEADER: &[u8] = b"culver-config 1\n";
/// Largest snapshot, bytes: 10,000 `local_name` blocks with a certificate each fit.
const MAX_BYTES: u64 = 256 << 20;

/// A service's view of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    pub(crate) service: String,
    /// Least specific filter first; the first one has no condition.
    pub(crate) layers: Vec<Layer>,
    pub(crate) limits: ServiceSettings,
    pub(crate) peers: BTreeMap<String, u32>,
    #[serde(skip)]
    index: Index,
}

/// Where to look for the filters that match: thousands of names cost one look-up.
#[derive(Clone, Debug, Default)]
struct Index {
    /// Layers that may match whatever the name.
    always: Vec<usize>,
    /// Layers by the names that they ask for.
    named: HashMap<String, Vec<usize>>,
}

impl Index {
    fn new(layers: &[Layer]) -> Self {
        let mut index = Self::default();
        for (place, layer) in layers.iter().enumerate() {
            let names = &layer.condition.local_name;
            if names.is_empty() || names.iter().any(|name| name.starts_with("*.")) {
                index.always.push(place);
                continue;
            }
            for name in names {
                index.named.entry(name.clone()).or_default().push(place);
            }
        }
        index
    }
}

/// The settings of one filter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Layer {
    pub condition: Condition,
    pub values: BTreeMap<String, Value>,
    pub blocks: Vec<Compiled>,
}

/// A section.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Compiled {
    pub section: String,
    pub name: String,
    pub values: BTreeMap<String, Value>,
    pub blocks: Vec<Compiled>,
}

/// `service NAME { … }` of this service, with `default_*` where it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSettings {
    /// Most clients at once per process.
    pub client_limit: u64,
    /// Most processes (workers).
    pub process_limit: u64,
    /// Processes that are started ahead.
    pub process_min_avail: u64,
    /// Clients that a process serves before it ends; 0: any number.
    pub service_count: u64,
    /// The administrator has set `client_limit` or `service_count`. Dovecot's defaults (one client per
    /// mail process) are no decision; a manager then lets a user's sessions share a worker.
    pub says_who_shares: bool,
    /// A process without clients ends after this many seconds; None: never.
    pub idle_kill: Option<u64>,
    /// Most address space, bytes; None: no limit.
    pub vsz_limit: Option<u64>,
}

impl Snapshot {
    /// Loads a service's snapshot from [`DIRECTORY`], or from where [`DIRECTORY_VARIABLE`] says.
    ///
    /// # Errors
    /// [`Error::Syscall`] when there is none or it isn't readable; [`Error::Snapshot`] when somebody
    /// other than root or this process's user owns it, others may read or write it, or its version is another.
    pub fn load(service: &str) -> Result<Self, Error> {
        let directory =
            env::var_os(DIRECTORY_VARIABLE).map_or_else(|| PathBuf::from(DIRECTORY), PathBuf::from);
        Self::load_from(&directory, service)
    }

    /// As [`Self::load`], from this directory.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_from(directory: &Path, service: &str) -> Result<Self, Error> {
        let path = directory.join(service);
        let bytes = read(&path)?;
        let wrong = |reason: String| Error::Snapshot {
            path: path.clone(),
            reason,
        };
        let snapshot = Self::from_bytes(&bytes).map_err(wrong)?;
        if snapshot.service != service {
            return Err(wrong(format!(
                "this is the snapshot of {}",
                snapshot.service
            )));
        }
        Ok(snapshot)
    }

    /// Decodes what [`Self::to_bytes`] made; the error says what is wrong.
    ///
    /// # Errors
    /// Another version, or bytes that are no snapshot.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let rest = bytes
            .strip_prefix(HEADER)
            .ok_or("not a snapshot of this version; run `systemctl reload culver`")?;
        let snapshot: Self =
            postcard::from_bytes(rest).map_err(|error| format!("damaged snapshot: {error}"))?;
        Ok(snapshot.indexed())
    }

    /// Encodes the snapshot for its file.
    ///
    /// # Errors
    /// Never in practice: the encoding itself failed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let fault = |error: postcard::Error| Error::Settings {
            service: self.service.clone(),
            reason: error.to_string(),
        };
        postcard::to_extend(self, HEADER.to_vec()).map_err(fault)
    }

    /// The settings that count for a connection, as a struct whose fields are named like settings.
    ///
    /// Fields: `bool`, integers, [`crate::Size`], [`crate::Seconds`], [`crate::Millis`], [`crate::Secret`],
    /// [`crate::Networks`], [`crate::UserId`], [`crate::GroupId`] (also `Vec`), `String`, `Vec<String>`, enums of words in
    /// kebab-case; `Option` of these is None when the setting is empty. Sections (`namespace`, `passdb`, …)
    /// are `Vec` of structs, whose field `name` is the section's name; `plugin` is a map of texts.
    ///
    /// # Errors
    /// [`Error::Settings`]: the struct asks for what isn't a setting, what this service may not read, or as a wrong type.
    pub fn settings<T: DeserializeOwned>(&self, facts: &Facts<'_>) -> Result<T, Error> {
        self.settings_of_user(facts, &Overrides::default())
    }

    /// As [`Self::settings`], with what userdb says of the user.
    ///
    /// # Errors
    /// As [`Self::settings`].
    pub fn settings_of_user<T: DeserializeOwned>(
        &self,
        facts: &Facts<'_>,
        overrides: &Overrides,
    ) -> Result<T, Error> {
        let effective = Effective::new(self, facts, overrides);
        T::deserialize(de::Root(&effective)).map_err(|error| Error::Settings {
            service: self.service.clone(),
            reason: error.to_string(),
        })
    }

    /// The indices of the filters that match: equal for two connections means equal settings, so a service
    /// may keep what [`Self::settings`] gave for as long as it keeps the snapshot.
    pub fn matching(&self, facts: &Facts<'_>) -> Vec<usize> {
        let name = facts.local_name.map(str::to_lowercase).unwrap_or_default();
        let named = self
            .index
            .named
            .get(&name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let candidates = self.index.always.iter().chain(named);
        let matches = |place: &&usize| {
            self.layers
                .get(**place)
                .is_some_and(|layer| layer.condition.matches(facts))
        };
        let mut places: Vec<usize> = candidates.filter(matches).copied().collect();
        places.sort_unstable();
        places
    }

    /// With what was not encoded.
    fn indexed(mut self) -> Self {
        self.index = Index::new(&self.layers);
        self
    }

    /// A snapshot of these parts; layers in the order of the file.
    pub(crate) fn new(
        service: &str,
        mut layers: Vec<Layer>,
        limits: ServiceSettings,
        peers: BTreeMap<String, u32>,
    ) -> Self {
        // Later layers win: among equals the one that stands first comes last.
        layers.reverse();
        layers.sort_by_key(|layer| layer.condition.rank());
        let service = service.to_owned();
        Self {
            service,
            layers,
            limits,
            peers,
            index: Index::default(),
        }
        .indexed()
    }

    /// Whose snapshot it is.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The service's limits.
    pub fn limits(&self) -> &ServiceSettings {
        &self.limits
    }

    /// The uid of one of our service users (`culver-auth`), to compare with SO_PEERCRED. None: no such user on this host.
    pub fn peer_uid(&self, user: &str) -> Option<u32> {
        self.peers.get(user).copied()
    }

    /// Which bit of the table this service is.
    pub(crate) fn reader(&self) -> Readers {
        reader(&self.service)
    }
}

pub(crate) fn reader(service: &str) -> Readers {
    table::SERVICES
        .iter()
        .find(|(name, ..)| *name == service)
        .map_or(Readers(0), |(.., reader)| *reader)
}

/// Reads the file after having checked that nobody else could have written it.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |call| {
        move |source: std::io::Error| Error::Syscall {
            call,
            path: path.to_owned(),
            source,
        }
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| failed("open")(error.into()))?;
    let file = std::fs::File::from(file);
    let facts = file.metadata().map_err(failed("fstat"))?;
    let wrong = |reason: String| {
        Err(Error::Snapshot {
            path: path.to_owned(),
            reason,
        })
    };
    let me = rustix::process::geteuid().as_raw();
    if facts.uid() != 0 && facts.uid() != me {
        return wrong(format!(
            "uid {} owns it; only root or uid {me} may",
            facts.uid()
        ));
    }
    if !facts.is_file() || facts.mode() & 0o077 != 0 || facts.len() > MAX_BYTES {
        return wrong(format!(
            "mode {:o}, {} bytes: not a private file",
            facts.mode(),
            facts.len()
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(facts.len()).unwrap_or_default(),
    ));
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed("read"))?;
    Ok(bytes)
}
