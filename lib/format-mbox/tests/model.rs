//! Random work by us, and by programs that know nothing of our index: a delivery agent and a mail reader.
//! After each step a new process sees what a plain list of messages says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{FROM, Home, append, fresh, new_mail, open, seen, uids};
use mailbox::{Expunges, FlagChange, Flags, Keyword, StoredMailbox};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(usize, bool),
    Deliver(usize),
    Flag(usize, u8),
    Unflag(usize, u8),
    Keyword(usize, usize),
    Remove(usize, usize),
    /// A mail reader takes a message out.
    Cut(usize),
    /// A mail reader marks it as answered.
    Answer(usize),
    /// The index is lost, while the file has everything.
    LoseIndex,
    Look,
}

#[derive(Clone, Debug, PartialEq)]
struct Model {
    uid: u32,
    flags: Flags,
    keywords: Vec<String>,
    body: String,
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0_usize..12;
    prop_oneof![
        3 => (0_usize..60, any::<bool>()).prop_map(|(size, from)| Step::Append(size, from)),
        3 => (0_usize..60).prop_map(Step::Deliver),
        2 => (at.clone(), 0_u8..5).prop_map(|(at, bit)| Step::Flag(at, bit)),
        1 => (at.clone(), 0_u8..5).prop_map(|(at, bit)| Step::Unflag(at, bit)),
        2 => (at.clone(), 0_usize..4).prop_map(|(at, number)| Step::Keyword(at, number)),
        2 => (at.clone(), 1_usize..4).prop_map(|(at, count)| Step::Remove(at, count)),
        1 => at.clone().prop_map(Step::Cut),
        1 => at.prop_map(Step::Answer),
        1 => Just(Step::LoseIndex),
        2 => Just(Step::Look),
    ]
}

struct World {
    home: Home,
    model: Vec<Model>,
    next_uid: u32,
    serial: u32,
}

impl World {
    fn pick(&self, at: usize) -> Option<usize> {
        (!self.model.is_empty()).then(|| at % self.model.len())
    }

    fn text(&mut self, size: usize) -> String {
        self.serial += 1;
        let line = format!("line {}\n", "x".repeat(size % 17));
        format!(
            "Subject: {0}\nMessage-ID: <{0}@x>\n\n{1}",
            self.serial,
            line.repeat(size)
        )
    }

