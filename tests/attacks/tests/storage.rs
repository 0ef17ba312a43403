//! Files that a user, a backup or another program left in a mailbox.

use std::fmt::Write as _;

use attacks::memory::Memory;
use attacks::{Honest, Site};
use testkit::Imap;

const MIB: u64 = 1024 * 1024;
const MAILDIR: &str = "/home/alice/Maildir";

/// alice's INBOX with so many messages, read once; nobody is logged in afterwards.
fn filled(site: &Site, count: usize) {
    site.empty("alice");
    for number in 0..count {
        site.deliver(
            "alice",
            format!("Subject: {number}\r\n\r\nx\r\n").as_bytes(),
        );
    }
    let mut imap = site.log_in("alice");
    imap.ok("SELECT INBOX");
    imap.ok("STORE 1:* +FLAGS (\\Seen)");
    imap.ok("LOGOUT");
}

/// UIDs and UIDVALIDITY, if the mailbox can be opened.
fn look(imap: &mut Imap) -> Option<(Vec<u32>, u32)> {
    let reply = imap.command("SELECT INBOX");
    if !reply.is_ok() {
        return None;
    }
    let validity = &reply.find("UIDVALIDITY").text;
    let validity = digits(validity.split("UIDVALIDITY ").nth(1)?)?;
    let uids = imap.ok("UID SEARCH ALL");
    let uids = &uids.find("* SEARCH").text;
    let uids = uids
        .split(' ')
        .skip(2)
        .map(|uid| uid.parse().expect("a UID"))
        .collect();
    Some((uids, validity))
}

fn digits(text: &str) -> Option<u32> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

fn put(site: &Site, name: &str, bytes: &[u8]) {
    let path = format!("{MAILDIR}/{name}");
    site.machine.write_file(&path, bytes);
    site.machine.run(&format!("chown alice: '{path}'"));
}

fn uidlist(site: &Site) -> String {
    String::from_utf8(
        site.machine
            .read_file(&format!("{MAILDIR}/dovecot-uidlist")),
    )
    .expect("a uidlist of ours")
}

/// Hostile versions of a good uidlist.
fn hostile(good: &str) -> Vec<(&'static str, Vec<u8>)> {
    let lines: Vec<&str> = good.lines().collect();
    let (header, entries) = lines.split_first().expect("a header");
    let with = |entries: Vec<String>| {
        let mut text = format!("{header}\n");
        for entry in entries {
            writeln!(text, "{entry}").expect("memory");
        }
        text.into_bytes()
    };
    let renumbered = |uid: &dyn Fn(usize) -> String| {
        let numbered = entries.iter().enumerate();
        with(
            numbered
                .map(|(index, entry)| {
                    let (_, rest) = entry.split_once(' ').expect("an entry");
                    format!("{} {rest}", uid(index))
                })
                .collect(),
        )
    };
    let twice = entries
        .iter()
        .chain(entries)
        .map(|entry| (*entry).to_owned())
        .collect();
    let long = [header.as_bytes(), b"\n1 :", &vec![b'x'; 64 * 1024 * 1024]].concat();
    vec![
        ("the same UID for all", renumbered(&|_| "7".to_owned())),
        (
            "UIDs that fall",
            renumbered(&|index| (100 - index).to_string()),
        ),
        ("UID 0", renumbered(&|_| "0".to_owned())),
        (
            "UID 2^32",
            renumbered(&|index| (4_294_967_296 + index).to_string()),
        ),
        (
            "the last UIDs there are",
            renumbered(&|index| (4_294_967_295 - 2 + index).to_string()),
        ),
        ("negative UIDs", renumbered(&|index| format!("-{index}"))),
        ("each name twice", with(twice)),
        ("one line of 64 MiB", long),
        ("version 4", good.replacen('3', "4", 1).into_bytes()),
        ("version 1", b"1 1 1\n".to_vec()),
        ("empty", Vec::new()),
        ("only a line end", b"\n".to_vec()),
        ("NULs", vec![0; 100_000]),
        ("not UTF-8", vec![0xff; 10_000]),
        (
            "half a header",
            header.as_bytes().iter().copied().take(5).collect(),
        ),
        (
            "UIDVALIDITY 0",
            with(Vec::new()).replace_first(b" V", b" V0"),
        ),
        (
            "next UID below the last",
            good.replacen(" N", " N0", 1).into_bytes(),
        ),
        (
            "paths for names",
            with(vec![
                "1 :../../bob/Maildir/cur/x".to_owned(),
                "2 :/etc/passwd".to_owned(),
            ]),
        ),
        (
            "control characters",
            with(vec!["1 G\u{1b}]0;x\u{7} :a\tb".to_owned()]),
        ),
    ]
}

