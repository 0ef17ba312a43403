//! Two processes' worth of indexes on one directory, in any order: they agree, and so does a third that
//! reads it all anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::options;
use index::log::record::{Attribute, Toggle};
use index::state::field;
use index::{Created, Error, ExtSpec, Index, Options, Preserve, State, Thresholds, Transaction};
use mailbox::{Seq, Uid, UidSet};
use proptest::prelude::*;
use sys::fs::Fs;

const MODSEQ: ExtSpec<'static> = ExtSpec {
    name: "modseq",
    header_size: 16,
    record_size: 8,
    record_align: 8,
};
const REF: ExtSpec<'static> = ExtSpec {
    name: "ref",
    header_size: 4,
    record_size: 2,
    record_align: 2,
};
const WIDE: ExtSpec<'static> = ExtSpec {
    name: "wide",
    header_size: 0,
    record_size: 16,
    record_align: 1,
};

#[derive(Debug, Clone)]
enum Step {
    Append(u8, u8),
    Flags(u32, u32, u8, u8),
    Keyword(Toggle, u8, u32, u32),
    Expunge(u32),
    AskExpunge(u32),
    Ref(u32, i32),
    Wide(u32, u8),
    Reset(u32, Preserve),
    Condstore,
    Modseq(u32, u64),
    Attribute,
    Recent,
    Finish,
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    let uid = 1..40_u32;
    let toggle = prop_oneof![Just(Toggle::Add), Just(Toggle::Remove)];
    let preserve = prop_oneof![Just(Preserve::Data), Just(Preserve::Nothing)];
    prop_oneof![
        4 => (1..4_u8, any::<u8>()).prop_map(|(count, flags)| Step::Append(count, flags & 0x1f)),
        3 => (uid.clone(), 0..5_u32, any::<u8>(), any::<u8>())
            .prop_map(|(uid, more, add, remove)| Step::Flags(uid, more, add & 0xdf, remove & 0xdf)),
        3 => (toggle, 0..20_u8, uid.clone(), 0..5_u32)
            .prop_map(|(change, name, uid, more)| Step::Keyword(change, name, uid, more)),
        2 => uid.clone().prop_map(Step::Expunge),
        1 => uid.clone().prop_map(Step::AskExpunge),
        2 => (uid.clone(), -3..4_i32).prop_map(|(uid, by)| Step::Ref(uid, by)),
        2 => (uid.clone(), any::<u8>()).prop_map(|(uid, byte)| Step::Wide(uid, byte)),
        1 => (1..5_u32, preserve).prop_map(|(id, preserve)| Step::Reset(id, preserve)),
        1 => Just(Step::Condstore),
        1 => (0..40_u32, 1..60_u64).prop_map(|(uid, modseq)| Step::Modseq(uid, modseq)),
        1 => Just(Step::Attribute),
        1 => Just(Step::Recent),
        3 => Just(Step::Finish),
        3 => Just(Step::Refresh),
    ]
}

fn small() -> Options {
    Options {
        thresholds: Thresholds {
            rewrite_min: 100,
            rewrite_max: 300,
            rotate_min: 600,
            rotate_max: 900,
            rotate_age: 0,
            log2_age: 100_000,
        },
        ..options()
    }
}

fn range(uid: u32, more: u32) -> UidSet {
    UidSet::from_ranges([(Uid::new(uid).unwrap(), Uid::new(uid + more).unwrap())])
}

/// One step; refused ones leave all as it was.
fn run(index: &Index, step: &Step) {
    if let Step::Refresh = step {
        index.refresh().unwrap();
        return;
    }
    let mut sync = index.begin_sync().unwrap();
    if let Step::Finish = step {
        let mut done = Transaction::external();
        for (uid, guid) in sync.requests().expunges(sync.state()) {
            done.expunge(uid, guid);
        }
        sync.commit(&done).unwrap();
        sync.finish().unwrap();
        return;
    }
    let transaction = transaction(sync.state(), step);
    let before = sync.state().clone();
    match sync.commit(&transaction) {
        Ok(after) => assert!(after.highest_modseq() >= before.highest_modseq()),
        Err(Error::Refused { .. }) => assert_eq!(before.place(), sync.state().place()),
        Err(error) => panic!("{error}"),
    }
}

