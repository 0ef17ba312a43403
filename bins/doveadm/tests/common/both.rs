//! The same command in both, on copies of one store.

use super::{Store, Who, difference, sorted};

/// Two copies of one store.
pub struct Both {
    pub theirs: Store,
    pub ours: Store,
    failures: Vec<String>,
}

impl Both {
    pub fn of(name: &str) -> Self {
        Self::of_location(name, "maildir:~/Maildir")
    }

    pub fn of_location(name: &str, location: &str) -> Self {
        let mut both = Self {
            theirs: Store::of(name),
            ours: Store::of(name),
            failures: Vec::new(),
        };
        for store in [&mut both.theirs, &mut both.ours] {
            store.conf = store.conf.replace("maildir:~/Maildir", location);
        }
        let listed = both.theirs.doveadm(Who::Dovecot, &["mailbox", "list"], b"");
        assert!(listed.out.contains("INBOX\n"), "{listed:?}");
        both
    }

    /// The same rows in any order, the same exit code.
    pub fn agree(&mut self, words: &[&str]) {
        self.agree_on(words, b"", &sorted);
    }

    /// The same bytes.
    pub fn agree_exactly(&mut self, words: &[&str]) {
        self.agree_on(words, b"", &|text| {
            text.lines().map(str::to_owned).collect()
        });
    }

    pub fn agree_on(&mut self, words: &[&str], input: &[u8], form: &dyn Fn(&str) -> Vec<String>) {
        let theirs = self.theirs.doveadm(Who::Dovecot, words, input);
        let ours = self.ours.doveadm(Who::Culver, words, input);
        let (a, b) = (form(&theirs.out), form(&ours.out));
        if (theirs.code, &a) != (ours.code, &b) {
            self.failures.push(format!(
                "{words:?}: exit codes {} and {}\n{}theirs: {}ours: {}\n",
                theirs.code,
                ours.code,
                difference(&a, &b),
                theirs.err,
                ours.err
            ));
        }
    }

    /// The same, and Dovecot finds the same mail in both stores.
    pub fn change(&mut self, words: &[&str], input: &[u8]) {
        self.agree_on(words, input, &sorted);
        let (theirs, ours) = (mail(&self.theirs), mail(&self.ours));
        if theirs != ours {
            self.failures
                .push(format!("after {words:?}:\n{}", difference(&theirs, &ours)));
        }
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        }
    }
}

/// What Dovecot says is there. Who was the first to look (`\Recent`), and when a message was saved just now,
/// is nobody's doing.
fn mail(store: &Store) -> Vec<String> {
    let fetch = "mailbox uid flags hdr.subject size.virtual";
    let mut all = Vec::new();
    for words in [
        &["mailbox", "list"][..],
        &["mailbox", "list", "-s"],
        &["-f", "flow", "fetch", fetch, "all"],
    ] {
        let rows = store.doveadm(Who::Dovecot, words, b"").out;
        all.extend(sorted(
            &rows.replace(" \\Recent", "").replace("\\Recent", ""),
        ));
    }
    all
}
