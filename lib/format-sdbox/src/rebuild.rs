//! Bringing index and files together after damage: `force-resync`. FORMATS.md §3.2.
//!
//! UIDs are in the names of the files, flags in the index. Nothing is deleted: what must not stay is
//! quarantined. A dry run tells the same and changes nothing.

mod apply;
mod examine;
mod plan;

use std::collections::BTreeMap;
use std::fmt;

use index::state::field;
use index::{Index, IndexSync, State, Transaction};
use mailbox::{Error, Guid, Uid, UidSet};

use crate::header::{DboxHeader, SPEC};
use crate::name;
use crate::sdbox::Sdbox;
use plan::Plan;

/// Is something changed, or only told?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything is repaired.
    Repair,
    /// Nothing is changed.
    DryRun,
}

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Their names.
    Names,
    /// Their headers and metadata too.
    Frames,
}

/// One thing that was, or would be, done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The message has no file: it goes from the index.
    Dropped {
        /// Of the message.
        uid: Uid,
    },
    /// A file that the index did not know becomes a message.
    Adopted {
        /// From its name.
        uid: Uid,
    },
    /// A file whose header or metadata were damaged is written anew; the damaged one is quarantined.
    Mended {
        /// From its name.
        uid: Uid,
        /// What was wrong.
        why: String,
    },
    /// A file that is no message, or one that was expunged, is moved out of the way.
    Quarantined {
        /// From its name.
        uid: Uid,
        /// Why.
        why: String,
    },
    /// The flag that says that a message is in ALT storage was wrong.
    Located {
        /// Of the message.
        uid: Uid,
    },
    /// The index did not know whose it is: the mailbox has a new GUID.
    Identified {
        /// The new one.
        guid: Guid,
    },
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped { uid } => write!(f, "uid {uid}: its file is gone: removed"),
            Self::Adopted { uid } => write!(f, "uid {uid}: was not in the index: added"),
            Self::Mended { uid, why } => write!(f, "u.{uid}: {why}: written anew"),
            Self::Quarantined { uid, why } => write!(f, "u.{uid}: {why}: quarantined"),
            Self::Located { uid } => write!(f, "uid {uid}: ALT flag corrected"),
            Self::Identified { guid } => write!(f, "new mailbox GUID {guid}"),
        }
    }
}

/// Where the file of a UID was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    in_primary: bool,
    in_alt: bool,
}

impl Sdbox {
    /// Compares every file with the index and repairs both, or tells what it would do.
    ///
    /// # Errors
    /// Failed calls: what was repaired stays so.
    pub fn resync(&self, mode: Mode) -> Result<Vec<Repair>, Error> {
        let index = self.index()?;
        let mut sync = index.begin_sync().map_err(|error| self.told(error))?;
        let plan = self.plan(&index, &sync, Depth::Frames)?;
        let repairs = plan.repairs();
        if mode == Mode::Repair {
            self.apply(&mut sync, &plan)?;
            self.finish(sync)?;
        }
        Ok(repairs)
    }

    /// Looks whether the index is one of an sdbox, and whether it was repaired since somebody looked.
    pub(crate) fn check(&self, index: &Index) -> Result<(), Error> {
        let state = index.state()?;
        let was_repaired = state.header().get(field::FLAGS) & FSCKD != 0;
        if DboxHeader::of(&state).is_some() && !was_repaired {
            return Ok(());
        }
        let mut sync = index.begin_sync()?;
        let plan = self.plan(index, &sync, Depth::Names)?;
        self.tell(&plan);
        self.apply(&mut sync, &plan)?;
        sync.finish()?;
        Ok(())
    }

    /// A message of the index has no file: perhaps the index says a wrong UID, and there is a file that it
    /// does not know. Those of unfinished saves are left alone.
    pub(crate) fn check_files(&self) -> Result<(), Error> {
        let index = self.index()?;
        let mut sync = index.begin_sync().map_err(|error| self.told(error))?;
        let mut plan = self.plan(&index, &sync, Depth::Names)?;
        let next = sync.state().header().next_uid();
        plan.adopted.retain(|uid| uid.get() < next);
        self.tell(&plan);
        if !plan.is_empty() {
            self.apply(&mut sync, &plan)?;
        }
        self.finish(sync)
    }

