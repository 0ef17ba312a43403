//! `LAYOUT=index`: what a mailbox knows of itself, for whoever must make the list anew. FORMATS.md §1.10.

use index::{ExtSpec, State, Transaction};
use mailbox::Guid;

/// The extension that has the name.
pub const BOX_NAME: &str = "box-name";

/// A mailbox that the list index knows by name and GUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Levels of its name, in storage encoding.
    pub levels: Vec<String>,
    /// Its identity, and the name of its directory.
    pub guid: Guid,
}

impl Listed {
    /// Writes the name, if the index does not have it already.
    pub fn put_name(&self, state: &State, transaction: &mut Transaction) {
        let mut name = self.levels.join("\0").into_bytes();
        let before = state.ext_header(BOX_NAME).unwrap_or_default();
        // Headers do not shrink: NULs behind the name are not of it.
        name.resize(name.len().max(before.len()), 0);
        if name == before {
            return;
        }
        let spec = ExtSpec {
            name: BOX_NAME,
            header_size: u32::try_from(name.len()).unwrap_or(u32::MAX),
            record_size: 0,
            record_align: 0,
        };
        transaction.extension(&spec).set_header(0, &name);
    }
}

/// The name that an index has, levels separated by `/`; `None`: none.
#[must_use]
pub fn name_of(state: &State) -> Option<String> {
    let bytes = state.ext_header(BOX_NAME)?;
    let end = bytes.iter().rposition(|byte| *byte != 0)?;
    let name = bytes.get(..=end)?;
    Some(String::from_utf8_lossy(name).replace('\0', "/"))
}
