//! An index and its cache together, as formats use them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use index::cache::{FieldId, Settings, Sync};
use index::{CacheView, Cached, Index, Learnt, Options, Transaction};
use mailbox::{Durability, Seq, Uid};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};
use testkit::Fixture;

const GUID: FieldId = FieldId::GUID;
const SAVED: FieldId = FieldId::DATE_SAVE;

fn seq(number: u32) -> Seq {
    Seq::new(number).unwrap()
}

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

/// A process of its own.
struct Process {
    index: Arc<Index>,
    cached: Arc<Cached>,
}

impl Process {
    fn new(fs: &Fs, dir: &Path, settings: Settings) -> Self {
        let of_mailbox = mailbox::Settings {
            durability: Durability::Unsynced,
            ..mailbox::Settings::default()
        };
        let options = Options::mailbox(&of_mailbox);
        let index = Arc::new(Index::open(fs, dir, options).unwrap());
        let cached = Cached::new(&index, settings, Sync::Never);
        Self { index, cached }
    }

    fn view(&self) -> CacheView {
        CacheView::new(&self.cached, &self.index.refresh().unwrap())
    }

    fn get(&self, number: u32, id: FieldId) -> Option<Vec<u8>> {
        self.view().get(seq(number), id).map(<[u8]>::to_vec)
    }

    fn save(&self, value: &[u8]) -> Uid {
        let mut sync = self.index.begin_sync().unwrap();
        let uid = uid(sync.state().header().next_uid());
        let mut transaction = Transaction::external();
        transaction.append(uid.get(), 0);
        let learnt = Learnt {
            uid,
            values: vec![(GUID, value.to_vec())],
        };
        self.cached.stage(&sync, &mut transaction, &[learnt]);
        sync.commit(&transaction).unwrap();
        self.cached.tidy(&mut sync);
        sync.finish().unwrap();
        uid
    }
}

/// The files of an index, without unpacking the whole store again.
fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("dovecot.index")
        {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

fn inbox(fixture: &Fixture) -> std::path::PathBuf {
    fixture.home().join("sdbox/mailboxes/INBOX/dbox-Mails")
}

fn process(fixture: &Fixture) -> Process {
    Process::new(&Fs::real(), &inbox(fixture), Settings::default())
}

#[test]
fn what_is_learnt_is_known_to_all() {
    let fixture = Fixture::unpack("sdbox");
    let (ours, theirs) = (process(&fixture), process(&fixture));
    let mut view = ours.view();
    let new = view.field("hdr.X-New").unwrap();
    let count = ours.index.state().unwrap().len();
    let known = view.get(seq(1), FieldId::SIZE_PHYSICAL).unwrap().to_vec();
    for number in 1..=count {
        assert_eq!(view.get(seq(number), new), None);
        view.learn(seq(number), new, b"".to_vec());
    }
    view.close();
    for process in [&ours, &theirs] {
        for number in 1..=count {
            let new = process.view().field("hdr.x-new").unwrap();
            assert_eq!(process.get(number, new).unwrap(), b"");
        }
        assert_eq!(process.get(1, FieldId::SIZE_PHYSICAL).unwrap(), known);
    }
    // What is known is not written again.
    let path = inbox(&fixture).join("dovecot.index.cache");
    let size = std::fs::metadata(&path).unwrap().len();
    let mut view = theirs.view();
    view.learn(seq(1), new, b"".to_vec());
    view.flush();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
}

#[test]
fn a_missing_file_is_made() {
    let fixture = Fixture::unpack("sdbox");
    std::fs::remove_file(inbox(&fixture).join("dovecot.index.cache")).unwrap();
    let process = process(&fixture);
    assert_eq!(process.get(1, SAVED), None);
    let mut view = process.view();
    view.learn(seq(1), SAVED, vec![1, 2, 3, 4]);
    view.flush();
    assert_eq!(process.get(1, SAVED).unwrap(), [1, 2, 3, 4]);
    assert_eq!(process.get(2, SAVED), None);
}

#[test]
fn a_save_brings_its_fields() {
    let fixture = Fixture::unpack("sdbox");
    let (ours, theirs) = (process(&fixture), process(&fixture));
    for round in 0..10u8 {
        let process = if round % 2 == 0 { &ours } else { &theirs };
        let uid = process.save(&[round]);
        for process in [&ours, &theirs] {
            let state = process.index.refresh().unwrap();
            let number = state.seq(uid).unwrap().get();
            assert_eq!(process.get(number, GUID).unwrap(), [round]);
        }
    }
}

#[test]
fn waste_is_purged_in_a_sync() {
    let fixture = Fixture::unpack("sdbox");
    let settings = Settings {
        purge_min_size: 0,
        ..Settings::default()
    };
    let process = Process::new(&Fs::real(), &inbox(&fixture), settings);
    let before = process.view().mail(seq(3)).iter().count();
    assert!(before > 0);
    process.save(b"x");
    let reset_id = |process: &Process| {
        let state = process.index.refresh().unwrap();
        state.extension("cache").unwrap().reset_id
    };
    let old = reset_id(&process);
    let state = process.index.refresh().unwrap();
    let gone: Vec<_> = (4..=state.len())
        .map(|n| state.uid(seq(n)).unwrap())
        .collect();
    let mut sync = process.index.begin_sync().unwrap();
    let mut transaction = Transaction::external();
    gone.iter()
        .for_each(|uid| transaction.expunge(uid.get(), [0; 16]));
    sync.commit(&transaction).unwrap();
    process.cached.expunged(&state, gone);
    process.cached.tidy(&mut sync);
    sync.finish().unwrap();
    assert!(reset_id(&process) > old);
    assert_eq!(process.view().mail(seq(3)).iter().count(), before);
}

/// Threads of two processes at once: nothing is found that is not right, and in the end everything.
#[test]
fn many_at_once() {
    let fixture = Fixture::unpack("sdbox");
    let settings = || Settings {
        purge_min_size: 0,
        ..Settings::default()
    };
    let processes = [0, 1].map(|_| Process::new(&Fs::real(), &inbox(&fixture), settings()));
    let count = processes[0].index.state().unwrap().len();
    let value = |thread: usize, number: u32| format!("{thread} {number}").into_bytes();
    let name = |thread: usize| ["guid", "imap.body", "pop3.uidl", "imap.bodystructure"][thread];
    let learn = |process: &Process, thread: usize| {
        let mut view = process.view();
        let field = view.field(name(thread)).unwrap();
        for number in 1..=count {
            let found = view.get(seq(number), field).map(<[u8]>::to_vec);
            assert!(found.is_none_or(|found| found == value(thread, number)));
            view.learn(seq(number), field, value(thread, number));
            if number % 3 == 0 {
                view.flush();
            }
        }
        view.close();
        let mut sync = process.index.begin_sync().unwrap();
        process.cached.tidy(&mut sync);
        sync.finish().unwrap();
    };
    // What Dovecot has cached under these names is gone first.
    std::fs::remove_file(inbox(&fixture).join("dovecot.index.cache")).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (process, learn) = (&processes[thread % 2], &learn);
            scope.spawn(move || (0..5).for_each(|_| learn(process, thread)));
        }
    });
    for thread in 0..4 {
        learn(&processes[0], thread);
    }
    for thread in 0..4 {
        let field = processes[1].view().field(name(thread)).unwrap();
        for number in 1..=count {
            let found = processes[1].get(number, field).unwrap();
            assert_eq!(found, value(thread, number));
        }
    }
}

