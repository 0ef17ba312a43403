//! Did a directory change since the index was brought in line with it? Its modification time tells, as far
//! as clocks go.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sys::fs::{FsResult, Stat, Time};

use crate::audience::Audience;
use crate::ext::DirTimes;
use crate::files::Files;
use crate::maildir::Maildir;
use crate::record::Place;

/// The kernel stamps files with a clock that ticks every 1 to 10 ms: within one tick a second change
/// leaves no trace.
const TICK: Duration = Duration::from_millis(20);

/// Likewise on file systems that keep whole seconds.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// After a change of our own we look again this much later: somebody else's within the same moment
/// is then found (FORMATS.md §4.4, "dirty").
const OWN_CHANGE: Duration = Duration::from_secs(1);

/// When to look again.
#[derive(Clone, Copy, Debug)]
enum Recheck {
    /// From then on.
    At(Instant),
    /// When somebody tells that there is something new.
    WhenTold,
}

impl Recheck {
    /// After so long, unless nothing can happen unheard.
    fn after(wait: Duration, audience: &Audience) -> Self {
        match audience.hears_all() {
            true => Self::WhenTold,
            false => Self::At(Instant::now() + wait),
        }
    }
}

/// Is a directory believed that was listed right after a change?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// No: somebody else may have changed it in the same moment.
    Recheck,
    /// Yes, until a message cannot be found: `maildir_very_dirty_syncs`.
    Ignore,
}

/// The state of a directory that the index knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DirStamp {
    mtime: Option<Time>,
    /// When it was listed, UNIX seconds.
    checked: u32,
    /// Something may have changed within the same tick of the clock.
    recheck: Option<Recheck>,
    /// Others' doubtful listings do not count: there may be something that they overlooked.
    is_suspect: bool,
    /// We listed it, and know its names since.
    was_listed: bool,
}

impl DirStamp {
    /// Of a directory that is about to be listed.
    pub(crate) fn before_listing(maildir: &Maildir, place: Place) -> FsResult<Self> {
        let recheck = Recheck::after(Duration::ZERO, &maildir.audience);
        let mtime = mtime(maildir, place)?;
        let tick = if mtime.nsec == 0 { COARSE_TICK } else { TICK };
        let since_epoch = Duration::new(u64::try_from(mtime.sec).unwrap_or(0), mtime.nsec);
        let age = now().checked_sub(since_epoch);
        let settled = age.is_some_and(|age| age > tick);
        Ok(Self {
            mtime: Some(mtime),
            checked: seconds(now()),
            recheck: (!settled).then_some(recheck),
            is_suspect: false,
            was_listed: true,
        })
    }

    /// Are the names in it known?
    pub(crate) fn is_listed(&self) -> bool {
        self.was_listed && self.mtime.is_some()
    }

    /// Is the listing as good as a new one?
    pub(crate) fn is_current(&self, mtime: Time) -> bool {
        let is_due = match self.recheck {
            Some(Recheck::At(at)) => Instant::now() >= at,
            Some(Recheck::WhenTold) | None => false,
        };
        self.mtime == Some(mtime) && !is_due
    }

    /// Somebody else has listed it for the index: takes over when that was, if that is as good as a listing
    /// now.
    pub(crate) fn adopt(&mut self, known: DirTimes, mtime: Time, doubt: Doubt) -> bool {
        if !known.is_of(mtime) {
            return false;
        }
        let doubtful = known.is_dirty() && doubt == Doubt::Recheck;
        if doubtful && self.mtime == Some(mtime) {
            // Our own listing, of which we know better when to look again.
            return false;
        }
        let due = u64::from(known.checked) + 2;
        let wait = Duration::from_secs(due).saturating_sub(now());
        if doubtful && (self.is_suspect || wait.is_zero()) {
            return false;
        }
        *self = Self {
            mtime: Some(mtime),
            checked: known.checked,
            recheck: doubtful.then(|| Recheck::At(Instant::now() + wait)),
            is_suspect: false,
            was_listed: false,
        };
        true
    }

    /// For the header of the index.
    pub(crate) fn times(&self) -> Option<DirTimes> {
        Some(DirTimes::new(self.mtime?, self.checked))
    }

    /// Whatever the time says: list it again.
    pub(crate) fn forget(&mut self) {
        self.mtime = None;
        self.is_suspect = true;
    }

    /// Who noted how it looks right after a change of its own may have overlooked somebody else's.
    pub(crate) fn suspect(&mut self) {
        self.is_suspect = true;
    }

    /// Does not wait until clocks tell the difference.
    pub(crate) fn doubt(&mut self) {
        if let Some(Recheck::At(at)) = &mut self.recheck {
            *at = Instant::now();
        }
        self.is_suspect = true;
    }

    /// A change was heard of that time stamps may be too coarse to tell.
    pub(crate) fn look_again(&mut self) {
        if self.recheck.is_some() {
            self.forget();
        }
        self.is_suspect = true;
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Brackets changes of our own, so that they do not cost a listing.
#[derive(Default)]
pub(crate) struct OwnChange {
    touched: Vec<Place>,
}

impl OwnChange {
    /// A directory that has changed since it was listed is to be listed, whatever we do to it.
    pub(crate) fn begin(
        maildir: &Maildir,
        files: &mut Files,
        places: impl IntoIterator<Item = Place>,
    ) -> FsResult<Self> {
        let mut own = Self::default();
        for place in places {
            if files.stamp(place).mtime.is_some() && !own.touched.contains(&place) {
                own.touched.push(place);
                let now = mtime(maildir, place)?;
                let stamp = files.stamp_mut(place);
                if stamp.mtime != Some(now) {
                    stamp.forget();
                }
            }
        }
        Ok(own)
    }

    /// What was done is done: where the time stamps cannot be had, the next update lists.
    pub(crate) fn end(self, maildir: &Maildir, files: &mut Files) {
        for place in self.touched {
            if files.stamp(place).mtime.is_none() {
                continue;
            }
            let changed = mtime(maildir, place).ok();
            let stamp = files.stamp_mut(place);
            if stamp.mtime != changed {
                *stamp = DirStamp {
                    mtime: changed,
                    checked: seconds(now()),
                    recheck: Some(Recheck::after(OWN_CHANGE, &maildir.audience)),
                    ..*stamp
                };
            }
        }
    }
}

/// Could it change once more within the second of its last change?
pub(crate) fn is_fresh(stat: &Stat) -> bool {
    let now = i64::from(seconds(now()));
    stat.mtime.sec.saturating_add(1) >= now
}

pub(crate) fn mtime(maildir: &Maildir, place: Place) -> FsResult<Time> {
    Ok(maildir.fs.stat(&maildir.dir().join(place.dir()))?.mtime)
}