    fn add(&mut self, flags: Flags, body: String) {
        let uid = self.next_uid;
        self.next_uid += 1;
        self.model.push(Model {
            uid,
            flags,
            keywords: Vec::new(),
            body,
        });
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Append(size, from) => {
                let mut text = self.text(size);
                if from {
                    text.push_str(FROM);
                }
                let mail = new_mail(Flags::SEEN, &[], 5);
                assert_eq!(
                    append(&self.home.mbox(), &mail, &text).unwrap(),
                    self.next_uid
                );
                self.add(Flags::SEEN, text);
            }
            Step::Deliver(size) => {
                let text = self.text(size);
                self.home.deliver(&text);
                self.add(Flags::empty(), text);
            }
            Step::Flag(at, bit) => self.change(at, bit, true),
            Step::Unflag(at, bit) => self.change(at, bit, false),
            Step::Keyword(at, number) => {
                let Some(at) = self.pick(at) else { return };
                let name = format!("keyword{number}");
                let change = FlagChange::Add(Flags::empty(), vec![Keyword::new(&name).unwrap()]);
                let mut view = open(&self.home.mbox());
                view.store_flags(&uids(&[self.model[at].uid]), &change)
                    .unwrap();
                if !self.model[at].keywords.contains(&name) {
                    self.model[at].keywords.push(name);
                    self.model[at].keywords.sort();
                }
            }
            Step::Remove(at, count) => {
                let Some(at) = self.pick(at) else { return };
                let end = (at + count).min(self.model.len());
                let gone: Vec<u32> = self.model.drain(at..end).map(|model| model.uid).collect();
                open(&self.home.mbox()).remove(&uids(&gone)).unwrap();
            }
            Step::Cut(at) => self.cut(at),
            Step::Answer(at) => self.answer(at),
            Step::LoseIndex => {
                // Closing writes everything that only the index has.
                drop(open(&self.home.mbox()));
                if !self.home.content().is_empty() {
                    std::fs::remove_dir_all(self.home.index()).unwrap();
                }
            }
            Step::Look => drop(self.home.mbox().status().unwrap()),
        }
    }

    fn change(&mut self, at: usize, bit: u8, on: bool) {
        let Some(at) = self.pick(at) else { return };
        let flag = Flags::from_index_bits(1 << bit);
        let model = &mut self.model[at];
        let change = if on {
            model.flags = model.flags.with(flag);
            FlagChange::Add(flag, Vec::new())
        } else {
            model.flags = model.flags.without(flag);
            FlagChange::Remove(flag, Vec::new())
        };
        let mut view = open(&self.home.mbox());
        view.store_flags(&uids(&[model.uid]), &change).unwrap();
        view.sync(Expunges::Show).unwrap();
    }

    /// Where a message begins and ends in the file, by its serial number.
    fn place(&self, at: usize) -> (String, usize, usize) {
        let content = self.home.content();
        let subject = self.model[at].body.lines().next().unwrap();
        let header = content.find(&format!("{subject}\n")).unwrap();
        let start = content[..header].rfind("From ").unwrap();
        let body = &self.model[at].body;
        let text = body.split_once("\n\n").unwrap().1;
        let body_at = header + content[header..].find("\n\n").unwrap() + 2;
        assert!(content[body_at..].starts_with(text), "{content}");
        (content.clone(), start, body_at + text.len() + 1)
    }

    fn cut(&mut self, at: usize) {
        let Some(at) = self.pick(at) else { return };
        // What only the index has would be lost with it.
        drop(open(&self.home.mbox()));
        let (content, start, end) = self.place(at);
        let left = format!("{}{}", &content[..start], &content[end..]);
        if left.is_empty() {
            return;
        }
        std::fs::write(self.home.file(), left).unwrap();
        self.model.remove(at);
        self.home.mbox().status().unwrap();
    }

    fn answer(&mut self, at: usize) {
        let Some(at) = self.pick(at) else { return };
        drop(open(&self.home.mbox()));
        let (content, start, _) = self.place(at);
        if self.model[at].flags.contains(Flags::ANSWERED) || content[start..].starts_with('X') {
            return;
        }
        let header_end = start + content[start..].find("\n\n").unwrap() + 1;
        let header = &content[start..header_end];
        let (before, after) = (&content[..start], &content[header_end..]);
        let new = match header.contains("X-Status: ") {
            true => header.replace("X-Status: ", "X-Status: A"),
            false => format!("{header}X-Status: A\n"),
        };
        std::fs::write(self.home.file(), format!("{before}{new}{after}")).unwrap();
        self.model[at].flags = self.model[at].flags.with(Flags::ANSWERED);
        self.home.mbox().status().unwrap();
    }

    /// What a plain list says after each step.
    fn play(steps: &[Step]) {
        let home = Home::with("");
        home.mbox().create().unwrap();
        let validity = home.mbox().status().unwrap().uid_validity;
        let mut world = Self {
            home,
            model: Vec::new(),
            next_uid: 1,
            serial: 0,
        };
        for (number, step) in steps.iter().enumerate() {
            world.apply(step);
            world.check(&format!("{number}: {step:?} of {steps:?}"));
            let now = world.home.mbox().status().unwrap().uid_validity;
            assert_eq!(now, validity);
        }
    }

    fn check(&self, when: &str) {
        let found: Vec<Model> = fresh(&self.home)
            .into_iter()
            .map(|seen| Model {
                uid: seen.uid,
                flags: seen.flags,
                keywords: seen.keywords,
                body: seen.body,
            })
            .collect();
        assert!(
            found == self.model,
            "{when}\nfound {found:#?}\nmodel {:#?}\n{}",
            self.model,
            self.home.content()
        );
        let status = self.home.mbox().status().unwrap();
        assert_eq!(status.uid_next.get(), self.next_uid, "{when}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_a_plain_list(steps in proptest::collection::vec(step(), 1..40)) {
        World::play(&steps);
    }
}

/// The message that was taken out was the only one that told its UID.
#[test]
fn a_reader_takes_out_the_last_message() {
    World::play(&[
        Step::Append(0, false),
        Step::Remove(0, 1),
        Step::Append(0, false),
        Step::Cut(0),
        Step::Append(0, false),
        Step::LoseIndex,
    ]);
}

/// Whatever a file has become, it is opened without a panic, and what is a message is read to its end.
#[test]
fn damaged_files_are_survived() {
    let home = Home::with("@@Subject: a\n\na\n\n");
    for number in 0..3 {
        let mail = new_mail(Flags::SEEN, &["k"], number);
        append(
            &home.mbox(),
            &mail,
            &format!("Subject: {number}\n\n{FROM}body\n"),
        )
        .unwrap();
    }
    drop(open(&home.mbox()));
    let whole = home.content().into_bytes();
    let mut flipped = whole.clone();
    for at in (0..whole.len()).step_by(7) {
        flipped[at] ^= 1 << (at % 8);
        let copy = home.copy();
        std::fs::write(copy.file(), &flipped).unwrap();
        survive(&copy);
        flipped[at] = whole[at];
        std::fs::write(copy.file(), &whole[..at]).unwrap();
        survive(&copy);
    }
}

fn survive(home: &Home) {
    // Not within the second of the last sync: that much is between us and everybody.
    let file = std::fs::File::options()
        .write(true)
        .open(home.file())
        .unwrap();
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.set_modified(then).unwrap();
    drop(file);
    let Ok(view) = common::try_open(&home.mbox()) else {
        return;
    };
    drop(view);
    // Sizes may be of what it was before the damage.
    let all = || seen(&mut *common::look(&home.mbox()));
    let before = all();
    let mail = new_mail(Flags::empty(), &[], 0);
    let uid = append(&home.mbox(), &mail, "Subject: new\n\nnew\n").unwrap();
    open(&home.mbox()).remove(&uids(&[uid])).unwrap();
    assert_eq!(all(), before);
}
