//! `dovecot.list.index` of one list: names, and the numbers of mailboxes that need not be opened for
//! them. FORMATS.md §1.11.
//!
//! With directories behind it, it is a memory of what they say: what is damaged is made anew.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use index::list::{Node, SUBS, Tree, flag};
use index::{Created, Index, Options, State, Transaction};
use mailbox::{Error, Guid, Stamp, Status};
use sys::fs::{Fs, FsResult, LockMethod};

/// What one has to know to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Directory of the files.
    pub dir: PathBuf,
    /// `LISTINDEX=`
    pub name: String,
    /// Of what must be made.
    pub settings: mailbox::Settings,
    /// How it is locked.
    pub locks: LockMethod,
}

/// The index of one list, shared by the sessions of a process.
#[derive(Debug)]
pub struct ListIndex {
    fs: Fs,
    kept: Kept,
    open: Mutex<Option<Opened>>,
}

#[derive(Debug)]
struct Opened {
    index: Arc<Index>,
    picture: Option<Picture>,
}

/// The list at one moment.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The index.
    pub state: Arc<State>,
    /// Its names.
    pub tree: Arc<Tree>,
}

/// What is to be remembered of a mailbox.
#[derive(Clone, Debug)]
pub struct Note {
    /// Its numbers.
    pub status: Status,
    /// How it looked before they were asked for.
    pub stamp: Stamp,
    /// Its identity; `None`: as before.
    pub guid: Option<Guid>,
}

impl ListIndex {
    /// Nothing is read or made yet.
    #[must_use]
    pub fn new(fs: Fs, kept: Kept) -> Self {
        Self {
            fs,
            kept,
            open: Mutex::default(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The list as it is on disk now; `None`: there is none.
    ///
    /// # Errors
    /// It cannot be read, or makes no sense.
    pub fn look(&self) -> Result<Option<Picture>, Error> {
        let mut slot = self.slot();
        // Removed and made anew: once more.
        for _ in 0..2 {
            let opened = match slot.take() {
                Some(opened) => opened,
                None => match Index::open(&self.fs, &self.kept.dir, self.options()) {
                    Err(error) if is_gone(&error) => return Ok(None),
                    other => Opened {
                        index: Arc::new(other?),
                        picture: None,
                    },
                },
            };
            match opened.index.refresh() {
                Err(error) if is_gone(&error) => {}
                state => return slot.insert(opened).picture_of(&state?).map(Some),
            }
        }
        Ok(None)
    }

    /// Changes names, in an index that is made if there is none. Nothing changes if `act` fails.
    ///
    /// # Errors
    /// Those of `act`; it cannot be read or written.
    pub fn change<T>(&self, act: impl FnOnce(&mut Tree) -> Result<T, Error>) -> Result<T, Error> {
        let mut slot = self.slot();
        let opened = self.opened(&mut slot)?;
        let index = Arc::clone(&opened.index);
        let mut sync = index.begin_sync()?;
        let picture = opened.picture_of(sync.state())?;
        let mut tree = Tree::clone(&picture.tree);
        let done = act(&mut tree)?;
        let changes = tree.changes(&picture.tree, &picture.state);
        opened.picture = None;
        if !changes.is_empty() {
            sync.commit(&changes)?;
        }
        opened.picture = Some(Picture {
            state: sync.finish()?,
            tree: Arc::new(tree),
        });
        Ok(done)
    }

    /// Remembers the numbers of a mailbox. A name that is not in the list comes into it, below levels that
    /// have `above`, one of [`flag`].
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn note(&self, levels: &[String], above: u8, note: &Note) -> Result<(), Error> {
        let mut slot = self.slot();
        let opened = self.opened(&mut slot)?;
        let index = Arc::clone(&opened.index);
        let mut sync = index.begin_sync()?;
        let mut picture = opened.picture_of(sync.state())?;
        opened.picture = None;
        let known = picture
            .tree
            .find(levels)
            .filter(|node| node.is_selectable());
        let mut changes = match known {
            Some(_) => Transaction::external(),
            None => {
                let mut tree = Tree::clone(&picture.tree);
                put(&mut tree, levels, above);
                let old = std::mem::replace(&mut picture.tree, Arc::new(tree));
                picture.tree.changes(&old, &picture.state)
            }
        };
        let Some(node) = picture.tree.find(levels).cloned() else {
            return Ok(());
        };
        let now = Node {
            guid: note.guid.unwrap_or(node.guid),
            uid_validity: note.status.uid_validity.get(),
            ..node
        };
        if now != node {
            changes.note_node(&now);
            if let Some(node) = Arc::make_mut(&mut picture.tree).get_mut(now.uid) {
                *node = now;
            }
        }
        changes.note_status(node.uid, &note.status);
        for mark in &note.stamp.marks {
            changes.note_mark(node.uid, mark);
        }
        sync.commit(&changes)?;
        picture.state = sync.finish()?;
        opened.picture = Some(picture);
        Ok(())
    }

    /// Tells sessions that wait for it that subscriptions have changed. No index: nobody waits.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn note_subscriptions(&self, now: u32) -> Result<(), Error> {
        if self.look()?.is_none() {
            return Ok(());
        }
        let mut slot = self.slot();
        let index = Arc::clone(&self.opened(&mut slot)?.index);
        let mut sync = index.begin_sync()?;
        let last = sync.state().ext_header(SUBS.name);
        let last = last.and_then(|bytes| Some(u32::from_le_bytes(*bytes.first_chunk()?)));
        let next = last.map_or(now, |last| now.max(last.saturating_add(1)));
        let mut changes = Transaction::external();
        changes.extension(&SUBS).set_header(0, &next.to_le_bytes());
        sync.commit(&changes)?;
        sync.finish()?;
        Ok(())
    }

    /// Takes the files away: what they say is made anew from directories.
    ///
    /// # Errors
    /// The failed call.
    pub fn remove(&self) -> FsResult<()> {
        let mut slot = self.slot();
        *slot = None;
        for suffix in ["", ".log", ".log.2"] {
            let name = format!("{}{suffix}", self.kept.name);
            self.fs.unlink_if_exists(&self.kept.dir.join(name))?;
        }
        Ok(())
    }

    fn opened<'s>(&self, slot: &'s mut Option<Opened>) -> Result<&'s mut Opened, Error> {
        let known = slot.take().filter(|opened| opened.index.refresh().is_ok());
        let opened = match known {
            Some(opened) => opened,
            None => Opened {
                index: Arc::new(self.open_or_create()?),
                picture: None,
            },
        };
        Ok(slot.insert(opened))
    }

