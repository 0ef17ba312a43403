//! Listing `new/` alone: what a delivery costs in a mailbox of any size.

use std::collections::HashMap;

use sys::fs::FsResult;

use super::{Findings, each_message};
use crate::files::Files;
use crate::maildir::Maildir;
use crate::name;
use crate::record::Place;
use crate::stamp::DirStamp;

/// `None`: something is not as after a delivery, and both directories must be listed. Nothing was
/// changed then.
pub(super) fn scan(maildir: &Maildir, files: &mut Files) -> FsResult<Option<Findings>> {
    let stamp = DirStamp::before_listing(maildir, Place::New)?;
    let mut listed: HashMap<Box<[u8]>, Listed> = HashMap::new();
    let mut twice = false;
    each_message(maildir, Place::New, |file_name| {
        let entry = Listed {
            file_name: file_name.into(),
            position: None,
        };
        twice |= listed.insert(name::base(file_name).into(), entry).is_some();
    })?;
    if twice || !find_records(files, &mut listed) {
        return Ok(None);
    }
    let mut findings = Findings::default();
    for (base, entry) in listed {
        let record = entry.position.and_then(|at| files.records.get_mut(at));
        let Some(record) = record else {
            findings.unknown.push((Place::New, entry.file_name));
            continue;
        };
        let info = entry.file_name.get(base.len()..).unwrap_or_default();
        if !record.is_at(Place::New, info) {
            record.set_file(Place::New, info);
        }
    }
    findings.part_unknown();
    files.new = stamp;
    Ok(Some(findings))
}

struct Listed {
    file_name: Box<[u8]>,
    /// Of its record.
    position: Option<usize>,
}

/// `false`: a file left `new/`, or has its like in `cur/`.
fn find_records(files: &Files, listed: &mut HashMap<Box<[u8]>, Listed>) -> bool {
    for (position, record) in files.records.iter().enumerate() {
        let place = record.file().map(|file| file.place);
        match (place, listed.get_mut(record.base())) {
            (Some(Place::New), None) | (Some(Place::Cur), Some(_)) => return false,
            (_, Some(entry)) => entry.position = Some(position),
            (_, None) => {}
        }
    }
    true
}
