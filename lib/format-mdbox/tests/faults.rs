//! Every file operation of every change fails once, or is the last one before a kill: what was there
//! stays there, what was acknowledged is there, nothing is there twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::Store;
use common::operations::{OPERATIONS, Operation, check, content, copy_tree, prepare};
use format_mdbox::Settings;
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};

const EIO: i32 = 5;

fn faults(nth: usize) -> [Fault; 3] {
    [
        Fault::Once { nth, errno: EIO },
        Fault::From { nth, errno: EIO },
        Fault::Full { nth },
    ]
}

fn attempt(root: &Path, operation: &Operation, fault: Fault) -> (bool, usize) {
    let faulty = Arc::new(FaultyFs::new(Fault::None));
    let settings = Settings {
        rotate_size: operation.rotate_size,
        ..Settings::default()
    };
    let store = Store::with(root, Fs::new(faulty.clone()), settings);
    faulty.set(fault);
    let done = (operation.run)(&store).is_ok();
    (done, faulty.calls().len())
}

#[test]
fn every_call_fails_once() {
    let home = common::scratch();
    let template = home.path().join("template");
    prepare(&template.join("mdbox"));
    let before = content(&Store::open(&template.join("mdbox")));
    for operation in &OPERATIONS {
        let mut after = before.clone();
        (operation.after)(&mut after);
        let fresh = |name: &str| {
            let copy = home.path().join(name);
            let _ = std::fs::remove_dir_all(&copy);
            copy_tree(&template, &copy);
            copy.join("mdbox")
        };
        let root = fresh("sound");
        let (done, calls) = attempt(&root, operation, Fault::None);
        check(&root, &before, &after, (operation.name, true));
        assert!(done && calls > 5, "{}: {calls}", operation.name);
        for nth in 1..=calls {
            for fault in faults(nth) {
                let root = fresh("faulty");
                let (done, _) = attempt(&root, operation, fault);
                let what = format!("{}: {fault:?} of {calls}", operation.name);
                check(&root, &before, &after, (&what, done));
            }
        }
    }
}
