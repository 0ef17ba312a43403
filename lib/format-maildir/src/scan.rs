//! Listing `new/` and `cur/`, and finding out cheaply whether that is needed.

mod new;

use std::collections::HashMap;

use index::State;
use mailbox::Uid;
use sys::fs::{EntryKind, FsResult};

use crate::ext::SyncHeader;
use crate::files::{Files, Unknown};
use crate::maildir::Maildir;
use crate::name;
use crate::record::{Place, Record};
use crate::settings::Syncs;
use crate::stamp::{DirStamp, Doubt, mtime};

/// What must be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    Nothing,
    /// `new/` alone: what a delivery changes.
    New,
    Both,
}

/// Is a scan needed, and of what?
pub(crate) fn stale(maildir: &Maildir, files: &mut Files, state: &State) -> FsResult<Stale> {
    for place in maildir.touched() {
        files.stamp_mut(place).look_again();
    }
    let header = SyncHeader::of(state);
    let mut stale = [false; 2];
    for (stale, place) in stale.iter_mut().zip(Place::ALL) {
        let doubt = match (maildir.options.syncs, place) {
            (Syncs::VeryDirty, Place::Cur) => Doubt::Ignore,
            _ => Doubt::Recheck,
        };
        let mtime = mtime(maildir, place)?;
        let stamp = files.stamp_mut(place);
        *stale = !stamp.is_current(mtime) && !stamp.adopt(header.dir(place), mtime, doubt);
    }
    Ok(match stale {
        [false, false] => Stale::Nothing,
        [true, false] => Stale::New,
        [_, true] => Stale::Both,
    })
}

/// How much of the files is known after a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What is in `new/`; of the others nothing is to be said.
    New,
    /// Everything: a record without a file has none.
    All,
}

/// What a scan gives.
pub(crate) struct Listed {
    pub extent: Extent,
    pub findings: Findings,
}

/// What a scan found beside the files of known records.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Files that no record knows, each base name once.
    pub unknown: Unknown,
    /// Pairs of files with the same base.
    pub doubles: Vec<Double>,
}

/// Two files with the same base: two messages, one twice, or one that was renamed while we listed.
#[derive(Debug)]
pub(crate) struct Double {
    /// In `cur/`, if only one of them is.
    pub keep: (Place, Box<[u8]>),
    pub other: (Place, Box<[u8]>),
}

/// Lists what is stale and sets each record's file.
///
/// A listing is no snapshot: a file that is renamed while we read may be passed over. So nothing
/// counts as gone before a second listing says so too.
pub(crate) fn scan(
    maildir: &Maildir,
    files: &mut Files,
    (state, stale): (&State, Stale),
) -> FsResult<Listed> {
    if stale == Stale::New
        && let Some(findings) = new::scan(maildir, files)?
    {
        let extent = Extent::New;
        return Ok(Listed { extent, findings });
    }
    Ok(Listed {
        extent: Extent::All,
        findings: scan_both(maildir, files, state)?,
    })
}

fn scan_both(maildir: &Maildir, files: &mut Files, state: &State) -> FsResult<Findings> {
    let new = DirStamp::before_listing(maildir, Place::New)?;
    let cur = DirStamp::before_listing(maildir, Place::Cur)?;
    let mut listing = Listing::new(files);
    listing.read(maildir)?;
    if listing.misses_some(files, state) {
        listing.read(maildir)?;
    }
    let found = listing.finish();
    for (record, spot) in files.records.iter_mut().zip(found.spots) {
        spot.apply(record, &found.infos);
    }
    files.new = new;
    files.cur = cur;
    Ok(found.findings)
}

/// Where a record's file was seen.
#[derive(Clone, Copy)]
struct Spot {
    place: Option<Place>,
    /// Seen in the current reading, not only in an earlier one.
    fresh: bool,
    info_len: u16,
    /// In [`Listing::infos`].
    info_at: u32,
}

impl Spot {
    const NOWHERE: Self = Self {
        place: None,
        fresh: false,
        info_len: 0,
        info_at: 0,
    };

    fn info(self, infos: &[u8]) -> &[u8] {
        let at = usize::try_from(self.info_at).unwrap_or(usize::MAX);
        let end = at.saturating_add(self.info_len.into());
        infos.get(at..end).unwrap_or_default()
    }

