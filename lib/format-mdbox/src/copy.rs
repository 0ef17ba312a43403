//! Copying by reference: the map counts one more, the mailbox gets a record of its own. Message bytes
//! stay where they are. FORMATS.md §2.5.

use std::collections::BTreeMap;
use std::sync::Arc;

use dbox::temp;
use index_view::{Removal, View};
use mailbox::{Copied, Error, Keyword, Mailbox, Uid, UidSet};

use crate::mail::Reference;
use crate::map::Picture;
use crate::map::locked::Failed;
use crate::mdbox::Mdbox;
use crate::number::MapUid;
use crate::record::MAX_REFERENCES;
use crate::save::{NewRecord, Saving};

/// Copies messages of a view into a mailbox.
pub(crate) fn copy(
    to: &Arc<Mdbox>,
    from: &mut dyn Mailbox,
    uids: &UidSet,
) -> Result<Copied, Error> {
    let same = from.as_any().downcast_ref::<View<Mdbox>>();
    // Numbers of another storage's map mean nothing here.
    let same = same.filter(|view| Arc::ptr_eq(&view.backend().storage, &to.storage));
    if let Some(view) = same
        && let Some(copied) = by_reference(to, view, uids)?
    {
        return Ok(copied);
    }
    let saving = Box::new(Saving::begin(Arc::clone(to)));
    mailbox::copy_by_saving(from, uids, saving)
}

/// `None`: a message has as many references as it can have, or the map does not know it.
fn by_reference(
    to: &Arc<Mdbox>,
    view: &View<Mdbox>,
    uids: &UidSet,
) -> Result<Option<Copied>, Error> {
    let mut map = to.storage.lock_map()?;
    // What another session has expunged is not copied.
    let now = view.backend().refresh()?;
    let sync = to.lock()?;
    let picture = map.picture();
    let (mut from, mut records) = (Vec::new(), Vec::new());
    let mut counts: BTreeMap<MapUid, i32> = BTreeMap::new();
    for uid in index_view::change::removed(view.state(), uids, Removal::All) {
        let seq = now.seq(uid);
        let Some(reference) = seq.and_then(|seq| Reference::of(&now, seq)) else {
            continue;
        };
        let map_uid = reference.record.map_uid;
        *counts.entry(map_uid).or_default() += 1;
        from.push(uid);
        records.push(record(view, uid, reference));
    }
    if !fit(&picture, &counts) {
        to.finish_both(sync, map);
        return Ok(None);
    }
    map.count(&counts).map_err(Failed::into_error)?;
    let (appended, sync) = to.append(&mut map, sync, &records)?;
    to.finish_both(sync, map);
    Ok(Some(Copied {
        uid_validity: appended.uid_validity,
        from,
        to: appended.uids,
    }))
}

fn fit(picture: &Picture, counts: &BTreeMap<MapUid, i32>) -> bool {
    counts.iter().all(|(&map_uid, &more)| {
        let stored = picture.stored(map_uid);
        stored.is_some_and(|stored| i32::from(stored.references) + more <= MAX_REFERENCES.into())
    })
}

/// Flags and keywords as the session sees them.
fn record(view: &View<Mdbox>, uid: Uid, reference: Reference) -> NewRecord {
    let seen = view.seq(uid).and_then(|seq| view.flags(seq));
    let seen = seen.unwrap_or_default();
    let names = view.keywords();
    let keywords: Vec<Keyword> = seen
        .keywords
        .iter()
        .filter_map(|bit| names.get(bit).cloned())
        .collect();
    NewRecord {
        map_uid: reference.record.map_uid,
        guid: reference.guid,
        flags: seen.flags.index_bits(),
        keywords,
        save_date: temp::now(),
        known: Vec::new(),
    }
}
