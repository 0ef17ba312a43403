//! Looking fields up.

use std::sync::Arc;

use super::Cache;
use super::chain::{Broken, CachedMail, Chains};
use super::field::FieldId;
use super::generation::Generation;
use super::record::Shape;

/// Reads one cache file, whatever happens to the cache meanwhile. Cheap to make.
///
/// Belongs to one picture of the index: what other processes append after the reader has looked at
/// the end of the file may be cut off again, so take another reader after each sync.
#[derive(Debug)]
pub struct Reader {
    cache: Arc<Cache>,
    generation: Arc<Generation>,
    shapes: Arc<[Shape]>,
    chains: Chains,
}

impl Cache {
    /// A reader of the file that `reset_id` of the extension "cache" names; `None`: there is no
    /// such file (any more), so nothing is cached.
    #[must_use]
    pub fn reader(self: &Arc<Self>, reset_id: u32) -> Option<Reader> {
        let (generation, shapes) = self.generation_of(reset_id)?;
        Some(Reader {
            cache: Arc::clone(self),
            chains: Chains::of(&generation.file),
            generation,
            shapes,
        })
    }
}

impl Reader {
    /// `file_seq` of the file that is read.
    #[must_use]
    pub fn file_seq(&self) -> u32 {
        self.generation.file_seq
    }

    /// The cache that this reads from.
    #[must_use]
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Fills `mail` with what is cached at `offset` (the message's link in the index). Without one,
    /// or where the cache is damaged, `mail` is empty; the latter is logged once.
    pub fn read(&mut self, offset: Option<u32>, mail: &mut CachedMail) {
        mail.clear();
        let Some(offset) = offset else {
            return;
        };
        let mut result = self.chains.read(offset, &self.shapes, mail);
        if matches!(result, Err(Broken::UnknownField))
            && let Some(shapes) = self.cache.refreshed(&self.generation)
        {
            // Others have added fields since we looked at the table.
            self.shapes = shapes;
            result = self.chains.read(offset, &self.shapes, mail);
        }
        if let Err(broken) = result {
            mail.clear();
            self.cache.found_broken(&self.generation, broken);
        }
    }

    /// One field of one message; see [`Reader::read`] for several.
    pub fn field(&mut self, offset: Option<u32>, id: FieldId) -> Option<Vec<u8>> {
        let mut mail = CachedMail::default();
        self.read(offset, &mut mail);
        mail.get(id).map(<[u8]>::to_vec)
    }
}