trait ReplaceFirst {
    fn replace_first(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl ReplaceFirst for Vec<u8> {
    fn replace_first(self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(self).expect("text");
        let (from, to) = (String::from_utf8_lossy(from), String::from_utf8_lossy(to));
        text.replacen(&*from, &to, 1).into_bytes()
    }
}

/// FS-03: every message is there under a UID of its own, and at most UIDVALIDITY is another.
#[test]
fn hostile_uidlists() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    filled(&site, 5);
    let good = uidlist(&site);
    for (name, bytes) in hostile(&good) {
        put(&site, "dovecot-uidlist", &bytes);
        let memory = Memory::look(&site.machine);
        let mut imap = site.log_in("alice");
        let (uids, _) = look(&mut imap).unwrap_or_else(|| panic!("{name}: INBOX cannot be opened"));
        assert_eq!(uids.len(), 5, "{name}: {uids:?}");
        assert!(
            uids.iter().zip(uids.iter().skip(1)).all(|(a, b)| a < b),
            "{name}: {uids:?}"
        );
        imap.ok("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER])");
        assert_eq!(
            look(&mut imap).map(|(again, _)| again),
            Some(uids),
            "{name}: repaired once"
        );
        let (unit, growth) = memory.most();
        println!("{name}: {unit} grew by {} KiB", growth / 1024);
        assert!(
            growth <= 16 * MIB,
            "{name}: {unit} grew by {} KiB",
            growth / 1024
        );
        drop(imap);
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{name}: {what}"));
    }
}

/// FS-03: what is no file at all. Nothing outside of the mailbox is read or written through it.
#[test]
fn uidlists_that_are_no_files() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let shadow = site.machine.read_file("/etc/shadow");
    let tricks = [
        ("missing", "rm -f dovecot-uidlist"),
        (
            "a link to what only root reads",
            "ln -sf /etc/shadow dovecot-uidlist",
        ),
        ("a link to nothing", "ln -sf /nonexistent/x dovecot-uidlist"),
        (
            "a link to itself",
            "rm -f dovecot-uidlist; ln -s dovecot-uidlist dovecot-uidlist",
        ),
        (
            "a directory",
            "rm -f dovecot-uidlist; mkdir dovecot-uidlist",
        ),
        ("a pipe", "rm -rf dovecot-uidlist; mkfifo dovecot-uidlist"),
        (
            "unreadable",
            "rm -rf dovecot-uidlist; : >dovecot-uidlist; chmod 0 dovecot-uidlist",
        ),
    ];
    for (name, trick) in tricks {
        filled(&site, 3);
        site.machine.run(&format!(
            "cd {MAILDIR}; {trick}; chown -h alice: dovecot-uidlist || true"
        ));
        let mut imap = site.log_in("alice");
        match look(&mut imap) {
            Some((uids, _)) => assert_eq!(uids.len(), 3, "{name}"),
            // An error is an answer, too; an answer it must be.
            None => println!("{name}: refused"),
        }
        imap.ok("NOOP");
        drop(imap);
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{name}: {what}"));
        site.machine.run(&format!("chmod -R u+rwX {MAILDIR}"));
    }
    assert!(
        site.machine.read_file("/etc/shadow") == shadow,
        "/etc/shadow is as it was"
    );
}

/// IMAP-80: indexes are read by nobody yet; what lies there is of no account.
#[test]
fn hostile_index_files_change_nothing() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    filled(&site, 3);
    let mut imap = site.log_in("alice");
    let before = look(&mut imap).expect("INBOX");
    drop(imap);
    let kinds: [(&str, Vec<u8>); 4] = [
        ("empty", Vec::new()),
        ("ones", vec![0xff; 70_000]),
        ("short", vec![7, 3, 120]),
        ("text", b"7\n".repeat(1000)),
    ];
    for (kind, bytes) in kinds {
        for name in [
            "dovecot.index",
            "dovecot.index.log",
            "dovecot.index.cache",
            "dovecot.list.index",
            "dovecot.index.log.2",
        ] {
            put(&site, name, &bytes);
        }
        let mut imap = site.log_in("alice");
        assert_eq!(look(&mut imap).as_ref(), Some(&before), "{kind}");
        imap.ok("FETCH 1:* (FLAGS ENVELOPE)");
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{kind}: {what}"));
    }
}

