//! Payloads, read.

use super::{
    Append, Attribute, Body, Expunge, ExtIntro, FlagUpdate, Patch, Toggle, UidRange, kind,
};
use crate::Corruption;
use crate::bytes::{align, array, slice, u16_at, u32_at};

const NEW_EXT: u32 = u32::MAX;

pub(super) fn body(number: u32, payload: &[u8]) -> Result<Body, Corruption> {
    Ok(match number {
        kind::APPEND => Body::Append(entries::<8, _>(payload, append)?),
        kind::EXPUNGE => Body::Expunge(entries::<8, _>(payload, range)?),
        kind::EXPUNGE_GUID => Body::ExpungeGuid(entries::<20, _>(payload, expunge)?),
        kind::FLAG_UPDATE => Body::FlagUpdate(entries::<12, _>(payload, flag_update)?),
        kind::HEADER_UPDATE => Body::HeaderUpdate(patches(payload, narrow)?),
        kind::EXT_INTRO => Body::ExtIntro(intros(payload)?),
        kind::EXT_RESET => ext_reset(payload)?,
        kind::EXT_HDR_UPDATE => Body::ExtHeaderUpdate(patches(payload, narrow)?),
        kind::EXT_HDR_UPDATE32 => Body::ExtHeaderUpdate32(patches(payload, wide)?),
        kind::EXT_REC_UPDATE => Body::ExtRecordUpdate(payload.to_vec()),
        kind::EXT_ATOMIC_INC => Body::ExtAtomicInc(entries::<8, _>(payload, atomic_inc)?),
        kind::KEYWORD_UPDATE => keyword_update(payload)?,
        kind::KEYWORD_RESET => Body::KeywordReset(entries::<8, _>(payload, range)?),
        kind::MODSEQ_UPDATE => Body::ModseqUpdate(entries::<12, _>(payload, modseq)?),
        kind::INDEX_DELETED => Body::IndexDeleted,
        kind::INDEX_UNDELETED => Body::IndexUndeleted,
        kind::BOUNDARY => Body::Boundary(boundary(payload)?),
        kind::ATTRIBUTE_UPDATE => Body::AttributeUpdate(attributes(payload)?),
        other => Body::Unknown(other, payload.to_vec()),
    })
}

/// The size that a BOUNDARY's payload tells.
pub(super) fn boundary(payload: &[u8]) -> Result<u32, Corruption> {
    u32_at(payload, 0).ok_or(Corruption::new(0, "boundary without a size"))
}

fn entries<const N: usize, T>(
    payload: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, Corruption> {
    if !payload.len().is_multiple_of(N) {
        return Err(Corruption::new(
            payload.len(),
            "record ends within an entry",
        ));
    }
    let read = |(number, entry)| {
        read(entry).ok_or(Corruption::new(number * N, "UID is 0 or range is reversed"))
    };
    payload.chunks_exact(N).enumerate().map(read).collect()
}

fn uid(entry: &[u8]) -> Option<u32> {
    u32_at(entry, 0).filter(|uid| *uid > 0)
}

fn append(entry: &[u8]) -> Option<Append> {
    Some(Append {
        uid: uid(entry)?,
        flags: *entry.get(4)?,
    })
}

fn range(entry: &[u8]) -> Option<UidRange> {
    let (first, last) = (uid(entry)?, u32_at(entry, 4)?);
    (first <= last).then_some(UidRange { first, last })
}

fn expunge(entry: &[u8]) -> Option<Expunge> {
    Some(Expunge {
        uid: uid(entry)?,
        guid: array(entry, 4)?,
    })
}

fn flag_update(entry: &[u8]) -> Option<FlagUpdate> {
    let [add, remove, modseq_inc, _] = array(entry, 8)?;
    Some(FlagUpdate {
        uids: range(entry)?,
        add,
        remove,
        modseq_inc,
    })
}

fn atomic_inc(entry: &[u8]) -> Option<(u32, i32)> {
    Some((uid(entry)?, i32::from_le_bytes(array(entry, 4)?)))
}

fn modseq(entry: &[u8]) -> Option<(u32, u64)> {
    let (low, high) = (u32_at(entry, 4)?, u32_at(entry, 8)?);
    Some((u32_at(entry, 0)?, u64::from(high) << 32 | u64::from(low)))
}

/// Offset, size, and bytes of those two.
type PatchHead = (u32, usize, usize);

fn narrow(payload: &[u8], at: usize) -> Option<PatchHead> {
    let (offset, size) = (u16_at(payload, at)?, u16_at(payload, at + 2)?);
    Some((offset.into(), size.into(), 4))
}

fn wide(payload: &[u8], at: usize) -> Option<PatchHead> {
    let (offset, size) = (u32_at(payload, at)?, u32_at(payload, at + 4)?);
    Some((offset, usize::try_from(size).ok()?, 8))
}

fn patches(
    payload: &[u8],
    head: impl Fn(&[u8], usize) -> Option<PatchHead>,
) -> Result<Vec<Patch>, Corruption> {
    let mut patches = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let wrong = Corruption::new(at, "header update is cut short");
        let (offset, size, head) = head(payload, at).ok_or(wrong)?;
        let data = slice(payload, at + head, size).ok_or(wrong)?.to_vec();
        patches.push(Patch { offset, data });
        at = align(at + head + size, 4);
    }
    Ok(patches)
}

