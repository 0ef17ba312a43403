//! Finding the file of a message. Directories are listed only where its name cannot be told: the uidlist
//! knows its base, and the index its flags, of which the rest is made.

use std::path::{Path, PathBuf};

use index::State;
use mailbox::{Error, Seq, Uid};
use sys::fs::{FsError, FsResult, join};

use crate::files::Files;
use crate::maildir::Maildir;
use crate::name::{self, Letters};
use crate::record::Place;
use crate::scan::Stale;

/// Where a file may be.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub place: Place,
    pub file_name: Vec<u8>,
}

impl Candidate {
    pub(crate) fn path(&self, maildir: &Maildir) -> PathBuf {
        join(&maildir.dir().join(self.place.dir()), &self.file_name)
    }
}

/// Were the directories listed for a file that was not where we thought?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Searched {
    #[default]
    NotYet,
    Everywhere,
}

impl Maildir {
    /// Where a message's file is, else where it should be by what the index says.
    pub(crate) fn candidates(&self, files: &Files, state: &State, uid: u32) -> Vec<Candidate> {
        let Some(record) = files.record(uid) else {
            return Vec::new();
        };
        if let (Some(file), Some(file_name)) = (record.file(), record.file_name()) {
            return vec![Candidate {
                place: file.place,
                file_name: file_name.to_vec(),
            }];
        }
        let base = record.base();
        let seq = Uid::new(uid).and_then(|uid| state.seq(uid));
        let flags = seq.and_then(|seq| state.flags(seq)).unwrap_or_default();
        let letters = seq.map_or_else(Letters::default, |seq| letters(files, state, seq));
        vec![
            Candidate {
                place: Place::Cur,
                file_name: name::with_flags(base, flags, letters),
            },
            Candidate {
                place: Place::New,
                file_name: base.to_vec(),
            },
        ]
    }

    /// Does something with a message's file; if it is not where we think, lists the directories, once.
    /// `None`: it is gone.
    pub(crate) fn at_file<T>(
        &self,
        files: &mut Files,
        (state, uid): (&State, u32),
        searched: &mut Searched,
        mut act: impl FnMut(&mut Files, &Candidate) -> FsResult<T>,
    ) -> Result<Option<T>, FsError> {
        loop {
            for candidate in self.candidates(files, state, uid) {
                match act(files, &candidate) {
                    Err(error) if error.is_not_found() => {}
                    other => return other.map(Some),
                }
            }
            if std::mem::replace(searched, Searched::Everywhere) == Searched::Everywhere {
                return Ok(None);
            }
            crate::scan::scan(self, files, (state, Stale::Both))?;
            // What else has changed is for the next one who looks.
            files.forget_dirs();
        }
    }

    /// Does something with the path of a message that a session wants to read.
    ///
    /// # Errors
    /// [`Error::Expunged`]; what `act` failed with.
    pub(crate) fn with_path<T>(
        &self,
        (state, uid): (&State, Uid),
        mut act: impl FnMut(&Path) -> FsResult<T>,
    ) -> Result<T, Error> {
        let mut files = self.files();
        self.know_name(&mut files, state, uid)?;
        let mut searched = Searched::NotYet;
        let done = self.at_file(
            &mut files,
            (state, uid.get()),
            &mut searched,
            |_, candidate| act(&candidate.path(self)),
        )?;
        done.ok_or(Error::Expunged)
    }

    /// Reads the list, unless it was read with this message in it; and the names of letters.
    pub(crate) fn know_name(
        &self,
        files: &mut Files,
        state: &State,
        uid: Uid,
    ) -> Result<(), Error> {
        if files.record(uid.get()).is_none() {
            self.read_list(files, state)?;
        }
        if files
            .record(uid.get())
            .is_some_and(|record| !record.has_file())
        {
            self.read_keywords(files)?;
        }
        Ok(())
    }
}

/// The letters of a message's keywords, as far as they have any.
pub(crate) fn letters(files: &Files, state: &State, seq: Seq) -> Letters {
    let set = state.keyword_set(seq).unwrap_or_default();
    let names = set.iter().filter_map(|bit| state.keywords().get(bit));
    let keywords = names.filter_map(|name| mailbox::Keyword::new(name).ok());
    let letters = keywords.filter_map(|keyword| files.keywords.index(&keyword));
    Letters(letters.fold(0, |letters, letter| letters | 1 << letter))
}