    fn open_or_create(&self) -> Result<Index, Error> {
        let (fs, dir) = (&self.fs, &self.kept.dir);
        match Index::open(fs, dir, self.options()) {
            Err(error) if is_gone(&error) => {}
            other => return Ok(other?),
        }
        fs.mkdir_all(dir, self.kept.settings.dir_mode)?;
        let mut tree = Tree::default();
        // Not all is in it: whoever lists first looks.
        tree.ask_for_refresh();
        let mut first = tree.changes_from(&State::empty(0));
        first.set_uid_validity(crate::uidvalidity::now());
        let (index, created) = Index::create(fs, dir, self.options(), &first)?;
        if created == Created::Ours {
            tracing::debug!("{}: new list index", dir.display());
        }
        Ok(index)
    }

    fn options(&self) -> Options {
        Options::list(&self.kept.settings, &self.kept.name)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Opened>> {
        // An index is whole whenever it is in there.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    fn picture_of(&mut self, state: &Arc<State>) -> Result<Picture, Error> {
        let known = self.picture.take();
        let picture = match known.filter(|known| Arc::ptr_eq(&known.state, state)) {
            Some(known) => known,
            None => {
                let tree = Tree::decode(state);
                let tree = tree.map_err(|wrong| wrong.in_file(self.index.log_path()))?;
                Picture {
                    state: Arc::clone(state),
                    tree: Arc::new(tree),
                }
            }
        };
        Ok(self.picture.insert(picture).clone())
    }
}

/// Makes a mailbox of a name, which comes into the tree if it is not there, below levels with `above`. Tells
/// its UID.
pub fn put(tree: &mut Tree, levels: &[String], above: u8) -> Option<u32> {
    for depth in 1..levels.len() {
        let level = levels.get(..depth)?;
        if tree.find(level).is_none() {
            let uid = tree.insert(level)?;
            tree.get_mut(uid)?.flags = above;
        }
    }
    let uid = tree.insert(levels)?;
    let node = tree.get_mut(uid)?;
    node.flags &= !(flag::NONEXISTENT | flag::NOSELECT);
    Some(uid)
}

fn is_gone(error: &index::Error) -> bool {
    matches!(
        error,
        index::Error::NotFound { .. } | index::Error::Deleted { .. }
    )
}
