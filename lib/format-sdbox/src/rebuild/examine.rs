//! Which files are messages.

use std::collections::BTreeMap;

use dbox::scan::{self, Piece};
use dbox::{DboxFile, Message};
use mailbox::{Error, Uid};

use super::Found;
use super::plan::Plan;
use crate::name;
use crate::sdbox::Sdbox;

/// What a file is.
pub(super) enum Verdict {
    /// A message.
    Whole,
    /// One that can be had from it, and what is wrong.
    Damaged(DboxFile, Box<Message>, String),
    /// None, and why.
    Hopeless(String),
}

impl Sdbox {
    /// Looks into every file.
    pub(super) fn examine(
        &self,
        files: &BTreeMap<Uid, Found>,
        plan: &mut Plan,
    ) -> Result<(), Error> {
        for &uid in files.keys() {
            // What is moved out of the way goes whatever it is.
            if plan.quarantined.contains_key(&uid) {
                continue;
            }
            match self.verdict(uid)? {
                Some(Verdict::Damaged(_, _, why)) => plan.mended.push((uid, why)),
                Some(Verdict::Hopeless(why)) => plan.reject(uid, why),
                Some(Verdict::Whole) | None => {}
            }
        }
        Ok(())
    }

    /// `None`: the file is gone meanwhile.
    pub(super) fn verdict(&self, uid: Uid) -> Result<Option<Verdict>, Error> {
        let fs = &self.context.fs;
        let Some((path, _)) = self.places.find(fs, &name::of_mail(uid))? else {
            return Ok(None);
        };
        let (mut file, damage) = DboxFile::from_damaged(fs.open_read(&path)?)?;
        let size = file.file().stat()?.size;
        let why = match (damage, file.try_message(file.first_message())?) {
            (None, Ok(message)) if message.end == size => return Ok(Some(Verdict::Whole)),
            (None, Ok(_)) => "bytes behind the message".to_owned(),
            (Some(damage), _) | (None, Err(damage)) => damage.what.to_owned(),
        };
        let mut messages = scan::pieces(&mut file)?.into_iter().filter_map(|piece| {
            match piece {
                // Metadata that end before they name the message are not all of them.
                Piece::Whole(message) => message.guid().is_some().then_some(message),
                Piece::Salvaged(message) => Some(message),
                Piece::Garbage { .. } => None,
            }
        });
        Ok(Some(match messages.next() {
            Some(message) => Verdict::Damaged(file, Box::new(message), why),
            None => Verdict::Hopeless(why),
        }))
    }
}
