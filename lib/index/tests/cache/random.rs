//! Random work by two processes on one file: every value that is found is right, and nothing that
//! ought to be there is missing.

use std::collections::BTreeMap;

use index::cache::{Cache, FieldId, Settings};
use mailbox::Uid;
use proptest::prelude::*;
use std::sync::Arc;

use crate::support::{INDEX_ID, Mailbox, open_with, uid};
use sys::fs::Fs;

#[derive(Clone, Debug)]
enum Step {
    Store {
        uid: u32,
        fields: Vec<usize>,
    },
    Expunge(u32),
    Purge,
    Flush,
    Ask {
        uid: u32,
        field: usize,
    },
    /// The other process goes on.
    Switch,
    /// A process that has opened nothing yet goes on.
    Fresh,
}

const NAMES: [&str; 9] = [
    "flags",
    "date.received",
    "size.virtual",
    "guid",
    "mime.parts",
    "hdr.Subject",
    "hdr.From",
    "hdr.X-One",
    "hdr.X-Two",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let uids = 1..12u32;
    let fields = proptest::collection::vec(0..NAMES.len(), 1..4);
    let step = prop_oneof![
        8 => (uids.clone(), fields).prop_map(|(uid, fields)| Step::Store { uid, fields }),
        1 => uids.clone().prop_map(Step::Expunge),
        1 => Just(Step::Purge),
        1 => Just(Step::Flush),
        2 => (uids, 0..NAMES.len()).prop_map(|(uid, field)| Step::Ask { uid, field }),
        3 => Just(Step::Switch),
        1 => Just(Step::Fresh),
    ];
    proptest::collection::vec(step, 1..60)
}

/// The value of a field of a message never changes.
fn value(uid: u32, field: usize) -> Vec<u8> {
    let byte = u8::try_from(uid * 16 + u32::try_from(field).unwrap()).unwrap();
    let size = match field {
        0 | 1 => 4,
        2 => 8,
        _ => usize::from(byte % 7),
    };
    vec![byte; size]
}

struct World {
    mailbox: Mailbox,
    other: Arc<Cache>,
    model: BTreeMap<Uid, Vec<usize>>,
}

impl World {
    fn id(&self, field: usize) -> FieldId {
        self.mailbox.cache.field(NAMES[field]).unwrap()
    }

    fn fresh(&self) -> Arc<Cache> {
        open_with(Fs::real(), &self.mailbox.path(), INDEX_ID, settings())
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Store {
                uid: number,
                fields,
            } => {
                let values: Vec<_> = fields
                    .iter()
                    .map(|f| (self.id(*f), value(*number, *f)))
                    .collect();
                let values: Vec<_> = values.iter().map(|(id, v)| (*id, v.as_slice())).collect();
                self.mailbox.store(*number, &values).unwrap();
                self.model.entry(uid(*number)).or_default().extend(fields);
            }
            Step::Expunge(number) => {
                if self.mailbox.links.remove(&uid(*number)).is_some() {
                    self.mailbox.cache.count_expunged(1).unwrap();
                }
                self.model.remove(&uid(*number));
            }
            Step::Purge => self.mailbox.purge().unwrap(),
            // Before there is a file there is nothing to write to.
            Step::Flush => drop(self.mailbox.cache.flush()),
            Step::Ask { uid: number, field } => {
                let id = self.id(*field);
                self.mailbox
                    .cache
                    .asked(id, uid(*number), &self.mailbox.facts);
            }
            Step::Switch => std::mem::swap(&mut self.mailbox.cache, &mut self.other),
            Step::Fresh => self.mailbox.cache = self.fresh(),
        }
        self.mailbox.facts.now += 1;
        if self
            .mailbox
            .cache
            .wants_purge(&self.mailbox.facts)
            .is_some()
        {
            self.mailbox.purge().unwrap();
        }
    }

    fn check(&self) {
        for number in 1..12 {
            let mail = self.mailbox.read(number);
            let expected = self.model.get(&uid(number));
            for (field, name) in NAMES.iter().enumerate() {
                let is_there = expected.is_some_and(|fields| fields.contains(&field));
                let found = mail.get(self.id(field)).map(<[u8]>::to_vec);
                assert_eq!(found, is_there.then(|| value(number, field)), "{name}");
            }
        }
    }
}

fn settings() -> Settings {
    Settings {
        purge_min_size: 1000,
        ..Settings::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_work(steps in steps()) {
        let mailbox = Mailbox::new(settings());
        let other = open_with(Fs::real(), &mailbox.path(), INDEX_ID, settings());
        let mut world = World { mailbox, other, model: BTreeMap::new() };
        for step in &steps {
            world.step(step);
            world.check();
        }
    }
}
