//! What the cache wants to know of a message that is being saved, read out of it as it is written.

use index_cache::FieldId;
use mailbox::cache::{Seen, Taken};
use mailbox::{Lacks, Uid};
use message::Parser;

use super::Cached;

/// Sees the bytes of one message in the form in which they are stored.
#[derive(Debug)]
pub struct SaveWatch {
    wanted: Vec<(FieldId, String)>,
    seen: Seen,
    /// `None`: the header is all that anybody wants.
    parser: Option<Parser>,
}

impl Cached {
    /// For a message that comes next.
    #[must_use]
    pub fn watch(&self) -> SaveWatch {
        let wanted = self.index.state().map(|state| {
            let next = Uid::new(state.header().next_uid()).unwrap_or(Uid::MAX);
            let cache = self.cache(&state);
            cache.named(&cache.wanted(next, &super::facts(&state)))
        });
        // An index that cannot be read is told by the save.
        SaveWatch::new(wanted.unwrap_or_default())
    }
}

impl SaveWatch {
    fn new(wanted: Vec<(FieldId, String)>) -> Self {
        let reads_all = wanted
            .iter()
            .any(|(id, _)| id.read_from() == Lacks::Message);
        Self {
            wanted,
            seen: Seen::default(),
            parser: reads_all.then(Parser::new),
        }
    }

    /// The next bytes.
    pub fn see(&mut self, bytes: &[u8]) {
        self.seen.see(bytes);
        if let Some(parser) = &mut self.parser {
            parser.feed(bytes);
        }
    }

    /// The message is complete: what is to be cached of it, and of that which its mailbox knows.
    #[must_use]
    pub fn finish(self, known: Vec<(FieldId, Vec<u8>)>) -> Vec<(FieldId, Vec<u8>)> {
        let (wanted, nuls) = (self.wanted, self.seen.nuls());
        let is_wanted = |id: &FieldId| wanted.iter().any(|(wanted, _)| wanted == id);
        let known = known.into_iter().filter(|(id, _)| is_wanted(id));
        let mut values: Vec<_> = known.collect();
        let taken = match self.parser.map(Parser::finish) {
            None => self
                .seen
                .header_size()
                .and_then(|size| self.seen.header(size)),
            Some(message) => {
                let header = self.seen.header(message.root().header.size);
                header.map(|header| Taken {
                    message: Some(message),
                    nuls,
                    ..header
                })
            }
        };
        if let Some(taken) = taken {
            for (id, value) in index_cache::values(&taken.lesson(), &wanted) {
                if !values.iter().any(|(known, _)| *known == id) {
                    values.push((id, value));
                }
            }
        }
        values
    }
}
