//! Copying messages between Maildirs: hard links, or whole files where links are not to be had.

use std::io::Read;
use std::sync::Arc;

use index::State;
use mailbox::{Copied, Error, Keyword, NewMail, Uid, UidSet};
use sys::fs::{FsError, FsFile, Time};

use crate::files::uids_in;
use crate::maildir::Maildir;
use crate::save::{Saving, tmp_path};
use crate::settings::Copies;
use crate::unique;

/// One message to be copied.
struct Source {
    uid: Uid,
    base: Vec<u8>,
    guid: Vec<u8>,
    mail: NewMail,
}

/// Copies messages with flags, keywords, INTERNALDATE and GUID; all that are there, or none.
///
/// # Errors
/// Nothing was copied.
pub fn copy(from: &Maildir, uids: &UidSet, to: &Arc<Maildir>) -> Result<Copied, Error> {
    let state = from.synced()?;
    let sources = from.sources(&state, uids)?;
    let mut saving = Saving::begin(Arc::clone(to));
    let mut copied = Vec::with_capacity(sources.len());
    for source in sources {
        match saving.copy_one((from, &state), &source) {
            Ok(()) => copied.push(source.uid),
            Err(Error::Expunged) => {}
            Err(error) => return Err(error),
        }
    }
    let appended = saving.commit()?;
    Ok(Copied {
        uid_validity: appended.uid_validity,
        from: copied,
        to: appended.uids,
    })
}

impl Maildir {
    fn sources(&self, state: &State, uids: &UidSet) -> Result<Vec<Source>, Error> {
        let mut files = self.files();
        let mut sources = Vec::new();
        for uid in uids_in(state, uids).into_iter().filter_map(Uid::new) {
            self.know_name(&mut files, state, uid)?;
            let (Some(seq), Some(record)) = (state.seq(uid), files.record(uid.get())) else {
                continue;
            };
            let set = state.keyword_set(seq).unwrap_or_default();
            let names = set.iter().filter_map(|bit| state.keywords().get(bit));
            let mail = NewMail {
                flags: state.flags(seq).unwrap_or_default(),
                keywords: names.filter_map(|name| Keyword::new(name).ok()).collect(),
                ..NewMail::default()
            };
            let (base, guid) = (record.base().to_vec(), record.guid().to_vec());
            sources.push(Source {
                uid,
                base,
                guid,
                mail,
            });
        }
        Ok(sources)
    }
}

impl Saving {
    fn copy_one(&mut self, from: (&Maildir, &State), source: &Source) -> Result<(), Error> {
        if self.maildir().options.copies == Copies::Linked {
            match self.link(from, source) {
                Err(Error::Syscall { source: error, .. }) if needs_whole_file(&error) => {}
                other => return other,
            }
        }
        self.copy_whole(from, source)
    }

    fn link(&mut self, (from, state): (&Maildir, &State), source: &Source) -> Result<(), Error> {
        let tmp = tmp_path(self.maildir(), &unique::base_name());
        let fs = self.maildir().fs.clone();
        from.with_path((state, source.uid), |path| fs.link(path, &tmp))?;
        self.add(tmp, source.base.clone(), Some(&source.guid), &source.mail);
        Ok(())
    }

    fn copy_whole(
        &mut self,
        (from, state): (&Maildir, &State),
        source: &Source,
    ) -> Result<(), Error> {
        let mut original = from.open_message(state, source.uid)?;
        let mtime = original.stat()?.mtime;
        let file = self.new_file(&source.mail)?;
        copy_bytes(&mut original, &file)?;
        self.finish_whole(&file, mtime)?;
        self.name_last(&source.base, &source.guid);
        Ok(())
    }

    fn finish_whole(&self, file: &FsFile, mtime: Time) -> Result<(), Error> {
        file.set_mtime(mtime)?;
        Ok(self.maildir().settings.durability.sync_all(file)?)
    }
}

fn copy_bytes(from: &mut FsFile, to: &FsFile) -> Result<(), Error> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => to.append(chunk.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => {
                let path = from.path().to_owned();
                return Err(FsError {
                    call: "read",
                    path,
                    source,
                }
                .into());
            }
        }
    }
}

/// Another file system, too many links, or a file system or kernel setting that forbids them.
fn needs_whole_file(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::CrossesDevices
            | ErrorKind::TooManyLinks
            | ErrorKind::PermissionDenied
            | ErrorKind::Unsupported
    )
}
