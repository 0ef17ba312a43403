//! Did a directory change? Its modification time tells, as far as clocks go.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sys::fs::{FsResult, Time};

use crate::audience::Audience;
use crate::maildir::Maildir;
use crate::record::Place;
use crate::state::State;

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

/// The state of a directory at its last listing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DirStamp {
    mtime: Option<Time>,
    /// Something may have changed within the same tick of the clock.
    recheck: Option<Recheck>,
    /// There were files that no record knew.
    pub strangers: bool,
}

impl DirStamp {
    /// Of a directory that is about to be listed.
    pub(crate) fn before_listing(maildir: &Maildir, place: Place) -> FsResult<Self> {
        let recheck = Recheck::after(Duration::ZERO, &maildir.audience);
        let mtime = mtime(maildir, place)?;
        let tick = if mtime.nsec == 0 { COARSE_TICK } else { TICK };
        let since_epoch = Duration::new(u64::try_from(mtime.sec).unwrap_or(0), mtime.nsec);
        let age = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|now| now.checked_sub(since_epoch));
        let settled = age.is_some_and(|age| age > tick);
        Ok(Self {
            mtime: Some(mtime),
            recheck: (!settled).then_some(recheck),
            strangers: false,
        })
    }

    /// Is the listing as good as a new one?
    pub(crate) fn is_current(&self, mtime: Time) -> bool {
        let is_due = match self.recheck {
            Some(Recheck::At(at)) => Instant::now() >= at,
            Some(Recheck::WhenTold) | None => false,
        };
        self.mtime == Some(mtime) && !is_due
    }

    /// Is it as good even if there are lines now that were not there then?
    pub(crate) fn is_current_for_new_lines(&self, mtime: Time) -> bool {
        let is_sure = !matches!(self.recheck, Some(Recheck::At(_)));
        self.mtime == Some(mtime) && is_sure && !self.strangers
    }

    /// Whatever the time says: list it again.
    pub(crate) fn forget(&mut self) {
        self.mtime = None;
    }

    /// A change was seen that time stamps may be too coarse to tell.
    pub(crate) fn look_again(&mut self) {
        if self.recheck.is_some() {
            self.forget();
        }
    }
}

/// Brackets changes of our own, so that they do not cost a listing.
#[derive(Default)]
pub(crate) struct OwnChange {
    touched: Vec<Place>,
}

impl OwnChange {
    /// Right after an update: the stamps are as new as can be.
    pub(crate) fn after_update() -> Self {
        Self::default()
    }

    /// At any other time: a directory that has changed meanwhile is to be listed, whatever we do to it.
    pub(crate) fn begin(
        maildir: &Maildir,
        state: &mut State,
        places: impl IntoIterator<Item = Place>,
    ) -> FsResult<Self> {
        let mut own = Self::default();
        for place in places {
            if state.stamp(place).mtime.is_some() && own.will_touch(place) {
                let now = mtime(maildir, place)?;
                let stamp = state.stamp_mut(place);
                if stamp.mtime != Some(now) {
                    stamp.forget();
                }
            }
        }
        Ok(own)
    }

    /// Something changes in this directory. `false`: something has already.
    pub(crate) fn will_touch(&mut self, place: Place) -> bool {
        let first = !self.touched.contains(&place);
        if first {
            self.touched.push(place);
        }
        first
    }

    /// What was done is done: where the time stamps cannot be had, the next update lists.
    pub(crate) fn end(self, maildir: &Maildir, state: &mut State) {
        for place in self.touched {
            if state.stamp(place).mtime.is_none() {
                continue;
            }
            let now = mtime(maildir, place).ok();
            let stamp = state.stamp_mut(place);
            if stamp.mtime != now {
                stamp.mtime = now;
                stamp.recheck = Some(Recheck::after(OWN_CHANGE, &maildir.audience));
            }
        }
    }
}

pub(crate) fn mtime(maildir: &Maildir, place: Place) -> FsResult<Time> {
    Ok(maildir.fs.stat(&maildir.dir().join(place.dir()))?.mtime)
}
