//! What a session leaves behind in the list index: numbers of mailboxes that it may have changed.

use std::io::Read;

use mailbox::{Appended, Error, NewMail, Save};

use crate::list::Keeper;

/// The mailbox that a session has open, or had last: its numbers are noted when the next one is opened,
/// or the session ends.
#[derive(Default)]
pub struct Visit(Option<Keeper>);

impl Visit {
    /// On to the next one.
    pub fn go_to(&mut self, keeper: Option<Keeper>) {
        self.end();
        self.0 = keeper;
    }

    fn end(&mut self) {
        if let Some(keeper) = self.0.take() {
            keeper.note();
        }
    }
}

/// Another session is nowhere yet.
impl Clone for Visit {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.end();
    }
}

/// A save after which the mailbox's numbers are noted.
pub struct Noted<'s> {
    /// The format's.
    pub save: Box<dyn Save + 's>,
    /// Of the mailbox.
    pub keeper: Keeper,
}

impl Save for Noted<'_> {
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        self.save.save(mail, body)
    }

    fn commit(self: Box<Self>) -> Result<Appended, Error> {
        let appended = self.save.commit()?;
        self.keeper.note();
        Ok(appended)
    }
}