fn intros(payload: &[u8]) -> Result<Vec<ExtIntro>, Corruption> {
    let mut intros = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let wrong = Corruption::new(at, "extension intro is cut short");
        let (intro, size) = intro(payload.get(at..).unwrap_or_default()).ok_or(wrong)?;
        intros.push(intro);
        at = align(at + size, 4);
    }
    Ok(intros)
}

fn intro(bytes: &[u8]) -> Option<(ExtIntro, usize)> {
    let name_size = usize::from(u16_at(bytes, 18)?);
    let name = std::str::from_utf8(slice(bytes, 20, name_size)?).ok()?;
    let intro = ExtIntro {
        ext_id: u32_at(bytes, 0).filter(|id| *id != NEW_EXT),
        reset_id: u32_at(bytes, 4)?,
        header_size: u32_at(bytes, 8)?,
        record_size: u16_at(bytes, 12)?,
        record_align: u16_at(bytes, 14)?,
        flags: u16_at(bytes, 16)?,
        name: name.to_owned(),
    };
    Some((intro, 20 + name_size))
}

fn ext_reset(payload: &[u8]) -> Result<Body, Corruption> {
    let reset_id = u32_at(payload, 0).ok_or(Corruption::new(0, "reset without an id"))?;
    Ok(Body::ExtReset {
        reset_id,
        preserve: payload.get(4).copied().unwrap_or(0),
        short: payload.len() == 4,
    })
}

fn keyword_update(payload: &[u8]) -> Result<Body, Corruption> {
    let wrong = Corruption::new(0, "keyword update is cut short");
    let change = match payload.first() {
        Some(0) => Toggle::Add,
        Some(1) => Toggle::Remove,
        _ => return Err(Corruption::new(0, "keyword is neither added nor removed")),
    };
    let size = usize::from(u16_at(payload, 2).ok_or(wrong)?);
    let name = slice(payload, 4, size).ok_or(wrong)?;
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty() && !name.contains('\0'))
        .ok_or(Corruption::new(4, "keyword is no name"))?
        .to_owned();
    let at = align(4 + size, 4);
    let rest = payload.get(at..).ok_or(wrong)?;
    let uids = entries::<8, _>(rest, range).map_err(|wrong| wrong.within(at as u64))?;
    Ok(Body::KeywordUpdate { change, name, uids })
}

fn attributes(payload: &[u8]) -> Result<Vec<Attribute>, Corruption> {
    let wrong = |at: usize| Corruption::new(at, "attribute update is cut short");
    let mut attributes = Vec::new();
    let mut at = 0;
    while payload.get(at).ok_or(wrong(at))? != &0 {
        let rest = payload.get(at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0).ok_or(wrong(at))?;
        let [change, scope, name @ ..] = rest.get(..end).unwrap_or_default() else {
            return Err(wrong(at));
        };
        let change = match change {
            b'+' => Toggle::Add,
            b'-' => Toggle::Remove,
            _ => return Err(Corruption::new(at, "attribute is neither set nor unset")),
        };
        attributes.push(Attribute {
            change,
            scope: *scope,
            name: name.to_vec(),
            time: 0,
            value_size: 0,
        });
        at += end + 1;
    }
    at = align(at + 1, 4);
    for attribute in &mut attributes {
        attribute.time = u32_at(payload, at).ok_or(wrong(at))?;
        at += 4;
        if attribute.change == Toggle::Add {
            attribute.value_size = u32_at(payload, at).ok_or(wrong(at))?;
            at += 4;
        }
    }
    Ok(attributes)
}
