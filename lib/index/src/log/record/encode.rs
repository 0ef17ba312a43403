//! Payloads, written.

use super::{Attribute, Body, ExtIntro, Patch, Toggle, UidRange, kind};
use crate::bytes::{low16, low32, pad4};

/// Appends the payload, perhaps without its last padding; tells the number of its kind.
pub(super) fn payload(body: &Body, to: &mut Vec<u8>) -> u32 {
    match body {
        Body::Append(appends) => {
            for append in appends {
                number(to, append.uid);
                to.extend([append.flags, 0, 0, 0]);
            }
            kind::APPEND
        }
        Body::Expunge(uids) => {
            ranges(to, uids);
            kind::EXPUNGE
        }
        Body::ExpungeGuid(expunges) => {
            for expunge in expunges {
                number(to, expunge.uid);
                to.extend(expunge.guid);
            }
            kind::EXPUNGE_GUID
        }
        Body::FlagUpdate(updates) => {
            for update in updates {
                ranges(to, &[update.uids]);
                to.extend([update.add, update.remove, update.modseq_inc, 0]);
            }
            kind::FLAG_UPDATE
        }
        Body::HeaderUpdate(patches) => {
            patches.iter().for_each(|patch| narrow(to, patch));
            kind::HEADER_UPDATE
        }
        Body::KeywordReset(uids) => {
            ranges(to, uids);
            kind::KEYWORD_RESET
        }
        Body::KeywordUpdate { change, name, uids } => {
            to.extend([u8::from(*change == Toggle::Remove), 0]);
            to.extend(low16(name.len()).to_le_bytes());
            to.extend(name.as_bytes());
            pad4(to);
            ranges(to, uids);
            kind::KEYWORD_UPDATE
        }
        Body::ModseqUpdate(updates) => {
            for (uid, modseq) in updates {
                number(to, *uid);
                to.extend(modseq.to_le_bytes());
            }
            kind::MODSEQ_UPDATE
        }
        Body::AttributeUpdate(list) => {
            attributes(to, list);
            kind::ATTRIBUTE_UPDATE
        }
        other => rest(other, to),
    }
}

fn rest(body: &Body, to: &mut Vec<u8>) -> u32 {
    match body {
        Body::ExtIntro(intros) => {
            intros.iter().for_each(|one| intro(to, one));
            kind::EXT_INTRO
        }
        Body::ExtReset {
            reset_id,
            preserve,
            short,
        } => {
            number(to, *reset_id);
            if !short {
                to.extend([*preserve, 0, 0, 0]);
            }
            kind::EXT_RESET
        }
        Body::ExtHeaderUpdate(patches) => {
            patches.iter().for_each(|patch| narrow(to, patch));
            kind::EXT_HDR_UPDATE
        }
        Body::ExtHeaderUpdate32(patches) => {
            for patch in patches {
                number(to, patch.offset);
                number(to, low32(patch.data.len()));
                to.extend(&patch.data);
                pad4(to);
            }
            kind::EXT_HDR_UPDATE32
        }
        Body::ExtRecordUpdate(entries) => {
            to.extend(entries);
            kind::EXT_REC_UPDATE
        }
        Body::ExtAtomicInc(entries) => {
            for (uid, difference) in entries {
                number(to, *uid);
                to.extend(difference.to_le_bytes());
            }
            kind::EXT_ATOMIC_INC
        }
        Body::IndexUndeleted => {
            number(to, 0);
            kind::INDEX_UNDELETED
        }
        Body::Boundary(size) => {
            number(to, *size);
            kind::BOUNDARY
        }
        Body::Unknown(number, payload) => {
            to.extend(payload);
            *number
        }
        // IndexDeleted; the other kinds have been written above.
        _ => {
            number(to, 0);
            kind::INDEX_DELETED
        }
    }
}

fn number(to: &mut Vec<u8>, value: u32) {
    to.extend(value.to_le_bytes());
}

fn ranges(to: &mut Vec<u8>, uids: &[UidRange]) {
    for range in uids {
        number(to, range.first);
        number(to, range.last);
    }
}

fn narrow(to: &mut Vec<u8>, patch: &Patch) {
    to.extend(low16(usize::try_from(patch.offset).unwrap_or(usize::MAX)).to_le_bytes());
    to.extend(low16(patch.data.len()).to_le_bytes());
    to.extend(&patch.data);
    pad4(to);
}

fn intro(to: &mut Vec<u8>, intro: &ExtIntro) {
    number(to, intro.ext_id.unwrap_or(u32::MAX));
    number(to, intro.reset_id);
    number(to, intro.header_size);
    to.extend(intro.record_size.to_le_bytes());
    to.extend(intro.record_align.to_le_bytes());
    to.extend(intro.flags.to_le_bytes());
    to.extend(low16(intro.name.len()).to_le_bytes());
    to.extend(intro.name.as_bytes());
    pad4(to);
}

fn attributes(to: &mut Vec<u8>, list: &[Attribute]) {
    for attribute in list {
        to.push(match attribute.change {
            Toggle::Add => b'+',
            Toggle::Remove => b'-',
        });
        to.push(attribute.scope);
        to.extend(&attribute.name);
        to.push(0);
    }
    to.push(0);
    pad4(to);
    for attribute in list {
        number(to, attribute.time);
        if attribute.change == Toggle::Add {
            number(to, attribute.value_size);
        }
    }
}
