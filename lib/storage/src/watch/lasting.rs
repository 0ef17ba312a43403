//! Changes of one mailbox told by a descriptor alone, for a session that rests outside of this process.
//!
//! The files themselves are watched, not their directories: nobody sorts the events, each of them must matter.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use mailbox::{Error, Place};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::location::Format;

/// A file that grows, is replaced, or goes.
const FILE: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// A directory whose files come, go, or change their names.
const DIRECTORY: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// The file that every change goes to which is in an index.
const LOG: &str = "dovecot.index.log";

/// An inotify instance that tells of changes from now on. `None`: no file tells of them.
///
/// # Errors
/// What inotify_init1(2) and inotify_add_watch(2) say; [`Error::NotFound`] is not among it.
pub fn lasting(format: Format, place: &Place) -> Result<Option<OwnedFd>, Error> {
    let log = place.index.as_ref().map(|index| index.join(LOG));
    let mail: Vec<(PathBuf, WatchFlags)> = match format {
        Format::Maildir => ["new", "cur"]
            .map(|part| (place.mail.join(part), DIRECTORY))
            .into(),
        Format::Mbox => vec![(place.mail.clone(), FILE)],
        // All that happens to it happens to its log.
        Format::Sdbox | Format::Mdbox => match &log {
            Some(_) => Vec::new(),
            None => return Ok(None),
        },
    };
    let path = place.mail.as_path();
    let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
    let instance = inotify::init(flags).map_err(failed("inotify_init1", path))?;
    for (path, changes) in &mail {
        let added = inotify::add_watch(&instance, path, *changes);
        added.map_err(failed("inotify_add_watch", path))?;
    }
    if let Some(log) = &log {
        match inotify::add_watch(&instance, log, FILE) {
            // Maildir and mbox may have none yet.
            Err(Errno::NOENT) if !mail.is_empty() => {}
            added => drop(added.map_err(failed("inotify_add_watch", log))?),
        }
    }
    Ok(Some(instance))
}

fn failed(call: &'static str, path: &Path) -> impl Fn(Errno) -> Error {
    move |error| Error::Syscall {
        call,
        path: path.to_owned(),
        source: error.into(),
    }
}
