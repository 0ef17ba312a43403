//! A game on one store: operations at random, whoever performs them, and what both say afterwards.

mod dice;
mod op;
mod ours;
mod theirs;

use std::collections::{BTreeMap, BTreeSet};

use testkit::Dovecot;

use crate::picture::{Mailbox, comparable};

pub use dice::Dice;
pub use op::{Op, Tier, some_op};
pub use ours::Ours;
pub use theirs::Theirs;

/// A format, and what its mailboxes may be called.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    /// `mail_location`
    pub location: &'static str,
    /// Besides INBOX.
    pub names: &'static [&'static str],
    /// Does it keep messages in two places, and some that nobody refers to any more?
    pub upkeep: bool,
}

/// Mailboxes within mailboxes.
pub const NESTED: &[&str] = &[
    "Archive",
    "Archive/Ä & B",
    "Archive/Ä & B/deep",
    "Lists",
    "Lists/two words",
    "Later",
];

/// Where a mailbox is a file, and a file is no directory.
pub const FLAT: &[&str] = &["Archive", "Old/Ä & B", "Old/deep/x", "Lists", "Later"];

pub const MAILDIR: Store = Store {
    location: "maildir:~/Maildir",
    names: NESTED,
    upkeep: false,
};

pub const SDBOX: Store = Store {
    location: "sdbox:~/sdbox:ALT=~/alt",
    names: NESTED,
    upkeep: true,
};

pub const MDBOX: Store = Store {
    location: "mdbox:~/mdbox:ALT=~/alt",
    names: NESTED,
    upkeep: true,
};

pub const MBOX: Store = Store {
    location: "mbox:~/mail:INBOX=~/inbox",
    names: FLAT,
    upkeep: false,
};

/// Thresholds so low that logs are rotated and checkpoints written all the time.
pub const RESTLESS: &str = "
mail_index_rewrite_min_log_bytes = 512
mail_index_rewrite_max_log_bytes = 2k
mail_index_log_rotate_min_size = 2k
mail_index_log_rotate_max_size = 8k
mail_index_log_rotate_min_age = 0
mail_index_log2_max_age = 1s
";

/// What LIST and LSUB say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub list: BTreeMap<String, BTreeSet<String>>,
    pub subscribed: BTreeSet<String>,
}

impl Names {
    /// Without what is a hint only, or configured for one side.
    #[must_use]
    pub fn new(mut list: BTreeMap<String, BTreeSet<String>>, subscribed: BTreeSet<String>) -> Self {
        const HINTS: [&str; 5] = ["\\Drafts", "\\Sent", "\\Trash", "\\Marked", "\\UnMarked"];
        for attributes in list.values_mut() {
            attributes.retain(|attribute| !HINTS.contains(&attribute.as_str()));
        }
        Self { list, subscribed }
    }

    /// What can be selected, INBOX among it.
    #[must_use]
    pub fn mailboxes(&self) -> Vec<String> {
        let selectable = self.list.iter().filter(|(_, attributes)| {
            !attributes.contains("\\Noselect") && !attributes.contains("\\NonExistent")
        });
        selectable.map(|(name, _)| name.clone()).collect()
    }
}

/// Who plays.
pub trait Side {
    /// Does it; an operation on names may be refused.
    fn perform(&mut self, op: &Op);
    fn picture(&mut self, mailbox: &str) -> Mailbox;
    fn names(&mut self) -> Names;
}

/// Both say the same about a mailbox.
pub fn assert_same(name: &str, ours: &Mailbox, theirs: &Mailbox, dovecot: &Dovecot) {
    let (ours, theirs) = comparable(ours, theirs);
    if ours.same_as(&theirs) {
        return;
    }
    println!("{name}: {:#?}", dovecot.complaints());
    for (a, b) in ours.messages.iter().zip(&theirs.messages) {
        assert_eq!(a, b, "ours, Dovecot: message in {name}");
    }
    assert_eq!(
        ours.numbers(),
        theirs.numbers(),
        "ours, Dovecot: numbers of {name}"
    );
    assert_eq!(ours.messages, theirs.messages, "ours, Dovecot: {name}");
}

/// How long a game is: `COMPAT_STEPS`, or a few steps, or with `CULVER_FULL` many.
#[must_use]
pub fn steps(few: u64) -> usize {
    let default = match std::env::var_os("CULVER_FULL") {
        Some(_) => 5_000,
        None => few,
    };
    usize::try_from(number("COMPAT_STEPS", default)).unwrap()
}

/// A number from the environment.
#[must_use]
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
