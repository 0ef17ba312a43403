//! Doing to the files what the index has been asked for: by us a moment ago, or by somebody who died over it.
//!
//! A flag that the file cannot be given stays in the index, marked dirty (FORMATS.md §4.4); so does a keyword
//! that has no letter. The index is then all that has it, and must last.

use std::collections::BTreeSet;

use index::log::record::UidRange;
use index::state::field;
use index::{IndexSync, State, Transaction};
use mailbox::{Error, Keyword, Seq, Uid};
use sys::fs::dotlock::Dotlock;
use sys::fs::{FsResult, join};

use crate::assign::Keep;
use crate::ext::DIRTY;
use crate::files::Files;
use crate::keywords::Keywords;
use crate::locate::{Candidate, Searched};
use crate::maildir::Maildir;
use crate::name::{self, Letters};
use crate::open::{Kept, Opened};
use crate::record::Place;
use crate::stamp::OwnChange;
use crate::uidlist::write::{self, Making};

/// Some record has [`DIRTY`]; a bit of the index's flags. FORMATS.md §1.1.
const HAVE_DIRTY: u32 = 2;

/// What has been done so far.
#[derive(Default)]
struct Done {
    searched: Searched,
    /// Directories that lost or got a file.
    touched: Vec<Place>,
    /// Messages whose files could not be given their flags, and why the first could not.
    dirty: Vec<Uid>,
    why: Option<Error>,
    /// Messages whose files have them again.
    cleaned: Vec<Uid>,
    expunged: Vec<(u32, [u8; 16])>,
}

impl Done {
    fn touch(&mut self, place: Place) {
        if !self.touched.contains(&place) {
            self.touched.push(place);
        }
    }
}

