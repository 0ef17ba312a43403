//! Random operations against a model: two mailboxes, two processes, everything that a mailbox can undergo.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Store, append, message, open, references, seen};
use dbox::Place;
use format_mdbox::Settings;
use format_mdbox::rebuild::{Extent, Run};
use mailbox::{Access, FlagChange, Flags, NewMail, StoredMailbox, Uid, UidSet};
use proptest::prelude::*;
use sys::fs::Fs;

const NAMES: [&str; 2] = ["INBOX", "Other"];
const WORDS: [&str; 3] = ["one", "$Two", "three"];

#[derive(Debug, Clone)]
enum Step {
    Save(usize, Vec<u32>),
    Copy(usize, Vec<u32>, usize),
    Remove(usize, Vec<u32>),
    Add(usize, Vec<u32>, usize),
    Take(usize, Vec<u32>, usize),
    Replace(usize, Vec<u32>, usize),
    Move(usize, Vec<u32>, Place),
    Purge,
    LoseMap,
    Recreate,
}

fn step() -> impl Strategy<Value = Step> {
    let uids = || proptest::collection::vec(1_u32..12, 1..4);
    let bodies = proptest::collection::vec(0_u32..1000, 1..4);
    prop_oneof![
        4 => (0..2_usize, bodies).prop_map(|(name, bodies)| Step::Save(name, bodies)),
        3 => (0..2_usize, uids(), 0..2_usize).prop_map(|(a, uids, b)| Step::Copy(a, uids, b)),
        3 => (0..2_usize, uids()).prop_map(|(name, uids)| Step::Remove(name, uids)),
        2 => (0..2_usize, uids(), 0..3_usize).prop_map(|(a, uids, w)| Step::Add(a, uids, w)),
        1 => (0..2_usize, uids(), 0..3_usize).prop_map(|(a, uids, w)| Step::Take(a, uids, w)),
        1 => (0..2_usize, uids(), 0..3_usize).prop_map(|(a, uids, w)| Step::Replace(a, uids, w)),
        1 => (0..2_usize, uids()).prop_map(|(a, uids)| Step::Move(a, uids, Place::Alt)),
        1 => (0..2_usize, uids()).prop_map(|(a, uids)| Step::Move(a, uids, Place::Primary)),
        2 => Just(Step::Purge),
        1 => Just(Step::LoseMap),
        1 => Just(Step::Recreate),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    body: String,
    words: BTreeSet<String>,
    is_seen: bool,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Model {
    entries: BTreeMap<u32, Entry>,
    next: u32,
}

impl Model {
    fn add(&mut self, entry: Entry) {
        self.next += 1;
        self.entries.insert(self.next, entry);
    }

    fn chosen<'m>(&'m mut self, uids: &'m [u32]) -> impl Iterator<Item = &'m mut Entry> {
        let entries = self.entries.iter_mut();
        entries.filter_map(|(uid, entry)| uids.contains(uid).then_some(entry))
    }
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|&uid| Uid::new(uid)).collect()
}

fn change(store: &Store, name: usize, uids: &[u32], change: &FlagChange) {
    let mut view = open(&store.mailbox(NAMES[name]), Access::ReadWrite);
    view.store_flags(&set(uids), change).unwrap();
}

fn perform(store: &Store, models: &mut [Model; 2], step: &Step) {
    let word = |word: &usize| vec![common::keyword(WORDS[*word])];
    match step {
        Step::Save(name, numbers) => {
            let bodies: Vec<_> = numbers.iter().map(|&number| message(number)).collect();
            let mailbox = store.mailbox(NAMES[*name]);
            append(&mailbox, &bodies, &NewMail::default()).unwrap();
            for body in bodies {
                models[*name].add(Entry {
                    body: common::hash(&body),
                    words: BTreeSet::new(),
                    is_seen: false,
                });
            }
        }
        Step::Copy(from, uids, to) => {
            let mut view = open(&store.mailbox(NAMES[*from]), Access::ReadOnly);
            let target = store.mailbox(NAMES[*to]);
            target.copy_from(view.as_mut(), &set(uids)).unwrap();
            let copied: Vec<Entry> = models[*from]
                .chosen(uids)
                .map(|entry| entry.clone())
                .collect();
            copied.into_iter().for_each(|entry| models[*to].add(entry));
        }
        Step::Remove(name, uids) => {
            let mut view = open(&store.mailbox(NAMES[*name]), Access::ReadWrite);
            view.remove(&set(uids)).unwrap();
            models[*name].entries.retain(|uid, _| !uids.contains(uid));
        }
        Step::Add(name, uids, added) => {
            change(
                store,
                *name,
                uids,
                &FlagChange::Add(Flags::SEEN, word(added)),
            );
            for entry in models[*name].chosen(uids) {
                entry.is_seen = true;
                entry.words.insert(WORDS[*added].to_owned());
            }
        }
        Step::Take(name, uids, taken) => {
            change(
                store,
                *name,
                uids,
                &FlagChange::Remove(Flags::SEEN, word(taken)),
            );
            for entry in models[*name].chosen(uids) {
                entry.is_seen = false;
                entry.words.remove(WORDS[*taken]);
            }
        }
        Step::Replace(name, uids, only) => {
            change(
                store,
                *name,
                uids,
                &FlagChange::Replace(Flags::empty(), word(only)),
            );
            for entry in models[*name].chosen(uids) {
                entry.is_seen = false;
                entry.words = [WORDS[*only].to_owned()].into();
            }
        }
        Step::Move(name, uids, place) => {
            store
                .mailbox(NAMES[*name])
                .mark_place(&set(uids), *place)
                .unwrap();
        }
        Step::Purge => drop(store.storage.purge(&mut |_, _| {}).unwrap()),
        Step::LoseMap => {
            for file in std::fs::read_dir(store.root.join("storage")).unwrap() {
                let path = file.unwrap().path();
                if path.to_string_lossy().contains("dovecot.map") {
                    std::fs::remove_file(path).unwrap();
                }
            }
        }
        Step::Recreate => {
            store.mailbox("Other").prepare_delete().unwrap();
            std::fs::remove_dir_all(store.root.join("mailboxes/Other")).unwrap();
            store.create("Other");
            models[1] = Model::default();
        }
    }
}

fn shown(store: &Store, name: &str) -> BTreeMap<u32, Entry> {
    let mut view = open(&store.mailbox(name), Access::ReadWrite);
    let shown = seen(view.as_mut()).into_iter();
    let entry = |seen: common::Seen| Entry {
        body: seen.sha256,
        is_seen: seen.flags.contains("\\Seen"),
        words: seen.keywords,
    };
    shown.map(|seen| (seen.uid, entry(seen))).collect()
}

fn check(store: &Store, models: &[Model; 2]) {
    for (name, model) in NAMES.iter().zip(models) {
        assert_eq!(shown(store, name), model.entries, "{name}");
    }
}

fn check_counts(store: &Store, models: &[Model; 2]) {
    let counts = references(&store.storage);
    let counted: u32 = counts.values().map(|&count| u32::from(count)).sum();
    let wanted: usize = models.iter().map(|model| model.entries.len()).sum();
    assert_eq!(counted as usize, wanted);
    assert_eq!(store.storage.rebuild(Extent::Relink, Run::Dry).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(steps in proptest::collection::vec(step(), 1..25)) {
        let home = common::scratch();
        std::fs::create_dir_all(home.path().join("alt/storage")).unwrap();
        let root = home.path().join("mdbox");
        let store = || {
            let settings = Settings { rotate_size: 700, ..Settings::default() };
            Store::with(&root, Fs::real(), settings)
        };
        let mut both = [store(), store()];
        for name in NAMES {
            both[0].create(name);
        }
        let mut models = [Model::default(), Model::default()];
        for (at, step) in steps.iter().enumerate() {
            perform(&both[at % 2], &mut models, step);
            // Who stays on after the map was lost is told of it by its absence.
            if matches!(step, Step::LoseMap) {
                both[(at + 1) % 2] = store();
            }
        }
        check(&both[steps.len() % 2], &models);
        let last = store();
        check(&last, &models);
        check_counts(&last, &models);
    }
}