fn transaction(state: &State, step: &Step) -> Transaction {
    let mut external = Transaction::external();
    let mut internal = Transaction::internal();
    match step {
        Step::Append(count, flags) => {
            for uid in (state.header().next_uid()..).take((*count).into()) {
                external.append(uid, *flags);
                external.extension(&WIDE).set_record(uid, &[*flags; 16]);
            }
            external.make_durable();
        }
        Step::Flags(uid, more, add, remove) => {
            internal.update_flags(&range(*uid, *more), *add, *remove);
            internal.update_flags(&range(*uid, 0), *remove, *add);
        }
        Step::Keyword(change, name, uid, more) => {
            internal.update_keyword(*change, &format!("key{name}"), &range(*uid, *more));
            internal.update_keyword(Toggle::Add, "common", &range(*uid, 0));
        }
        Step::Expunge(uid) => external.expunge(*uid, [1; 16]),
        Step::AskExpunge(uid) => internal.expunge(*uid, [0; 16]),
        Step::Ref(uid, by) => drop(external.extension(&REF).increment(*uid, *by)),
        Step::Wide(uid, byte) => drop(external.extension(&WIDE).set_record(*uid, &[*byte; 9])),
        Step::Reset(id, preserve) => {
            external
                .extension(&REF)
                .reset(*id, *preserve)
                .set_header(0, &[9; 4]);
        }
        Step::Condstore => {
            let mut header = state.highest_modseq().to_le_bytes().to_vec();
            header.resize(16, 0);
            internal.extension(&MODSEQ).set_header(0, &header);
        }
        Step::Modseq(uid, modseq) => external.update_modseq(*uid, *modseq),
        Step::Attribute => external.update_attribute(Attribute {
            change: Toggle::Add,
            scope: b'p',
            name: b"comment".to_vec(),
            time: 7,
            value_size: 3,
        }),
        Step::Recent => external.set_first_recent_uid(state.header().next_uid()),
        Step::Finish | Step::Refresh => {}
    }
    if external.is_empty() {
        internal
    } else {
        external
    }
}

/// Reset id, header and records of an extension.
type ExtPicture = (u32, Vec<u8>, Vec<Vec<u8>>);

/// All that two readers must agree on.
#[derive(Debug, PartialEq)]
struct Picture {
    header: Vec<u32>,
    keywords: Vec<String>,
    highest: u64,
    messages: Vec<(u32, u8, Vec<usize>, u64)>,
    extensions: BTreeMap<String, ExtPicture>,
}

fn picture(state: &State) -> Picture {
    let at = [
        field::UID_VALIDITY,
        field::NEXT_UID,
        field::MESSAGES,
        field::SEEN,
        field::DELETED,
        field::FIRST_RECENT,
        field::DAY_STAMP,
    ];
    let seqs: Vec<Seq> = (1..=state.len()).filter_map(Seq::new).collect();
    let messages = seqs.iter().map(|seq| {
        let record = state.record(*seq).unwrap();
        let keywords = state.keyword_set(*seq).unwrap().iter().collect();
        (
            record.uid(),
            record.flags(),
            keywords,
            state.modseq(*seq).unwrap(),
        )
    });
    let extensions = state
        .extensions()
        .iter()
        .filter(|e| !["modseq", "keywords"].contains(&&*e.name));
    Picture {
        header: at.map(|at| state.header().get(at)).to_vec(),
        keywords: state.keywords().to_vec(),
        highest: state.highest_modseq(),
        messages: messages.collect(),
        extensions: extensions
            .map(|e| {
                let records = state
                    .records()
                    .filter_map(|record| e.bytes_of(record))
                    .map(<[u8]>::to_vec);
                (
                    e.name.clone(),
                    (e.reset_id, e.header.clone(), records.collect()),
                )
            })
            .collect(),
    }
}

