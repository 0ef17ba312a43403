//! Copying messages between sdboxes: hard links, or whole files where links are not to be had.
//! FORMATS.md §3.2. The copy has the GUID, the INTERNALDATE and the attachments of the original.

use std::sync::Arc;

use dbox::temp;
use index::cache::FieldId;
use index::state::State;
use index_view::{Removal, change};
use mailbox::{Copied, Error, Flags, Keyword, Uid, UidSet};

use crate::placed::{Pending, Source, Temp};
use crate::sdbox::Sdbox;

/// Copies messages of a view with flags and keywords; all that are there, or none.
///
/// # Errors
/// Nothing was copied.
pub(crate) fn copy(
    from: &Arc<Sdbox>,
    state: &State,
    uids: &UidSet,
    to: &Arc<Sdbox>,
) -> Result<Copied, Error> {
    let uids = change::removed(state, uids, Removal::All);
    let is_near = from.is_near(to)?;
    let mut copied = Vec::with_capacity(uids.len());
    let mut pending = Vec::with_capacity(uids.len());
    for uid in uids {
        match pending_copy(from, state, uid, to, is_near) {
            Ok(message) => {
                copied.push(uid);
                pending.push(message);
            }
            Err(Error::Expunged) => {}
            Err(error) => return Err(error),
        }
    }
    let committed = to.commit(pending)?;
    let pairs = copied.into_iter().zip(&committed.uids);
    let from = pairs.filter_map(|(from, to)| to.map(|_| from)).collect();
    Ok(Copied {
        uid_validity: committed.appended.uid_validity,
        from,
        to: committed.appended.uids,
    })
}

fn pending_copy(
    from: &Arc<Sdbox>,
    state: &State,
    uid: Uid,
    to: &Arc<Sdbox>,
    is_near: Distance,
) -> Result<Pending, Error> {
    let seq = state.seq(uid).ok_or(Error::Expunged)?;
    let set = state.keyword_set(seq).unwrap_or_default();
    let names = state.keywords();
    let keywords = set.iter().filter_map(|bit| names.get(bit));
    let source = match is_near {
        Distance::SameFileSystem => Source::Linked {
            from: Arc::clone(from),
            uid,
        },
        Distance::Elsewhere => Source::Temp(to.copy_bytes(from, uid)?),
    };
    Ok(Pending {
        source,
        flags: state.flags(seq).unwrap_or_default().without(Flags::RECENT),
        keywords: keywords
            .filter_map(|name| Keyword::new(name).ok())
            .collect(),
        attachments: from.attachments_of(state, uid)?,
        // The file's time of change is that of the last link.
        known: vec![(FieldId::DATE_SAVE, temp::now().to_le_bytes().to_vec())],
    })
}

/// Can a file of one be linked into the other?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distance {
    SameFileSystem,
    Elsewhere,
}

impl Sdbox {
    fn is_near(&self, other: &Self) -> Result<Distance, Error> {
        let device = |sdbox: &Self| -> Result<u64, Error> {
            let stat = sdbox.context.fs.stat_opt(&sdbox.context.place.mail)?;
            stat.map(|stat| stat.dev).ok_or_else(|| sdbox.not_found())
        };
        Ok(match device(self)? == device(other)? {
            true => Distance::SameFileSystem,
            false => Distance::Elsewhere,
        })
    }

    /// A copy of a message's file in a temporary file of ours, durable.
    pub(crate) fn copy_bytes(&self, from: &Sdbox, uid: Uid) -> Result<Temp, Error> {
        let (file, message) = from.open_mail(uid)?;
        self.new_file(|writer| {
            writer
                .copy(&file, &message, &message.metadata)
                .map(|_extent| ())
        })
    }
}