/// FS-08. The clock of a machine is the host's and cannot be moved here; what can is the times of files. That
/// timers do not ask the clock is a rule of tests/tidy, that names stay unique a test of format-maildir.
#[test]
fn clocks_that_jump() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    filled(&site, 2);
    let times = [
        "1970-01-01 00:00:00",
        "2038-01-19 03:14:08",
        "2106-02-07 06:28:17",
        "2300-01-01 00:00:00",
    ];
    for (number, time) in times.iter().enumerate() {
        let name = format!(
            "{}.M1P{number}.elsewhere",
            4_000_000_000_u64 * number as u64
        );
        put(&site, &format!("new/{name}"), b"Subject: then\r\n\r\nx\r\n");
        site.machine.run(&format!(
            "cd {MAILDIR}; touch -d '{time} UTC' new/{name}; touch -d '{time} UTC' cur new . dovecot-uidlist dovecot-uidlist.lock 2>/dev/null || true
             rm -f dovecot-uidlist.lock"
        ));
        let mut imap = site.log_in("alice");
        let (uids, _) = look(&mut imap).expect("INBOX");
        assert_eq!(uids.len(), 3 + number, "{time}");
        let reply = imap.ok("FETCH 1:* (UID INTERNALDATE)");
        println!(
            "{time}: {}",
            reply.untagged.last().map_or("", |last| &last.text)
        );
        site.deliver("alice", b"Subject: now\r\n\r\nx\r\n");
        imap.ok("NOOP");
        let reply = imap.ok("UID SEARCH ALL");
        let count = reply.find("SEARCH").text.split(' ').count() - 2;
        assert_eq!(
            count,
            4 + number,
            "{time}: a change is seen whatever the times are"
        );
        imap.ok("STORE * +FLAGS (\\Deleted)");
        imap.ok("EXPUNGE");
        drop(imap);
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{time}: {what}"));
    }
}

/// FS-10: a UID is never used for another message under the same UIDVALIDITY.
#[test]
fn a_mailbox_from_yesterday() {
    let site = Site::boot();
    filled(&site, 3);
    let seen = |site: &Site| look(&mut site.log_in("alice")).expect("INBOX");
    let (_, validity) = seen(&site);
    site.machine
        .run(&format!("cp -a {MAILDIR} /root/yesterday"));
    for _ in 0..3 {
        site.deliver("alice", b"Subject: today\r\n\r\nx\r\n");
    }
    let (today, _) = seen(&site);
    assert_eq!(today.len(), 6);

    // Messages of yesterday, the list of today: today's UIDs stay used.
    site.machine.run(&format!(
        "cd {MAILDIR}; rm -rf cur new; cp -a /root/yesterday/cur /root/yesterday/new ."
    ));
    site.deliver("alice", b"Subject: after the restore\r\n\r\nx\r\n");
    let (uids, same) = seen(&site);
    assert_eq!(uids.len(), 4);
    let newest = uids.last().copied().unwrap_or_default();
    assert!(
        same != validity || newest > 6,
        "UID {newest} was another message: {uids:?}"
    );

    // Messages of yesterday without a list: what is new now was never anything else.
    let used = seen(&site).0.last().copied().unwrap_or_default();
    site.machine.run(&format!(
        "cd {MAILDIR}; rm -rf cur new dovecot-uidlist*; cp -a /root/yesterday/cur /root/yesterday/new ."
    ));
    site.deliver("alice", b"Subject: again\r\n\r\nx\r\n");
    let (uids, other) = seen(&site);
    assert_eq!(uids.len(), 4);
    let newest = uids.last().copied().unwrap_or_default();
    assert!(
        other != validity || newest > used,
        "UID {newest} was another message: {uids:?}"
    );

    // The same, and nobody is left who remembers, not even the index: then the clock must do, which counts seconds.
    site.machine.run(&format!(
        "systemctl stop culver-imap.service culver-deliver.service
         while pkill -KILL -u alice || [ $(date +%s) -le {validity} ]; do sleep 0.01; done
         cd {MAILDIR}; rm -rf cur new dovecot-uidlist* dovecot.index*; cp -a /root/yesterday/cur /root/yesterday/new ."
    ));
    site.deliver("alice", b"Subject: again\r\n\r\nx\r\n");
    let (uids, other) = seen(&site);
    assert_eq!(uids.len(), 4);
    assert_ne!(other, validity, "UIDs start anew: {uids:?}");
}
