//! Waiting for changes: inotify on `new/`, `cur/` and the control directory.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use inotify::{Inotify, WatchMask};

use crate::maildir::Place;
use crate::state::State;

/// Readable when something may have changed.
pub(crate) struct Watch {
    inotify: Mutex<Inotify>,
    /// The same descriptor, to be borrowed without the lock.
    fd: std::os::fd::OwnedFd,
}

impl Watch {
    /// `None` where the kernel has no watches left: the session then looks from time to time.
    pub(crate) fn new(place: &Place) -> Option<Self> {
        match Self::try_new(place) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!("inotify on {} failed: {error}", place.dir.display());
                None
            }
        }
    }

    fn try_new(place: &Place) -> std::io::Result<Self> {
        let inotify = Inotify::init()?;
        let names = WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVED_FROM
            | WatchMask::MOVED_TO
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        inotify.watches().add(place.dir.join("new"), names)?;
        inotify.watches().add(place.dir.join("cur"), names)?;
        let fd = inotify.as_fd().try_clone_to_owned()?;
        Ok(Self {
            inotify: Mutex::new(inotify),
            fd,
        })
    }

    /// Takes all events away; tells whether there were any.
    pub(crate) fn drain(&self) -> bool {
        let mut inotify = self.inotify.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 4096];
        let mut any = false;
        loop {
            match inotify.read_events(&mut buffer) {
                Ok(events) => any |= events.count() > 0,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // WouldBlock: nothing more.
                Err(_) => return any,
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl State {
    /// A change was seen that time stamps may be too coarse to tell.
    pub(crate) fn look_again(&mut self) {
        self.new.look_again();
        self.cur.look_again();
    }
}
