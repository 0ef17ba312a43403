//! A condition made ready for one view: what must be learnt of each mail, each thing once.

use std::collections::BTreeSet;

use mailbox::Mailbox;
use message::search::Needle;

use crate::key::{Key, When};
use crate::test::Test;

/// A condition, ready to be asked of each mail of a view.
#[derive(Debug)]
pub struct Search {
    /// What must hold.
    pub(crate) test: Test,
    /// What header keys look for.
    pub(crate) headers: Vec<HeaderKey>,
    /// What body keys look for.
    pub(crate) bodies: Vec<Needle>,
    /// What text keys look for.
    pub(crate) texts: Vec<Needle>,
    /// What of the store's facts anything asks for.
    pub(crate) needs: Needs,
    /// The names of `headers`, each once; `None`: one of them is no text.
    pub(crate) names: Option<Vec<String>>,
}

/// Facts that cost something.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) received: bool,
    pub(crate) saved: bool,
    pub(crate) size: bool,
    pub(crate) guid: bool,
    /// The Date: field.
    pub(crate) sent: bool,
}

/// What a header key looks for, and in which field.
#[derive(Debug)]
pub(crate) struct HeaderKey {
    name: Vec<u8>,
    /// Empty: that the field is there.
    pub(crate) needle: Needle,
}

impl HeaderKey {
    /// As a cache calls it; `None`: it cannot have it.
    pub(crate) fn text(&self) -> Option<String> {
        String::from_utf8(self.name.to_ascii_lowercase()).ok()
    }

    /// Is it about this field?
    pub(crate) fn is_named(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Search {
    /// Finds what the condition names in the view. It is of use as long as the view is not synced.
    #[must_use]
    pub fn new(key: Key, mailbox: &dyn Mailbox) -> Self {
        let mut search = Self {
            test: Test::Always(true),
            headers: Vec::new(),
            bodies: Vec::new(),
            texts: Vec::new(),
            needs: Needs::default(),
            names: None,
        };
        search.test = search.test_of(key, mailbox);
        let names = search.headers.iter().map(HeaderKey::text);
        let names: Option<BTreeSet<String>> = names.collect();
        search.names = names.map(|names| names.into_iter().collect());
        search
    }

    fn tests(&mut self, keys: Vec<Key>, mailbox: &dyn Mailbox) -> Vec<Test> {
        let keys = keys.into_iter();
        keys.map(|key| self.test_of(key, mailbox)).collect()
    }

    fn test_of(&mut self, key: Key, mailbox: &dyn Mailbox) -> Test {
        match key {
            Key::Always(result) => Test::Always(result),
            Key::Seqs(spans) => Test::Seqs(spans),
            Key::Has(flag) => Test::Has(flag),
            Key::Keyword(word) => {
                let number = mailbox.keywords().iter().position(|known| *known == word);
                number.map_or(Test::Always(false), Test::Keyword)
            }
            Key::Received(when) => self.received(when),
            Key::Sent(when) => {
                self.needs.sent = true;
                Test::Sent(when)
            }
            Key::Saved(when) => {
                self.needs.saved = true;
                Test::Saved(when)
            }
            Key::Larger(size) => {
                self.needs.size = true;
                Test::Larger(size)
            }
            Key::Smaller(size) => {
                self.needs.size = true;
                Test::Smaller(size)
            }
            Key::Header { name, needle } => {
                self.headers.push(HeaderKey { name, needle });
                Test::Header(self.headers.len() - 1)
            }
            Key::Body(text) => {
                self.bodies.push(text);
                Test::Body(self.bodies.len() - 1)
            }
            Key::Text(text) => {
                self.texts.push(text);
                Test::Text(self.texts.len() - 1)
            }
            Key::Guid(guid) => {
                self.needs.guid = true;
                Test::Guid(guid)
            }
            Key::Not(key) => Test::Not(Box::new(self.test_of(*key, mailbox))),
            Key::Any(keys) => Test::Any(self.tests(keys, mailbox)),
            Key::Every(keys) => Test::Every(self.tests(keys, mailbox)),
        }
    }

    fn received(&mut self, when: When) -> Test {
        self.needs.received = true;
        Test::Received(when)
    }
}
