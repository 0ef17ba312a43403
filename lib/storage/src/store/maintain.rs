//! Upkeep that an administrator starts, and each format does its own way.

use std::sync::Arc;

use format_mdbox::Mdbox;
use format_mdbox::rebuild::Extent;
use format_sdbox::Sdbox;
use mailbox::{Access, Error, Expunges, MailStore, MailboxName, UidSet};

use super::Storage;

/// Is anything changed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// No: only told what would be.
    Dry,
    /// Yes.
    Real,
}

/// Where the bytes of messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Where they are saved.
    Primary,
    /// `ALT=`
    Alt,
}

/// What was, or would be, repaired: a line each.
pub type Repairs = Vec<String>;

impl Storage {
    /// Checks mailboxes against what is really there, and repairs them. Mailboxes that share a storage are
    /// repaired with the first of them.
    ///
    /// `told` is called for each with what was found.
    pub fn resync(
        &mut self,
        names: &[MailboxName],
        run: Run,
        told: &mut dyn FnMut(&MailboxName, Result<Repairs, Error>),
    ) {
        let mut done: Vec<Arc<format_mdbox::Storage>> = Vec::new();
        for name in names {
            let repaired = self.resync_one(name, run, &mut done);
            told(name, repaired);
        }
    }

    fn resync_one(
        &mut self,
        name: &MailboxName,
        run: Run,
        done: &mut Vec<Arc<format_mdbox::Storage>>,
    ) -> Result<Repairs, Error> {
        let stored = self.stored(name)?;
        if let Some(sdbox) = stored.as_any().downcast_ref::<Sdbox>() {
            let mode = match run {
                Run::Dry => format_sdbox::rebuild::Mode::DryRun,
                Run::Real => format_sdbox::rebuild::Mode::Repair,
            };
            return Ok(lines(&sdbox.resync(mode)?));
        }
        if let Some(mdbox) = stored.as_any().downcast_ref::<Mdbox>() {
            let storage = mdbox.storage();
            if done.iter().any(|known| Arc::ptr_eq(known, storage)) {
                return Ok(Repairs::new());
            }
            done.push(Arc::clone(storage));
            let run = match run {
                Run::Dry => format_mdbox::rebuild::Run::Dry,
                Run::Real => format_mdbox::rebuild::Run::Real,
            };
            return Ok(lines(&storage.rebuild(Extent::Everything, run)?));
        }
        // Others are read anew whenever they are opened; whoever only looks takes no `\Recent` from them.
        self.open(name, Access::ReadOnly)?.sync(Expunges::Show)?;
        Ok(Repairs::new())
    }

    /// Moves messages of a mailbox to the other storage, if the format has one. An mdbox moves them with its
    /// next purge.
    ///
    /// # Errors
    /// What the format says; some messages may have been moved.
    pub fn altmove(&mut self, name: &MailboxName, uids: &UidSet, to: Tier) -> Result<(), Error> {
        let stored = self.stored(name)?;
        // Nowhere to go: nothing to do.
        if self.place(name)?.alt.is_none() && stored.as_any().is::<Sdbox>() {
            return Ok(());
        }
        let place = match to {
            Tier::Primary => dbox::Place::Primary,
            Tier::Alt => dbox::Place::Alt,
        };
        if let Some(sdbox) = stored.as_any().downcast_ref::<Sdbox>() {
            return sdbox.move_to(uids, place);
        }
        if let Some(mdbox) = stored.as_any().downcast_ref::<Mdbox>() {
            return mdbox.mark_place(uids, place);
        }
        Ok(())
    }

    /// Removes messages that no mailbox refers to, where the format keeps such. `told` is called with the
    /// number of files done and to do.
    ///
    /// # Errors
    /// What the format says; what was done is right.
    pub fn purge(&mut self, told: &mut dyn FnMut(usize, usize)) -> Result<(), Error> {
        let mut done: Vec<Arc<format_mdbox::Storage>> = Vec::new();
        for entry in self.list(&["*".to_owned()])? {
            let stored = self.stored(&entry.name)?;
            let Some(mdbox) = stored.as_any().downcast_ref::<Mdbox>() else {
                continue;
            };
            let storage = mdbox.storage();
            if done.iter().any(|known| Arc::ptr_eq(known, storage)) {
                continue;
            }
            done.push(Arc::clone(storage));
            storage.purge(told)?;
        }
        Ok(())
    }
}

fn lines<T: std::fmt::Display>(found: &[T]) -> Repairs {
    found.iter().map(ToString::to_string).collect()
}
