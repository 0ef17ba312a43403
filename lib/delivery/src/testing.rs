//! A mail store in memory, for the tests of this crate.

use std::collections::BTreeMap;
use std::io::{self, Read};

use mailbox::{
    Access, Appended, Copied, Error, ListEntry, MailStore, Mailbox, MailboxName, NamespaceInfo,
    NewMail, Save, SpecialUse, Status, Uid, UidSet, UidValidity,
};

/// Mailboxes with their messages.
#[derive(Default)]
pub(crate) struct Store {
    mailboxes: BTreeMap<String, Vec<Vec<u8>>>,
    pub(crate) subscribed: Vec<String>,
    pub(crate) full: bool,
    /// Of all mails, in their order.
    pub(crate) senders: Vec<Option<String>>,
}

impl Store {
    pub(crate) fn with(names: &[&str]) -> Self {
        let mailboxes = names
            .iter()
            .map(|name| ((*name).to_owned(), Vec::new()))
            .collect();
        Self {
            mailboxes,
            ..Self::default()
        }
    }

    pub(crate) fn mails(&self, name: &str) -> &[Vec<u8>] {
        self.mailboxes.get(name).map_or(&[], Vec::as_slice)
    }
}

struct Saving<'a> {
    mails: &'a mut Vec<Vec<u8>>,
    senders: &'a mut Vec<Option<String>>,
    new: Vec<Vec<u8>>,
    full: bool,
}

impl Save for Saving<'_> {
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        self.senders.push(mail.envelope_sender.clone());
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).map_err(Error::Input)?;
        self.new.push(bytes);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Appended, Error> {
        if self.full {
            let source = io::ErrorKind::StorageFull.into();
            return Err(Error::Syscall {
                call: "write",
                path: "/x".into(),
                source,
            });
        }
        self.mails.extend(self.new);
        Ok(Appended {
            uid_validity: UidValidity::new(1).unwrap(),
            uids: vec![Uid::new(1).unwrap()],
        })
    }
}

const NOT_HERE: Error = Error::NotPossible {
    why: "not in this store",
};

impl MailStore for Store {
    fn namespaces(&self) -> Vec<NamespaceInfo> {
        Vec::new()
    }

    fn list(&mut self, _patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        Err(NOT_HERE)
    }

    fn list_subscribed(&mut self, _patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        Err(NOT_HERE)
    }

    fn special_use(&self, _name: &MailboxName) -> Vec<SpecialUse> {
        Vec::new()
    }

    fn open(&mut self, _name: &MailboxName, _access: Access) -> Result<Box<dyn Mailbox>, Error> {
        Err(NOT_HERE)
    }

    fn status(&mut self, _name: &MailboxName) -> Result<Status, Error> {
        Err(NOT_HERE)
    }

    fn create(&mut self, name: &MailboxName) -> Result<(), Error> {
        self.mailboxes.insert(name.to_string(), Vec::new());
        Ok(())
    }

    fn delete(&mut self, _name: &MailboxName) -> Result<(), Error> {
        Err(NOT_HERE)
    }

    fn rename(&mut self, _from: &MailboxName, _to: &MailboxName) -> Result<(), Error> {
        Err(NOT_HERE)
    }

    fn subscribe(&mut self, name: &MailboxName) -> Result<(), Error> {
        self.subscribed.push(name.to_string());
        Ok(())
    }

    fn unsubscribe(&mut self, _name: &MailboxName) -> Result<(), Error> {
        Err(NOT_HERE)
    }

    fn begin_save(&mut self, name: &MailboxName) -> Result<Box<dyn Save + '_>, Error> {
        let full = self.full;
        match self.mailboxes.get_mut(name.as_str()) {
            Some(mails) => Ok(Box::new(Saving {
                mails,
                senders: &mut self.senders,
                new: Vec::new(),
                full,
            })),
            None => Err(Error::NotFound {
                mailbox: name.clone(),
            }),
        }
    }

    fn copy(
        &mut self,
        _from: &mut dyn Mailbox,
        _uids: &UidSet,
        _to: &MailboxName,
    ) -> Result<Copied, Error> {
        Err(NOT_HERE)
    }
}
