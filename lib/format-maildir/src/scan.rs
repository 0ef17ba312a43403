//! Listing `new/` and `cur/`, and finding out cheaply whether that is needed.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sys::fs::{EntryKind, Fs, FsResult, Time};

use crate::name;
use crate::state::{DirStamp, File, Place, State, Unknown};

/// The kernel stamps files with a clock that ticks every 1 to 10 ms: within one tick a second change
/// leaves no trace.
const TICK: Duration = Duration::from_millis(20);

/// Likewise on file systems that keep whole seconds.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// After a change of our own we look again this much later: somebody else's within the same moment
/// is then found (FORMATS.md §4.4, "dirty").
const OWN_CHANGE: Duration = Duration::from_secs(1);

impl DirStamp {
    /// Of a directory that is about to be scanned.
    fn before_scan(mtime: Time) -> Self {
        let tick = if mtime.nsec == 0 { COARSE_TICK } else { TICK };
        let since_epoch = Duration::new(u64::try_from(mtime.sec).unwrap_or(0), mtime.nsec);
        let age = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|now| now.checked_sub(since_epoch));
        let settled = age.is_some_and(|age| age > tick);
        Self {
            mtime: Some(mtime),
            recheck: (!settled).then(Instant::now),
        }
    }

    fn is_current(&self, mtime: Time) -> bool {
        self.mtime == Some(mtime) && self.recheck.is_none_or(|at| Instant::now() < at)
    }

    /// After a change of our own to a directory that was current before it.
    fn after_own_change(mtime: Option<Time>) -> Self {
        Self {
            mtime,
            recheck: Some(Instant::now() + OWN_CHANGE),
        }
    }
}

/// Brackets changes of our own, so that they do not cost a scan.
pub(crate) struct OwnChange {
    new_current: bool,
    cur_current: bool,
}

impl OwnChange {
    pub(crate) fn begin(fs: &Fs, dir: &Path, state: &State) -> FsResult<Self> {
        Ok(Self {
            new_current: state.new.mtime == Some(mtime(fs, dir, Place::New)?),
            cur_current: state.cur.mtime == Some(mtime(fs, dir, Place::Cur)?),
        })
    }

    /// What was done is done: where the time stamps cannot be had, the next update scans.
    pub(crate) fn end(self, fs: &Fs, dir: &Path, state: &mut State) {
        if self.new_current {
            let now = mtime(fs, dir, Place::New).ok();
            if state.new.mtime != now {
                state.new = DirStamp::after_own_change(now);
            }
        }
        if self.cur_current {
            let now = mtime(fs, dir, Place::Cur).ok();
            if state.cur.mtime != now {
                state.cur = DirStamp::after_own_change(now);
            }
        }
    }
}

fn mtime(fs: &Fs, dir: &Path, place: Place) -> FsResult<Time> {
    Ok(fs.stat(&dir.join(place.dir()))?.mtime)
}

/// Is a scan needed?
pub(crate) fn is_stale(fs: &Fs, dir: &Path, state: &State) -> FsResult<bool> {
    Ok(!state.new.is_current(mtime(fs, dir, Place::New)?)
        || !state.cur.is_current(mtime(fs, dir, Place::Cur)?))
}

/// What a scan found beside the files of known records.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Files that no record knows.
    pub unknown: Unknown,
    /// Pairs of files with the same base.
    pub doubles: Vec<Double>,
}

/// Two files with the same base: two messages, one twice, or one that was renamed while we listed.
#[derive(Debug)]
pub(crate) struct Double {
    /// In `cur/`, if only one of them is.
    pub keep: (Place, Vec<u8>),
    pub other: (Place, Vec<u8>),
}

/// Lists both directories and sets each record's file.
///
/// A listing is no snapshot: a file that is renamed while we read may be passed over. So nothing
/// counts as gone before a second listing says so too.
pub(crate) fn scan(fs: &Fs, dir: &Path, state: &mut State) -> FsResult<Findings> {
    let new = DirStamp::before_scan(mtime(fs, dir, Place::New)?);
    let cur = DirStamp::before_scan(mtime(fs, dir, Place::Cur)?);
    let mut listing = Listing::new(state);
    listing.read(fs, dir)?;
    if listing.misses_some(state) {
        listing.read(fs, dir)?;
    }
    let Listing {
        files,
        unknown,
        doubles,
        ..
    } = listing;
    let mut changed = false;
    for (record, file) in state.records.iter_mut().zip(files) {
        changed |= record.file != file;
        record.file = file;
    }
    if changed {
        state.changed();
    }
    state.new = new;
    state.cur = cur;
    state.scanned = true;
    Ok(Findings {
        unknown: unknown.into_values().collect(),
        doubles,
    })
}

struct Listing<'s> {
    by_base: HashMap<&'s [u8], usize>,
    /// Beside each record.
    files: Vec<Option<File>>,
    /// Which of them the current reading has seen.
    seen: Vec<bool>,
    /// By base name.
    unknown: HashMap<Vec<u8>, (Place, Vec<u8>)>,
    doubles: Vec<Double>,
}

impl<'s> Listing<'s> {
    fn new(state: &'s State) -> Self {
        Self {
            by_base: state.by_base(),
            files: vec![None; state.records.len()],
            seen: Vec::new(),
            unknown: HashMap::new(),
            doubles: Vec::new(),
        }
    }

    /// `new/` before `cur/`: a file that moves meanwhile is seen twice rather than not at all.
    fn read(&mut self, fs: &Fs, dir: &Path) -> FsResult<()> {
        self.doubles.clear();
        self.unknown.clear();
        self.seen = vec![false; self.files.len()];
        for place in [Place::New, Place::Cur] {
            fs.read_dir(&dir.join(place.dir()), &mut |file_name, kind| {
                let is_file = !matches!(kind, EntryKind::Directory | EntryKind::Other);
                if is_file && name::is_message(file_name) {
                    self.add(place, file_name);
                }
            })?;
        }
        Ok(())
    }

    fn add(&mut self, place: Place, file_name: &[u8]) {
        let base = name::base(file_name);
        let now = (place, file_name.to_vec());
        let Some(&position) = self.by_base.get(base) else {
            if let Some(other) = self.unknown.insert(base.to_vec(), now.clone()) {
                self.doubles.push(Double { keep: now, other });
            }
            return;
        };
        let (Some(slot), Some(seen)) = (self.files.get_mut(position), self.seen.get_mut(position))
        else {
            return;
        };
        if let (true, Some(earlier)) = (*seen, slot.as_ref()) {
            let other = (earlier.place, [base, &earlier.info].concat());
            self.doubles.push(Double { keep: now, other });
        }
        *seen = true;
        *slot = Some(File::named(place, file_name));
    }

    fn misses_some(&self, state: &State) -> bool {
        let pairs = state.records.iter().zip(&self.files);
        pairs
            .into_iter()
            .any(|(record, file)| record.file.is_some() && file.is_none())
    }
}