    fn apply(self, record: &mut Record, infos: &[u8]) {
        match self.place {
            Some(place) if record.is_at(place, self.info(infos)) => {}
            Some(place) => record.set_file(place, self.info(infos)),
            None => record.clear_file(),
        }
    }
}

struct Listing<'s> {
    by_base: HashMap<&'s [u8], usize>,
    /// Beside each record.
    spots: Vec<Spot>,
    /// Ends of names, one behind the other: mailboxes are large, and these are not.
    infos: Vec<u8>,
    unknown: Unknown,
    doubles: Vec<Double>,
}

struct Finished {
    spots: Vec<Spot>,
    infos: Vec<u8>,
    findings: Findings,
}

impl<'s> Listing<'s> {
    fn new(files: &'s Files) -> Self {
        Self {
            by_base: files.by_base(),
            spots: vec![Spot::NOWHERE; files.records.len()],
            infos: Vec::new(),
            unknown: Vec::new(),
            doubles: Vec::new(),
        }
    }

    /// `new/` before `cur/`: a file that moves meanwhile is seen twice rather than not at all.
    fn read(&mut self, maildir: &Maildir) -> FsResult<()> {
        self.doubles.clear();
        self.unknown.clear();
        for spot in &mut self.spots {
            spot.fresh = false;
        }
        for place in Place::ALL {
            each_message(maildir, place, |file_name| self.add(place, file_name))?;
        }
        Ok(())
    }

    fn add(&mut self, place: Place, file_name: &[u8]) {
        let base = name::base(file_name);
        let Some(&position) = self.by_base.get(base) else {
            return self.unknown.push((place, file_name.into()));
        };
        let Some(spot) = self.spots.get_mut(position) else {
            return;
        };
        if let (true, Some(earlier)) = (spot.fresh, spot.place) {
            let other = [base, spot.info(&self.infos)].concat();
            self.doubles.push(Double {
                keep: (place, file_name.into()),
                other: (earlier, other.into()),
            });
        }
        let info = file_name.get(base.len()..).unwrap_or_default();
        *spot = Spot {
            place: Some(place),
            fresh: true,
            info_len: u16::try_from(info.len()).unwrap_or(u16::MAX),
            info_at: u32::try_from(self.infos.len()).unwrap_or(u32::MAX),
        };
        self.infos.extend_from_slice(info);
    }

    /// Messages of the index, that is.
    fn misses_some(&self, files: &Files, state: &State) -> bool {
        let mut pairs = files.records.iter().zip(&self.spots);
        pairs.any(|(record, spot)| {
            let uid = Uid::new(record.uid).filter(|_| spot.place.is_none());
            uid.is_some_and(|uid| state.seq(uid).is_some())
        })
    }

    fn finish(self) -> Finished {
        let mut findings = Findings {
            unknown: self.unknown,
            doubles: self.doubles,
        };
        findings.part_unknown();
        Finished {
            spots: self.spots,
            infos: self.infos,
            findings,
        }
    }
}

impl Findings {
    /// Of unknown files with one base name the one that was listed last stays.
    fn part_unknown(&mut self) {
        self.unknown
            .sort_by(|(_, a), (_, b)| name::base(a).cmp(name::base(b)));
        let doubles = &mut self.doubles;
        self.unknown.dedup_by(|later, earlier| {
            let same = name::base(&later.1) == name::base(&earlier.1);
            if same {
                std::mem::swap(later, earlier);
                doubles.push(Double {
                    keep: earlier.clone(),
                    other: later.clone(),
                });
            }
            same
        });
    }
}

/// Calls `each` for every file in a directory that can be a message.
pub(crate) fn each_message(
    maildir: &Maildir,
    place: Place,
    mut each: impl FnMut(&[u8]),
) -> FsResult<()> {
    let dir = maildir.dir().join(place.dir());
    maildir.fs.read_dir(&dir, &mut |file_name, kind| {
        let is_file = !matches!(kind, EntryKind::Directory | EntryKind::Other);
        if is_file && name::is_message(file_name) {
            each(file_name);
        }
    })
}
