//! Plans against plain splicing; death at every call; mail that comes in between.

use std::path::Path;
use std::sync::Arc;

use mailbox::Durability;
use proptest::prelude::*;
use sys::fs::faulty::{Fault, FaultyFs};
use sys::fs::{Fs, FsFile, How};
use tempfile::TempDir;

use super::record::{self, Step};
use super::{Journal, Outcome, Plan, Splice};

struct Place {
    dir: TempDir,
    faulty: Arc<FaultyFs>,
}

impl Place {
    fn new(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mbox"), content).unwrap();
        Self {
            dir,
            faulty: Arc::new(FaultyFs::new(Fault::None)),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("mbox")
    }

    fn content(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    fn journal(&self, fs: Fs) -> Journal {
        Journal {
            path: self.dir.path().join("journal"),
            fs,
            durability: Durability::Synced,
        }
    }

    fn run(&self, plan: &Plan) -> Result<(), sys::fs::FsError> {
        let fs = Fs::new(Arc::clone(&self.faulty) as _);
        let file = open(&Fs::real(), &self.path());
        // The file that fails is opened by the file system that fails.
        let failing = fs.open(&self.path(), How::ReadWrite, 0);
        drop(file);
        self.journal(fs).run(&failing?, plan)
    }

    fn recover(&self) -> Outcome {
        self.faulty.set(Fault::None);
        let file = open(&Fs::real(), &self.path());
        let journal = self.journal(Fs::real());
        let outcome = journal.recover(&file).unwrap();
        journal.remove().unwrap();
        outcome
    }

    fn append(&self, bytes: &[u8]) {
        let file = Fs::real().open(&self.path(), How::Append, 0).unwrap();
        file.append(bytes).unwrap();
    }
}

fn open(fs: &Fs, path: &Path) -> FsFile {
    fs.open(path, How::ReadWrite, 0).unwrap()
}

fn plan(old_len: usize, splices: &[(usize, usize, &str)]) -> Plan {
    let mut plan = Plan::new(old_len as u64);
    for &(at, cut, put) in splices {
        let splice = Splice {
            at: at as u64,
            cut: cut as u64,
            put: put.into(),
        };
        assert!(plan.push(splice));
    }
    plan
}

fn spliced(old: &[u8], plan: &Plan) -> Vec<u8> {
    let mut new = Vec::new();
    let mut behind = 0;
    for splice in plan.splices() {
        let at = usize::try_from(splice.at).unwrap();
        new.extend_from_slice(&old[behind..at]);
        new.extend_from_slice(&splice.put);
        behind = at + usize::try_from(splice.cut).unwrap();
    }
    new.extend_from_slice(&old[behind..]);
    new
}

/// Some plans that shrink, grow, and do both.
fn plans() -> Vec<Plan> {
    vec![
        plan(60, &[(10, 3, "abc")]),
        plan(60, &[(0, 20, "")]),
        plan(60, &[(50, 10, "")]),
        plan(60, &[(5, 2, "longer than before"), (40, 20, "")]),
        plan(
            60,
            &[
                (5, 20, ""),
                (30, 0, "much much much much longer"),
                (50, 3, "x"),
            ],
        ),
        plan(60, &[(5, 0, "one"), (20, 3, ""), (40, 0, "two")]),
        plan(
            60,
            &[(
                0,
                60,
                "all of it is new, and there is more of it than there was, much more of it",
            )],
        ),
        plan(60, &[(60, 0, "end")]),
    ]
}

fn old() -> Vec<u8> {
    (0..60).map(|at| b'0' + at).collect()
}

#[test]
fn dead_at_every_call_it_is_all_or_nothing() {
    for plan in plans() {
        let counting = Place::new(&old());
        counting.run(&plan).unwrap();
        let new = spliced(&old(), &plan);
        assert_eq!(counting.content(), new);
        for nth in 1..=counting.faulty.calls().len() {
            for mail in ["", "From x\n"] {
                let place = Place::new(&old());
                place.faulty.set(Fault::From { nth, errno: 5 });
                let result = place.run(&plan);
                place.append(mail.as_bytes());
                let outcome = place.recover();
                let with = |content: &[u8]| [content, mail.as_bytes()].concat();
                let content = place.content();
                assert!(
                    content == with(&new) || (content == with(&old()) && result.is_err()),
                    "{plan:?} {nth} {outcome:?}: {}",
                    String::from_utf8_lossy(&content)
                );
                assert_eq!(place.recover(), Outcome::None);
            }
        }
    }
}

#[test]
fn the_power_goes_while_the_file_shrinks() {
    let plan = plan(60, &[(5, 2, "new"), (10, 30, "")]);
    let new = spliced(&old(), &plan);
    let counting = Place::new(&old());
    counting.run(&plan).unwrap();
    let calls = counting.faulty.calls();
    let cut = calls.iter().position(|call| call.name == "truncate");
    for mail in ["", "From x\n"] {
        let place = Place::new(&old());
        place.faulty.set(Fault::From {
            nth: cut.unwrap() + 1,
            errno: 5,
        });
        place.run(&plan).unwrap_err();
        // The rest of the block is zeros already; what is behind and the length are not changed yet.
        let mut content = place.content();
        content[new.len()..new.len() + 9].fill(0);
        std::fs::write(place.path(), content).unwrap();
        place.append(mail.as_bytes());
        assert_eq!(place.recover(), Outcome::Completed);
        assert_eq!(place.content(), [&new, mail.as_bytes()].concat());
    }
}

#[test]
fn one_failure_or_a_full_disk_is_all_or_nothing() {
    for plan in plans() {
        let counting = Place::new(&old());
        counting.run(&plan).unwrap();
        let new = spliced(&old(), &plan);
        for nth in 1..=counting.faulty.calls().len() {
            for fault in [Fault::Once { nth, errno: 5 }, Fault::Full { nth }] {
                let place = Place::new(&old());
                place.faulty.set(fault);
                let result = place.run(&plan);
                place.recover();
                let content = place.content();
                assert!(
                    content == new || (content == old() && result.is_err()),
                    "{fault:?}"
                );
            }
        }
    }
}

#[test]
fn larger_than_a_step() {
    let old: Vec<u8> = (0..=250).cycle().take(3 * record::STEP + 77).collect();
    let growing = plan(
        old.len(),
        &[(3, 0, &"n".repeat(1000)), (record::STEP, 0, "x")],
    );
    for plan in [plan(old.len(), &[(3, 1000, "")]), growing] {
        let new = spliced(&old, &plan);
        let counting = Place::new(&old);
        counting.run(&plan).unwrap();
        assert!(counting.content() == new);
        let calls = counting.faulty.calls();
        // Reads and zeros are many and alike: die where something is written, shrunk or removed.
        let telling = ["sync_data", "truncate", "unlink", "rename"];
        for (nth, _) in (1..)
            .zip(&calls)
            .filter(|(_, call)| telling.contains(&call.name))
        {
            let place = Place::new(&old);
            place.faulty.set(Fault::From { nth, errno: 5 });
            let _ = place.run(&plan);
            place.append(b"mail");
            place.recover();
            let content = place.content();
            let whole = content.strip_suffix(b"mail").unwrap();
            assert!(whole == new || whole == old, "{nth}");
        }
    }
}

#[test]
fn journals_of_other_files_and_damaged_ones_are_dropped() {
    let place = Place::new(&old());
    let plan = plan(60, &[(0, 10, "")]);
    let order = record::Order {
        plan,
        inode: 1,
        tail: [3; 16],
    };
    let mut bytes = record::encode_order(&order);
    let path = place.dir.path().join("journal");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(place.recover(), Outcome::Dropped);
    for end in 0..bytes.len() {
        assert!(record::decode_order(&bytes[..end]).is_none());
    }
    for at in 0..bytes.len() {
        bytes[at] ^= 0x10;
        assert!(record::decode_order(&bytes).is_none(), "{at}");
        bytes[at] ^= 0x10;
    }
    assert_eq!(
        record::decode_order(&bytes).unwrap(),
        (order, bytes.len() as u64)
    );
    assert_eq!(place.content(), old());
}

proptest! {
    #[test]
    fn any_plan_is_plain_splicing(
        content in proptest::collection::vec(any::<u8>(), 0..300),
        splices in proptest::collection::vec((0_usize..60, 0_usize..60, "[a-z]{0,60}"), 0..8),
        nth in 1_usize..60,
    ) {
        let mut plan = Plan::new(content.len() as u64);
        let mut at = 0;
        for (skip, cut, put) in splices {
            at += skip;
            let _ = plan.push(Splice { at: at as u64, cut: cut as u64, put: put.into_bytes() });
            at += cut;
        }
        let new = spliced(&content, &plan);
        prop_assert_eq!(new.len() as u64, plan.new_len());
        let place = Place::new(&content);
        place.run(&plan).unwrap();
        prop_assert_eq!(place.content(), new.clone());
        let place = Place::new(&content);
        place.faulty.set(Fault::From { nth, errno: 5 });
        let _ = place.run(&plan);
        place.recover();
        let found = place.content();
        prop_assert!(found == new || found == content);
    }

    #[test]
    fn steps_go_both_ways(
        writes in proptest::collection::vec((any::<u64>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..5),
        number in 1_u64..9,
        flip in any::<usize>(),
    ) {
        let step = Step { number, before: 3, after: 9, old: [7; 16], writes };
        let mut bytes = step.encode();
        prop_assert_eq!(Step::decode(&bytes), Some(step));
        for end in 0..bytes.len() {
            prop_assert_eq!(Step::decode(&bytes[..end]), None);
        }
        let at = flip % bytes.len();
        bytes[at] ^= 1;
        prop_assert_eq!(Step::decode(&bytes), None);
    }
}

/// Whoever writes the journal knows its sum.
#[test]
fn any_journal() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut step = bytes.to_vec();
        step.extend(record::sum(bytes));
        if let Some(found) = Step::decode(&step) {
            assert_eq!(found.encode(), step);
        }
        let mut order = b"CulverMB\x01\0\0\0".to_vec();
        order.extend(bytes);
        order.extend(record::sum(&order));
        if let Some((found, len)) = record::decode_order(&order) {
            assert_eq!(len, order.len() as u64);
            assert_eq!(
                record::decode_order(&record::encode_order(&found)),
                Some((found, len))
            );
        }
    });
}