fn create(dir: &Path) -> Index {
    let mut first = Transaction::external();
    first.set_uid_validity(77);
    let (index, created) = Index::create(&Fs::real(), dir, small(), &first).unwrap();
    assert_eq!(created, Created::Ours);
    index
}

/// A view that is told what changed has what a new one has.
fn follow(old: &State, new: &State) {
    let changes = new.changes_since(old);
    let mut uids: Vec<u32> = old.records().map(|record| record.uid()).collect();
    for (seq, uid) in changes.expunged.iter().rev() {
        assert_eq!(uids.remove(*seq as usize - 1), *uid);
    }
    let kept = uids.len();
    let now: Vec<u32> = new.records().map(|record| record.uid()).collect();
    assert_eq!(now[..kept], uids);
    assert_eq!(now.len() - kept, changes.appended as usize);
    for (at, uid) in uids.iter().enumerate() {
        let seq = Seq::new(u32::try_from(at).unwrap() + 1).unwrap();
        let was = old.seq(Uid::new(*uid).unwrap()).unwrap();
        let same = old.flags(was) == new.flags(seq) && old.keyword_set(was) == new.keyword_set(seq);
        assert_eq!(!same, changes.changed.contains(&seq.get()));
    }
    let held = new.with_expunged_of(old, &changes.expunged);
    assert_eq!(
        held.len(),
        new.len() + u32::try_from(changes.expunged.len()).unwrap()
    );
    let gone = old.changes_since(&held);
    assert_eq!(gone.expunged.len(), changes.appended as usize);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn two_indexes_agree(steps in prop::collection::vec((any::<bool>(), step()), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let one = create(dir.path());
        let two = Index::open(&Fs::real(), dir.path(), small()).unwrap();
        let mut view = one.state().unwrap();
        for (at, (first, step)) in steps.iter().enumerate() {
            run(if *first { &one } else { &two }, step);
            if at % 5 == 0 {
                let now = one.refresh().unwrap();
                follow(&view, &now);
                view = now;
            }
        }
        let three = Index::open(&Fs::real(), dir.path(), small()).unwrap();
        let pictures = [&one, &two, &three].map(|index| picture(&index.refresh().unwrap()));
        prop_assert_eq!(&pictures[0], &pictures[1]);
        prop_assert_eq!(&pictures[0], &pictures[2]);
        let state = one.state().unwrap();
        let mut recoded = State::decode(&state.encode()).unwrap();
        prop_assert_eq!(recoded.len(), state.len());
        recoded.clone_from(&state);
        prop_assert!(!state.header().is_repaired());
    }
}

#[test]
fn two_creators_make_one_index() {
    let dir = tempfile::tempdir().unwrap();
    let made: Vec<(u32, Created)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8_u32)
            .map(|number| {
                let dir = dir.path();
                scope.spawn(move || {
                    let mut first = Transaction::external();
                    first.set_uid_validity(number);
                    let (index, created) =
                        Index::create(&Fs::real(), dir, small(), &first).unwrap();
                    (index.state().unwrap().header().uid_validity(), created)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let ours = made.iter().filter(|(_, created)| *created == Created::Ours);
    assert_eq!(ours.count(), 1);
    assert!(made.iter().all(|(validity, _)| *validity == made[0].0));
    assert!(!dir.path().join("dovecot.index.log.newlock").exists());
}

#[test]
fn threads_and_indexes_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let one = create(dir.path());
    let two = Index::open(&Fs::real(), dir.path(), small()).unwrap();
    std::thread::scope(|scope| {
        for index in [&one, &one, &two, &two] {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut sync = index.begin_sync().unwrap();
                    let mut transaction = Transaction::external();
                    transaction.append(sync.state().header().next_uid(), 8);
                    sync.commit(&transaction).unwrap();
                    sync.finish().unwrap();
                    index.refresh().unwrap();
                }
            });
        }
    });
    for index in [&one, &two] {
        let state = index.refresh().unwrap();
        assert_eq!(
            (state.len(), state.seen(), state.header().next_uid()),
            (200, 200, 201)
        );
    }
}
