//! The tree of names: Dovecot's is read, and ours is what was asked for.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{FIXTURES, files};
use index::list::{Tree, flag};
use index::{Index, Options};
use mailbox::Guid;
use sys::fs::Fs;
use testkit::Fixture;

const LOG: &str = "dovecot.list.index.log";

fn options() -> Options {
    Options::list(&mailbox::Settings::default(), "dovecot.list.index")
}

fn paths(tree: &Tree) -> BTreeSet<String> {
    let paths = tree.nodes().map(|node| tree.path(node.uid).unwrap());
    let text = paths.map(|levels| String::from_utf8(levels.join(&b'/')).unwrap());
    text.collect()
}

#[test]
fn dovecots_trees_are_read_and_need_no_change() {
    let mut seen = 0;
    for name in FIXTURES {
        let fixture = Fixture::unpack(name);
        for log in files(fixture.directory(), |name| name == LOG) {
            let index = Index::open(&Fs::real(), log.parent().unwrap(), options()).unwrap();
            let state = index.state().unwrap();
            let tree = Tree::decode(&state).unwrap();
            assert_eq!(tree.nodes().count(), usize::try_from(state.len()).unwrap());
            assert!(tree.changes_from(&state).is_empty(), "{}", log.display());
            let expected = fixture.expected();
            let listed = expected["list"].as_array().unwrap();
            for entry in listed {
                let name = entry["name"].as_str().unwrap();
                let levels: Vec<&str> = name.split(['/', '.']).collect();
                // Bare and Maildir++ fixtures have levels that are nowhere.
                seen += usize::from(tree.find(&levels).is_some());
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_tree_is_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let first = Tree::default().changes_from(&index::State::empty(1));
    let (index, _) = Index::create(&Fs::real(), dir.path(), options(), &first).unwrap();
    let mut tree = Tree::default();
    let mut step = |act: &mut dyn FnMut(&mut Tree)| {
        let mut sync = index.begin_sync().unwrap();
        act(&mut tree);
        let changes = tree.changes_from(sync.state());
        sync.commit(&changes).unwrap();
        sync.finish().unwrap();
        let read = Index::open(&Fs::real(), dir.path(), options()).unwrap();
        let state = read.state().unwrap();
        let read = Tree::decode(&state).unwrap();
        assert_eq!(paths(&read), paths(&tree));
        assert!(read.nodes().eq(tree.nodes()));
        assert_eq!(read.wants_refresh(), tree.wants_refresh());
        assert!(tree.changes_from(&state).is_empty());
    };
    step(&mut |tree| {
        for number in 0..300 {
            let name = format!("box {number}");
            let uid = tree.insert(&["A", &name, "Drafts"]).unwrap();
            let node = tree.get_mut(uid).unwrap();
            (node.flags, node.guid, node.uid_validity) = (0, Guid::generate(), 7);
        }
    });
    step(&mut |tree| {
        let uid = tree.find(&["A", "box 7", "Drafts"]).unwrap().uid;
        // The levels above do not exist; others are below A.
        tree.remove(uid, flag::NOSELECT);
        assert!(tree.find(&["A", "box 7"]).is_none() && tree.find(&["A"]).is_some());
        let uid = tree.find(&["A", "box 8"]).unwrap().uid;
        tree.remove(uid, flag::NOSELECT);
        assert_eq!(tree.get(uid).unwrap().flags, flag::NOSELECT);
    });
    step(&mut |tree| {
        let uid = tree.find(&["A", "box 9"]).unwrap().uid;
        tree.rename(uid, 0, b"nine").unwrap();
        assert!(tree.find(&["nine", "Drafts"]).unwrap().is_selectable());
        let other = tree.find(&["A"]).unwrap().uid;
        assert!(tree.rename(other, 0, b"nine").is_none());
        tree.ask_for_refresh();
    });
    step(&mut |tree| {
        tree.note_refresh();
        tree.retain(|node| node.parent == 0);
    });
    step(&mut |tree| assert!(tree.insert(&["new"]).is_some()));
}
