//! Whatever the bytes say: no panic, and what we would write of it can be read again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use index::list::Tree;
use index::log::record::kind;
use index::log::{LogHeader, Origin, Walk, size};
use index::{State, mailbox_log};
use mailbox::{Seq, Uid};

fn header() -> Vec<u8> {
    let header = LogHeader {
        minor_version: 3,
        header_size: 40,
        index_id: 7,
        file_seq: 1,
        prev_file_seq: 0,
        prev_file_offset: 0,
        created: 7,
        initial_modseq: 1,
        compat_flags: 1,
    };
    header.encode().to_vec()
}

/// Asks all that a session asks.
fn ask(state: &State) {
    for seq in (1..=state.len()).filter_map(Seq::new) {
        let uid = state.uid(seq).unwrap();
        assert_eq!(state.seq(uid), Some(seq));
        assert_eq!(state.seq_at_least(uid), Some(seq));
        assert!(state.modseq(seq).unwrap() <= state.highest_modseq());
        let keywords = state.keyword_set(seq).unwrap();
        assert!(keywords.iter().all(|at| at < state.keywords().len()));
    }
    assert!(state.seen() <= state.len() && state.deleted() <= state.len());
    let _ = (state.first_unseen(), state.recent(), Tree::decode(state));
    let _ = state.seq_at_least(Uid::new(u32::MAX).unwrap());
}

/// What we would write is sound, and says the same.
fn written_back(state: &State) {
    let again = State::decode(&state.encode()).unwrap();
    assert_eq!(again.keywords(), state.keywords());
    assert_eq!(again.header().next_uid(), state.header().next_uid());
    assert!(again.changes_since(state).is_empty());
    assert!(again.records().eq(state.records()) || again.extension("modseq").is_some());
}

/// Kinds that are there, so that payloads get where they are used.
const KINDS: [u32; 18] = [
    kind::APPEND,
    kind::FLAG_UPDATE,
    kind::HEADER_UPDATE,
    kind::EXT_INTRO,
    kind::EXT_RESET,
    kind::EXT_HDR_UPDATE,
    kind::EXT_REC_UPDATE,
    kind::KEYWORD_UPDATE,
    kind::KEYWORD_RESET,
    kind::EXT_ATOMIC_INC,
    kind::MODSEQ_UPDATE,
    kind::EXPUNGE,
    kind::EXPUNGE_GUID,
    kind::EXT_HDR_UPDATE32,
    kind::INDEX_DELETED,
    kind::INDEX_UNDELETED,
    kind::BOUNDARY,
    kind::ATTRIBUTE_UPDATE,
];

fn record(number: u8, external: bool, payload: &[u8]) -> Vec<u8> {
    let kind = KINDS[usize::from(number) % KINDS.len()];
    let flags = if external { 0x1000_0000 } else { 0 };
    let mut payload = payload.to_vec();
    payload.resize(payload.len().next_multiple_of(4).max(4), 0);
    let mut record = size::encode(u32::try_from(payload.len()).unwrap() + 8)
        .unwrap()
        .to_vec();
    record.extend((kind | flags).to_le_bytes());
    record.extend(payload);
    record
}

#[test]
fn any_records() {
    bolero::check!()
        .with_type::<Vec<(u8, bool, Vec<u8>)>>()
        .for_each(|records| {
            let mut log = header();
            // Something to change: messages, an extension, a keyword.
            log.extend(record(
                0,
                true,
                &[1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0],
            ));
            log.extend(record(
                3,
                true,
                b"\xff\xff\xff\xff\0\0\0\0\x04\0\0\0\x02\0\x02\0\0\0\x03\0ref",
            ));
            log.extend(record(7, true, b"\0\0\x01\0k\0\0\0\x01\0\0\0\x04\0\0\0"));
            for (number, external, payload) in records {
                log.extend(record(*number, *external, payload));
            }
            let mut state = State::empty(7);
            state.replay(&log).unwrap();
            ask(&state);
            written_back(&state);
            for record in Walk::new(&log[40..], 40) {
                let Ok(body) = record.body() else { continue };
                // What we write of it is read as the same.
                let bytes = body.encode(Origin::External).unwrap();
                let again = Walk::new(&bytes, 0).next();
                if let Some(again) = again {
                    assert_eq!(again.body().unwrap(), body);
                }
            }
        });
}

#[test]
fn any_log() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut log = header();
        log.extend(bytes);
        let mut state = State::empty(7);
        state.replay(&log).unwrap();
        ask(&state);
        written_back(&state);
        let _ = State::empty(7).replay(bytes);
        mailbox_log::records(bytes).for_each(drop);
    });
}

#[test]
fn any_checkpoint() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut file = State::empty(7).encode();
        for (at, byte) in bytes.iter().enumerate() {
            match file.get_mut(at + 4) {
                // Versions and byte order stay.
                Some(_) if at + 4 == 12 => {}
                Some(place) => *place ^= byte,
                None => file.push(*byte),
            }
        }
        if let Ok(state) = State::decode(&file) {
            ask(&state);
            written_back(&state);
        }
    });
}

/// A list index of names and nodes: (name, parent, flags).
#[test]
fn any_list() {
    bolero::check!()
        .with_type::<(Vec<Vec<u8>>, Vec<(u8, u8, u8)>)>()
        .for_each(|(names, nodes)| {
            let mut table = vec![0];
            for (id, name) in (1_u32..).zip(names) {
                table.extend([&id.to_le_bytes(), &name[..], &[0]].concat());
            }
            table.extend([0; 4]);
            let size = u32::try_from(table.len()).unwrap().to_le_bytes();
            let (mut uids, mut records) = (Vec::new(), Vec::new());
            for (uid, (name, parent, flags)) in (1_u32..).zip(nodes.iter().take(200)) {
                uids.extend([uid, u32::from(*flags)].map(u32::to_le_bytes).concat());
                let node = [uid, u32::from(*name), u32::from(*parent), 0, 0, 0, 0, 7];
                records.extend(node.map(u32::to_le_bytes).concat());
            }
            let intro = [&[255; 4], &[0; 4], &size[..], b"\x1c\0\x04\0\0\0\x04\0list"].concat();
            let mut log = header();
            log.extend(record(0, true, &uids));
            log.extend(record(3, true, &intro));
            log.extend(record(13, true, &[&[0; 4], &size[..], &table].concat()));
            log.extend(record(3, true, &intro));
            log.extend(record(6, true, &records));
            let mut state = State::empty(7);
            state.replay(&log).unwrap();
            let Ok(mut tree) = Tree::decode(&state) else {
                return;
            };
            for node in tree.clone().nodes() {
                let Some(path) = tree.path(node.uid) else {
                    continue;
                };
                assert_eq!(tree.find(&path).map(|found| found.uid), Some(node.uid));
                let below = [&path[..], &[b"below"]].concat();
                let path: Vec<_> = below.iter().map(|level| level.to_vec()).collect();
                let uid = tree.insert(&path).unwrap();
                assert_eq!(
                    tree.path(uid),
                    Some(path.iter().map(Vec::as_slice).collect())
                );
                assert!(tree.has_children(node.uid));
            }
        });
}