/// Values by UID.
type Model = BTreeMap<Uid, Vec<u8>>;

fn check(process: &Process, model: &Model) {
    let state = process.index.refresh().unwrap();
    for (uid, value) in model {
        let Some(number) = state.seq(*uid) else {
            continue;
        };
        let found = process.get(number.get(), GUID);
        assert!(found.is_none() || found.as_ref() == Some(value), "{uid}");
    }
}

fn work(process: &Process, model: &mut Model) {
    for round in 0..3u8 {
        let Ok(mut sync) = process.index.begin_sync() else {
            continue;
        };
        let uid = uid(sync.state().header().next_uid());
        let value = format!("value of {uid}").into_bytes();
        model.insert(uid, value.clone());
        let mut transaction = Transaction::external();
        transaction.append(uid.get(), 0);
        let learnt = Learnt {
            uid,
            values: vec![(GUID, value)],
        };
        process.cached.stage(&sync, &mut transaction, &[learnt]);
        drop(sync.commit(&transaction));
        process.cached.tidy(&mut sync);
        drop(sync.finish());
        let Ok(state) = process.index.refresh() else {
            continue;
        };
        let mut view = CacheView::new(&process.cached, &state);
        if let Some(field) = view.field(&format!("hdr.X-{round}")) {
            view.learn(seq(1), field, b"".to_vec());
        }
        view.close();
    }
}

#[test]
fn failures_cost_time_only() {
    let fixture = Fixture::unpack("sdbox");
    let run = |fault: Fault| {
        let copy = copy_of(&inbox(&fixture));
        let faulty = Arc::new(FaultyFs::new(Fault::None));
        let settings = || Settings {
            purge_min_size: 0,
            ..Settings::default()
        };
        let fs = Fs::new(faulty.clone());
        let process = Process::new(&fs, copy.path(), settings());
        let mut model = Model::new();
        faulty.set(fault);
        work(&process, &mut model);
        let calls = faulty.calls().len();
        faulty.set(Fault::None);
        check(&process, &model);
        check(&Process::new(&Fs::real(), copy.path(), settings()), &model);
        work(&process, &mut model);
        check(&process, &model);
        let last = process.index.refresh().unwrap().len();
        assert!(process.get(last, GUID).is_some());
        calls
    };
    let calls = run(Fault::None);
    assert!(calls > 50, "{calls}");
    for nth in 1..=calls {
        run(Fault::Once { nth, errno: 28 });
        run(Fault::From { nth, errno: 5 });
        run(Fault::Full { nth });
    }
}
