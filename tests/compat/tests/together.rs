//! One mailbox, ours and Dovecot at the same time: every acknowledged message is there under the UID
//! that was told, and both say the same afterwards.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use compat::ours::{self, as_user, sha256};
use compat::picture::{Message, comparable};
use compat::theirs::{self, UID};
use mailbox::{Access, FlagChange, Flags, Keyword, MailStore, MailboxName, NewMail, UidSet};
use storage::{NamespaceSettings, Settings};
use testkit::Imap;

const EACH: usize = 40;

/// Hash of each acknowledged message by UID; `None`: removed again.
type Acknowledged = BTreeMap<u32, Option<String>>;

fn settings(location: &str) -> Settings {
    Settings {
        mail_location: location.to_owned(),
        namespace: vec![NamespaceSettings {
            separator: "/".to_owned(),
            ..Default::default()
        }],
        ..Settings::default()
    }
}

fn text(who: &str, number: usize) -> String {
    format!("Subject: {who} {number}\r\n\r\nbody\r\n")
}

fn ours_works(home: &Path, settings: &Settings, who: &str) -> Acknowledged {
    let mut store = ours::fresh(home, settings);
    let inbox = MailboxName::new("INBOX").unwrap();
    let mut view = store.open(&inbox, Access::ReadWrite).unwrap();
    let mut done = Acknowledged::new();
    for number in 0..EACH {
        let text = text(who, number);
        let mut save = store.begin_save(&inbox).unwrap();
        save.save(&NewMail::default(), &mut text.as_bytes())
            .unwrap();
        let uid = save.commit().unwrap().uids[0];
        done.insert(uid.get(), Some(sha256(text.as_bytes())));
        let own = UidSet::from_iter([uid]);
        let keyword = Keyword::new(who).unwrap();
        view.store_flags(&own, &FlagChange::Add(Flags::FLAGGED, vec![keyword]))
            .unwrap();
        if number % 4 == 0 {
            view.remove(&own).unwrap();
            done.insert(uid.get(), None);
        }
    }
    done
}

fn dovecot_works(mut imap: Imap, who: &str) -> Acknowledged {
    imap.ok("SELECT INBOX");
    let mut done = Acknowledged::new();
    for number in 0..EACH {
        let text = text(who, number);
        let reply = imap.append("INBOX", "", text.as_bytes());
        assert!(reply.is_ok(), "{reply:?}");
        let code = reply
            .tagged
            .split_once("[APPENDUID ")
            .unwrap()
            .1
            .split(']')
            .next()
            .unwrap();
        let uid: u32 = code.split(' ').nth(1).unwrap().parse().unwrap();
        done.insert(uid, Some(sha256(text.as_bytes())));
        imap.ok(&format!("UID STORE {uid} +FLAGS (\\Flagged {who})"));
        if number % 4 == 0 {
            imap.ok(&format!("UID STORE {uid} +FLAGS (\\Deleted)"));
            imap.ok(&format!("UID EXPUNGE {uid}"));
            done.insert(uid, None);
        }
    }
    done
}

#[test]
fn maildir() {
    four_writers_of_two_kinds("maildir:~/Maildir", &[]);
}

#[test]
fn sdbox() {
    four_writers_of_two_kinds("sdbox:~/sdbox", &[]);
}

#[test]
fn mdbox() {
    four_writers_of_two_kinds("mdbox:~/mdbox", &[]);
}

#[test]
fn mbox() {
    // Four sessions of Dovecot alone lose flags of their own here.
    four_writers_of_two_kinds("mbox:~/mail:INBOX=~/inbox", &["dove1", "dove2"]);
}

/// `forgetful`: writers whose flags may be lost.
fn four_writers_of_two_kinds(location: &str, forgetful: &[&str]) {
    let settings = settings(location);
    let share = tempfile::tempdir().unwrap();
    let home = theirs::make_home(share.path(), "together");
    let dovecot = theirs::boot(location, share.path());
    let sessions = ["dove1", "dove2"].map(|who| (who, theirs::login(&dovecot, "together")));
    let acknowledged = std::thread::scope(|scope| {
        let (home, settings) = (&home, &settings);
        let ours = ["ours1", "ours2"]
            .map(|who| scope.spawn(move || as_user(UID, || ours_works(home, settings, who))));
        let theirs = sessions.map(|(who, imap)| scope.spawn(move || dovecot_works(imap, who)));
        let all = ours.into_iter().chain(theirs);
        let mut acknowledged = Acknowledged::new();
        for done in all.map(|thread| thread.join().unwrap()) {
            for (uid, hash) in done {
                assert_eq!(acknowledged.insert(uid, hash), None, "uid {uid} told twice");
            }
        }
        acknowledged
    });
    let found = as_user(UID, || {
        let mut store = ours::fresh(&home, &settings);
        ours::mailbox(
            &mut store,
            &MailboxName::new("INBOX").unwrap(),
            Access::ReadWrite,
        )
    });
    let theirs = theirs::mailbox(&mut theirs::login(&dovecot, "together"), "INBOX");
    let (found, theirs) = comparable(&found, &theirs);
    assert_eq!(found.messages, theirs.messages);
    let excused: Vec<String> = forgetful
        .iter()
        .flat_map(|who| (0..EACH).map(|number| sha256(text(who, number).as_bytes())))
        .collect();
    let is_excused = |message: &Message| excused.contains(&message.sha256);
    let expected: BTreeMap<u32, String> = acknowledged
        .into_iter()
        .filter_map(|(uid, hash)| Some((uid, hash?)))
        .collect();
    // Who forgets `\Deleted` does not expunge.
    let left = found.messages.iter();
    let left: BTreeMap<u32, String> = left
        .filter(|message| expected.contains_key(&message.uid) || !is_excused(message))
        .map(|message| (message.uid, message.sha256.clone()))
        .collect();
    assert_eq!(left, expected);
    let kept = found.messages.iter();
    for message in kept.filter(|message| !is_excused(message)) {
        assert!(
            message.flags.contains("\\Flagged") && message.keywords.len() == 1,
            "{message:?}"
        );
    }
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
}
