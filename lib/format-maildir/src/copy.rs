//! Copying messages between Maildirs: hard links, or whole files where links are not to be had.

use std::io::Read;
use std::sync::Arc;

use mailbox::{Copied, Error, Flags, NewMail, Uid, UidSet};
use sys::fs::{FsError, FsFile, Time};

use crate::maildir::Maildir;
use crate::save::{Saving, tmp_path};
use crate::settings::Copies;
use crate::unique;

/// One message to be copied.
struct Source {
    uid: u32,
    base: Vec<u8>,
    guid: Vec<u8>,
    mail: NewMail,
}

/// Copies messages with flags, keywords, INTERNALDATE and GUID; all that are there, or none.
///
/// # Errors
/// Nothing was copied.
pub fn copy(from: &Maildir, uids: &UidSet, to: &Arc<Maildir>) -> Result<Copied, Error> {
    let sources = from.sources(uids)?;
    let mut saving = Saving::begin(Arc::clone(to));
    let mut copied = Vec::with_capacity(sources.len());
    for source in sources {
        match saving.copy_one(from, &source) {
            Ok(()) => copied.extend(Uid::new(source.uid)),
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
    fn sources(&self, uids: &UidSet) -> Result<Vec<Source>, Error> {
        let mut state = self.state();
        self.update(&mut state)?;
        let wanted = state.uids_in(uids);
        let sources = wanted.into_iter().filter_map(|uid| {
            let record = state.record(uid)?;
            let file = record.file()?;
            let keywords = file
                .letters
                .iter()
                .filter_map(|index| state.keywords.name(index));
            let mail = NewMail {
                flags: file.flags.without(Flags::RECENT),
                keywords: keywords.collect(),
                ..NewMail::default()
            };
            let (base, guid) = (record.base().to_vec(), record.guid().to_vec());
            Some(Source {
                uid,
                base,
                guid,
                mail,
            })
        });
        Ok(sources.collect())
    }
}

impl Saving {
    fn copy_one(&mut self, from: &Maildir, source: &Source) -> Result<(), Error> {
        if self.maildir().options.copies == Copies::Linked {
            match self.link(from, source) {
                Err(Error::Syscall { source: error, .. }) if needs_whole_file(&error) => {}
                other => return other,
            }
        }
        self.copy_whole(from, source)
    }

    fn link(&mut self, from: &Maildir, source: &Source) -> Result<(), Error> {
        let tmp = tmp_path(self.maildir(), &unique::base_name());
        let fs = self.maildir().fs.clone();
        from.with_path(source.uid, |path| fs.link(path, &tmp))?;
        self.add(tmp, source.base.clone(), Some(&source.guid), &source.mail);
        Ok(())
    }

    fn copy_whole(&mut self, from: &Maildir, source: &Source) -> Result<(), Error> {
        let mut original = from.open_message(source.uid)?;
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