impl Maildir {
    /// `before`: a state in which messages had the flags that their files may still have.
    pub(crate) fn perform(
        &self,
        files: &mut Files,
        sync: &mut IndexSync<'_>,
        (opened, lock, before): (&Opened, &Dotlock, &State),
    ) -> Result<(), Error> {
        let state = std::sync::Arc::clone(sync.state());
        let requests = sync.requests();
        let expunges = requests.expunges(&state);
        let goes: BTreeSet<u32> = expunges.iter().map(|(uid, _)| *uid).collect();
        let mut changed = requests.changed(&state);
        changed.extend(dirty(&state));
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|uid| !goes.contains(uid));
        if changed.is_empty() && expunges.is_empty() {
            return Ok(());
        }
        self.read_list(files, before)?;
        self.read_keywords(files)?;
        let needs_log = self.give_letters(files, (&state, &changed), lock)?;
        let own = OwnChange::begin(self, files, Place::ALL)?;
        let mut done = Done::default();
        for uid in changed {
            self.give_flags(files, (&state, before), uid, &mut done);
        }
        let removed = expunges.into_iter().try_for_each(|(uid, guid)| {
            self.remove_file_of(files, (before, uid), &mut done)?;
            done.expunged.push((uid, guid));
            Ok::<_, Error>(())
        });
        let synced = done.touched.iter().try_for_each(|place| {
            let dir = self.dir().join(place.dir());
            self.settings.durability.sync_dir(&self.fs, &dir)
        });
        own.end(self, files);
        synced?;
        if opened.kept != Kept::OnDisk
            && let Some(why) = done.why.take()
        {
            return Err(why);
        }
        self.write_facts(files, (sync, opened), (done, needs_log))?;
        removed
    }

    fn write_facts(
        &self,
        files: &mut Files,
        (sync, opened): (&mut IndexSync<'_>, &Opened),
        (done, needs_log): (Done, bool),
    ) -> Result<(), Error> {
        let state = std::sync::Arc::clone(sync.state());
        let mut facts = Transaction::external();
        if let Some(why) = &done.why {
            tracing::warn!("{why}; the flags are in the index alone");
        }
        if needs_log || !done.dirty.is_empty() {
            facts.make_durable();
        }
        for (uids, add, remove) in [(done.dirty, DIRTY, 0), (done.cleaned, 0, DIRTY)] {
            for uid in uids {
                let (first, last) = (uid.get(), uid.get());
                facts.update_flags_of(UidRange { first, last }, add, remove);
            }
        }
        for (uid, guid) in &done.expunged {
            facts.expunge(*uid, *guid);
        }
        files.header(&state, None).put(&state, &mut facts);
        sync.commit(&facts).map_err(|error| self.told(error))?;
        let gone = done.expunged.iter().filter_map(|(uid, _)| Uid::new(*uid));
        opened.cached.expunged(&state, gone);
        match self.compact(files, sync) {
            // All that was asked for is done.
            Err(error) if error.is_disk_full() => tracing::debug!("{error}"),
            other => other?,
        }
        Ok(())
    }

    /// A list that has mostly lines of messages that are gone is written anew.
    fn compact(&self, files: &mut Files, sync: &mut IndexSync<'_>) -> Result<(), Error> {
        let state = std::sync::Arc::clone(sync.state());
        let is_known = files.next_uid <= state.header().next_uid().into();
        if files.rewrite.is_some() || !is_known || !files.is_mostly_dead(&state) {
            return Ok(());
        }
        self.rewrite(files, files.next_uid, Keep::InIndex(&state))?;
        let mut transaction = Transaction::external();
        let header = files.header(&state, files.list_stamp);
        header.put(&state, &mut transaction);
        sync.commit(&transaction)
            .map(drop)
            .map_err(|error| self.told(error))
    }

    fn give_flags(
        &self,
        files: &mut Files,
        (state, before): (&State, &State),
        uid: u32,
        done: &mut Done,
    ) {
        let Some(seq) = Uid::new(uid).and_then(|uid| state.seq(uid)) else {
            return;
        };
        let flags = state.flags(seq).unwrap_or_default();
        let letters = crate::locate::letters(files, state, seq);
        let was_dirty = state.record(seq).is_some_and(|r| r.flags() & DIRTY != 0);
        let mut searched = done.searched;
        let moved = self.at_file(files, (before, uid), &mut searched, |files, at| {
            let to = name::with_flags(&at.file_name, flags, letters);
            self.rename_to(files, uid, (at, to))
        });
        done.searched = searched;
        match moved {
            Ok(moved) => {
                if moved == Some(Moved::Renamed) {
                    done.touch(Place::Cur);
                }
                if was_dirty {
                    done.cleaned.extend(Uid::new(uid));
                }
            }
            Err(error) => {
                done.why.get_or_insert(error.into());
                if !was_dirty {
                    done.dirty.extend(Uid::new(uid));
                }
            }
        }
    }

    fn rename_to(
        &self,
        files: &mut Files,
        uid: u32,
        (at, to): (&Candidate, Vec<u8>),
    ) -> FsResult<Moved> {
        let from = at.path(self);
        let has_flags = crate::name::flags(&at.file_name) == crate::name::flags(&to);
        let is_known = files.record(uid).is_some_and(|record| record.has_file());
        if has_flags {
            if !is_known {
                self.fs.stat(&from)?;
            }
            return Ok(Moved::WasThere);
        }
        self.move_file(&from, &join(&self.dir().join("cur"), &to))?;
        files.moved_to_cur(uid, &to);
        Ok(Moved::Renamed)
    }

    fn remove_file_of(
        &self,
        files: &mut Files,
        (before, uid): (&State, u32),
        done: &mut Done,
    ) -> Result<(), Error> {
        let mut searched = done.searched;
        let removed = self.at_file(files, (before, uid), &mut searched, |_, at| {
            self.remove_file(&at.path(self)).map(|()| at.place)
        });
        done.searched = searched;
        if let Some(place) = removed? {
            done.touch(place);
        }
        files.removed(uid);
        Ok(())
    }

    /// Letters for the keywords of these messages, as far as there are any left. Tells whether the index
    /// alone has some of them.
    fn give_letters(
        &self,
        files: &mut Files,
        (state, uids): (&State, &[u32]),
        lock: &Dotlock,
    ) -> Result<bool, Error> {
        let mut used = BTreeSet::new();
        for seq in uids.iter().filter_map(|uid| state.seq(Uid::new(*uid)?)) {
            used.extend(state.keyword_set(seq).unwrap_or_default().iter());
        }
        let names = used.into_iter().filter_map(|bit| state.keywords().get(bit));
        let keywords = names.filter_map(|name| Keyword::new(name).ok());
        let keywords: Vec<Keyword> = keywords.collect();
        let (_, left_out) = self.letters_that_fit(files, &keywords, lock)?;
        Ok(left_out)
    }

    /// Letters of keywords; new ones are written down first. Tells whether there was no room for some.
    pub(crate) fn letters_that_fit(
        &self,
        files: &mut Files,
        keywords: &[Keyword],
        _lock: &Dotlock,
    ) -> Result<(Letters, bool), Error> {
        if keywords.is_empty() {
            return Ok((Letters::default(), false));
        }
        self.read_keywords(files)?;
        let mut changed = files.keywords.clone();
        let mut letters = Letters::default();
        let mut left_out = false;
        for keyword in keywords {
            match changed.index_or_add(keyword) {
                Some(index) => letters.0 |= 1 << index,
                None => left_out = true,
            }
        }
        if changed != files.keywords {
            self.write_keywords(&changed)?;
            files.keywords = changed;
            // Read again at the next occasion: it costs less than to be wrong.
            files.keywords_stamp = None;
        }
        Ok((letters, left_out))
    }

    /// Dovecot reads the names again when the second of the file's last change is another one, and goes on with
    /// those it knows otherwise: that second grows with every change.
    fn write_keywords(&self, keywords: &Keywords) -> Result<(), Error> {
        let path = self.keywords_path();
        let making = Making {
            mode: self.settings.file_mode,
            durability: self.settings.durability,
            later_than: self.fs.stat_opt(&path)?.map(|old| old.mtime),
        };
        let content = std::iter::once(keywords.encode());
        write::replace(&self.fs, &path, making, content)?;
        Ok(())
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    Renamed,
    /// Its name says it already.
    WasThere,
}

/// Messages whose flags the index has alone.
fn dirty(state: &State) -> Vec<u32> {
    if state.header().get(field::FLAGS) & HAVE_DIRTY == 0 {
        return Vec::new();
    }
    let seqs = (1..=state.len()).filter_map(Seq::new);
    let records = seqs.filter_map(|seq| state.record(seq));
    let dirty = records.filter(|record| record.flags() & DIRTY != 0);
    dirty.map(|record| record.uid()).collect()
}