    fn tell(&self, plan: &Plan) {
        for repair in plan.repairs() {
            tracing::warn!("{}: {repair}", self.context.place.mail.display());
        }
    }

    /// Adds every file to an index that was lost.
    pub(crate) fn adopt_all(&self, index: &Index) -> Result<(), Error> {
        let mut sync = index.begin_sync()?;
        let plan = self.plan(index, &sync, Depth::Frames)?;
        if plan.is_empty() {
            return Ok(());
        }
        tracing::error!(
            "{}: the index is lost: made anew from the files",
            self.context.place.mail.display()
        );
        self.apply(&mut sync, &plan)?;
        sync.finish()?;
        Ok(())
    }

    /// Files by UID, primary and ALT.
    fn files(&self) -> Result<BTreeMap<Uid, Found>, Error> {
        let mut files: BTreeMap<Uid, Found> = BTreeMap::new();
        for (place, dir) in self.places.dirs() {
            let listed = self.context.fs.read_dir(dir, &mut |file_name, _| {
                if let Some(uid) = name::uid(file_name) {
                    let found = files.entry(uid).or_default();
                    match place {
                        dbox::Place::Primary => found.in_primary = true,
                        dbox::Place::Alt => found.in_alt = true,
                    }
                }
            });
            match listed {
                // ALT storage is made with its first message.
                Err(error) if error.is_not_found() && place == dbox::Place::Alt => {}
                other => other?,
            }
        }
        Ok(files)
    }

    /// The last checkpoint but one, if it is one of an sdbox.
    fn old_state(&self) -> Option<State> {
        let path = self.index_dir().ok()?.join("dovecot.index.backup");
        let file = self.context.fs.read_file_opt(&path, u64::from(u32::MAX));
        let state = State::decode(&file.ok().flatten()?).ok()?;
        DboxHeader::of(&state)?;
        (state.header().uid_validity() != 0).then_some(state)
    }

    /// What an index begins with when neither log nor checkpoint are left, but an older checkpoint is.
    pub(crate) fn backup_index(&self) -> Result<Option<Transaction>, Error> {
        let Some(old) = self.old_state() else {
            return Ok(None);
        };
        let nothing = UidSet::default();
        let plan = Plan::new(&old, &self.files()?, &nothing, nothing.clone());
        let mut transaction = apply::anew(&old, &plan);
        let mut header = plan.header;
        header.rebuild_count = header.rebuild_count.saturating_add(1);
        transaction.extension(&SPEC).set_header(0, &header.encode());
        Ok(Some(transaction))
    }

    fn plan(&self, index: &Index, sync: &IndexSync<'_>, depth: Depth) -> Result<Plan, Error> {
        let files = self.files()?;
        let expunged = index.expunged_in_logs()?;
        let asked = sync.requests().expunges(sync.state());
        let asked = asked.into_iter().filter_map(|(uid, _)| Uid::new(uid));
        let mut plan = Plan::new(sync.state(), &files, &expunged, asked.collect());
        if !plan.adopted.is_empty() {
            let validity = sync.state().header().uid_validity();
            let old = self.old_state();
            plan.old = old.filter(|old| old.header().uid_validity() == validity);
        }
        if depth == Depth::Frames {
            self.examine(&files, &mut plan)?;
        }
        Ok(plan)
    }
}

/// Of the header's flags: somebody has repaired the index, the format is to look.
const FSCKD: u32 = 0x04;

/// The header says from now on that somebody has looked.
fn put_header(transaction: &mut Transaction, sync: &IndexSync<'_>, header: DboxHeader) {
    transaction.extension(&SPEC).set_header(0, &header.encode());
    let flags = sync.state().header().get(field::FLAGS);
    if flags & FSCKD != 0 {
        transaction.set_header_after(field::FLAGS, flags & !FSCKD);
    }
}
