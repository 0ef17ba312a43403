//! RENAME: directories move, UIDs stay. INBOX: its messages move. RFC 3501 §6.3.5.

use std::path::{Path, PathBuf};

use mailbox::{Access, Error, MailStore, MailboxName, Uid, UidSet};
use sys::fs::{Fs, FsError};

use super::Storage;
use crate::changelog::Event;
use crate::list::List;
use crate::location::Layout;
use crate::namespace::Target;

impl Storage {
    pub(super) fn rename_mailbox(
        &mut self,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), Error> {
        let (source, target) = (self.resolve(from)?, self.resolve(to)?);
        let list = &self.namespace(&source)?.list;
        if list.is_inbox(&source.levels) {
            return self.empty_inbox_into(from, to);
        }
        let not_possible = |why| Err(Error::NotPossible { why });
        if source.namespace != target.namespace {
            return not_possible("Can't rename mailboxes across namespaces.");
        }
        if target.levels.starts_with(&source.levels) {
            return match target.levels.len() == source.levels.len() {
                true => Err(Error::Exists {
                    mailbox: to.clone(),
                }),
                false => not_possible("Can't rename mailbox under itself."),
            };
        }
        list.create_root()?;
        let _lock = list.lock()?;
        if !list.has(&source.levels)? {
            return Err(Error::NotFound {
                mailbox: from.clone(),
            });
        }
        if list.is_inbox(&target.levels) || list.has(&target.levels)? {
            return Err(Error::Exists {
                mailbox: to.clone(),
            });
        }
        if list.location.layout == Layout::Index {
            list.move_name(&source.levels, &target.levels)?;
            if let Err(error) = self.note_listed(&target) {
                tracing::warn!("{error}");
            }
        } else {
            list.must_have_room(&list.place_to_be(&target.levels))?;
            list.rename(&source, &target)?;
            list.note_renamed(&source.levels, &target.levels);
            let root = list.dir(&list.location.root, &source.levels);
            self.shared
                .forget(|place| is_at_or_below(&place.mail, &root));
            self.note_rename(to, &target);
        }
        let namespace = self.namespace(&target)?;
        self.log_changes(
            namespace,
            &[Event::Rename(&namespace.names.plain(&target.levels))],
        );
        Ok(())
    }

    /// Only names have changed; mailboxes are told what theirs is now.
    fn note_listed(&self, target: &Target) -> Result<(), Error> {
        let namespace = self.namespace(target)?;
        let list = &namespace.list;
        for found in list.scan()? {
            if !found.levels.starts_with(&target.levels) {
                continue;
            }
            let place = list.place(&found.levels)?;
            self.shared.forget(|known| Some(known) == place.as_ref());
            if let Some(name) = namespace.display(&found.levels) {
                let below = Target {
                    namespace: target.namespace,
                    levels: found.levels,
                };
                self.note_rename(&name, &below);
            }
        }
        Ok(())
    }

    /// Tells the mailbox. What fails now fails nobody.
    fn note_rename(&self, name: &MailboxName, target: &Target) {
        let noted = self
            .mailbox(name, target)
            .and_then(|mailbox| mailbox.note_rename());
        match noted {
            // A level above mailboxes.
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!("{error}"),
        }
    }

    fn empty_inbox_into(&mut self, inbox: &MailboxName, to: &MailboxName) -> Result<(), Error> {
        self.create(to)?;
        let mut view = self.open(inbox, Access::ReadWrite)?;
        let all = UidSet::from_ranges([(Uid::MIN, Uid::MAX)]);
        let copied = self.copy(&mut *view, &all, to)?;
        view.remove(&copied.from.into_iter().collect())
    }
}

/// `.A` and `.A.B`, or `A` and what is in it.
fn is_at_or_below(dir: &std::path::Path, root: &std::path::Path) -> bool {
    if dir.starts_with(root) {
        return true;
    }
    let below = dir
        .to_str()
        .zip(root.to_str())
        .and_then(|(dir, root)| dir.strip_prefix(root));
    below.is_some_and(|below| below.starts_with('.'))
}

impl List {
    /// All directories of a mailbox and those below it; on failure those that moved move back.
    fn rename(&self, from: &Target, to: &Target) -> Result<(), Error> {
        let mut moves = Vec::new();
        match self.location.layout {
            Layout::Fs | Layout::Index => moves.extend(self.moves(&from.levels, &to.levels)),
            Layout::MaildirPlusPlus => {
                for found in self.scan()? {
                    if let Some(below) = found.levels.strip_prefix(from.levels.as_slice()) {
                        let new = [to.levels.as_slice(), below].concat();
                        moves.extend(self.moves(&found.levels, &new));
                    }
                }
            }
        }
        self.carry_out(&moves)
    }

    /// Of one mailbox: where the mail is, where control and index files are.
    fn moves(&self, from: &[String], to: &[String]) -> Vec<(PathBuf, PathBuf)> {
        // Both are in the same order.
        let moves = self.moving(from).into_iter().zip(self.moving(to));
        moves.collect()
    }

    fn carry_out(&self, moves: &[(PathBuf, PathBuf)]) -> Result<(), Error> {
        let mut done: Vec<&(PathBuf, PathBuf)> = Vec::new();
        let moved = moves.iter().try_for_each(|pair| {
            if self.rename_one(pair)? {
                done.push(pair);
            }
            Ok(())
        });
        let lasting = moved.and_then(|()| self.sync_parents(&done));
        if lasting.is_err() {
            for (from, to) in done.into_iter().rev() {
                if let Err(error) = self.fs.rename(to, from) {
                    tracing::error!("{error}; {} stays renamed", to.display());
                }
            }
        }
        Ok(lasting?)
    }
}

impl List {
    /// `false`: there was no such directory.
    fn rename_one(&self, (from, to): &(PathBuf, PathBuf)) -> Result<bool, FsError> {
        let fs = &self.fs;
        if fs.stat_opt(from)?.is_none() {
            return Ok(false);
        }
        if let Some(parent) = to.parent() {
            fs.mkdir_all(parent, 0o700)?;
        }
        match fs.rename(from, to) {
            // No mailbox has the name: these are of one that Dovecot deleted without its `ALT=`.
            Err(error) if error.is_exists() && !to.starts_with(&self.location.root) => {
                set_aside(fs, to)?;
                fs.rename(from, to)?;
            }
            renamed => renamed?,
        }
        Ok(true)
    }

    fn sync_parents(&self, moves: &[&(PathBuf, PathBuf)]) -> Result<(), FsError> {
        let mut parents: Vec<&Path> = moves
            .iter()
            .flat_map(|(from, to)| [from.parent(), to.parent()])
            .flatten()
            .collect();
        parents.sort_unstable();
        parents.dedup();
        parents
            .into_iter()
            .try_for_each(|dir| self.fs.sync_dir(dir))
    }
}

/// Gives what is left of a mailbox that is no more a name that no mailbox has.
fn set_aside(fs: &Fs, dir: &Path) -> Result<(), FsError> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut nth = 1;
    let aside = loop {
        let aside = dir.with_file_name(format!("..culver-left-{nth}.{name}"));
        if fs.stat_opt(&aside)?.is_none() {
            break aside;
        }
        nth += 1;
    };
    fs.rename(dir, &aside)?;
    let (dir, aside) = (dir.display(), aside.display());
    tracing::warn!("{dir}: left by a mailbox that is no more; now {aside}");
    Ok(())
}
