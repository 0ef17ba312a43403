//! An imap-hibernate in the hands of somebody else: it holds clients, and can make nobody of them.
#![allow(clippy::panic, reason = "a failed test is a panic")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};

use attacks::{Honest, Site};
use testkit::Imap;

/// `UNPARK_REFUSED` of lib/service/src/journal.rs.
const UNPARK_REFUSED: &str = "2c8e1f6a9b7d4e53a0c45d1f83b26e97";

/// src/bin/false-keeper.rs in the machine, in the place of imap-hibernate.
struct Keeper {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Keeper {
    fn new(site: &Site) -> Self {
        let path = "/usr/local/bin/false-keeper";
        let binary = std::fs::read(env!("CARGO_BIN_EXE_false-keeper")).expect("the keeper");
        site.machine.write_file(path, &binary);
        site.machine.run(&format!(
            "chmod 755 {path}
             systemctl stop culver-imap-hibernate.socket culver-imap-hibernate.service"
        ));
        let mut child = site.machine.command(&[path]).spawn().expect("a process");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            child,
            input,
            output,
        }
    }

    fn ask(&mut self, words: &str) -> String {
        writeln!(self.input, "{words}").expect("the keeper lives");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A session that will be parked, and the tag of its IDLE.
fn idling(site: &Site, user: &str) -> (Imap, String) {
    let mut imap = site.log_in(user);
    imap.ok("SELECT INBOX");
    let tag = imap.say("IDLE").expect("IDLE");
    assert_eq!(imap.response().expect("a line").text, "+ idling");
    (imap, tag)
}

fn refused(site: &mut Site) -> usize {
    let records = site.records();
    records
        .iter()
        .filter(|record| record.field("MESSAGE_ID") == UNPARK_REFUSED)
        .count()
}

#[test]
fn whoever_holds_clients_can_give_them_back_and_nothing_else() {
    let mut site = Site::boot_with("imap_hibernate_timeout = 1s\n");
    let mut keeper = Keeper::new(&site);
    let (mut bob, bobs_tag) = idling(&site, "bob");
    assert_eq!(keeper.ask("greet"), "released 0");
    assert_eq!(keeper.ask("hold"), "0");
    let (mut alice, alices_tag) = idling(&site, "alice");
    assert_eq!(keeper.ask("hold"), "1");
    site.records();

    for lie in ["changed", "cut", "another", "socket", "file", "nothing"] {
        assert_eq!(keeper.ask(&format!("wake 0 {lie}")), "closed", "{lie}");
        // Then it is asked again, and what it has is as it was.
        assert_eq!(keeper.ask("greet"), "released 0", "{lie}");
        assert_eq!(refused(&mut site), 1, "{lie}");
    }

    bob.send(b"DONE\r\n");
    assert_eq!(keeper.ask("wake 0"), "taken");
    assert!(bob.reply(&bobs_tag).expect("an answer").is_ok());
    // It has kept the socket and the record: both are worth nothing now.
    assert_eq!(keeper.ask("wake 0"), "closed", "a second time");
    assert_eq!(keeper.ask("greet"), "released 1");
    assert_eq!(refused(&mut site), 1);
    bob.ok("NOOP");
    bob.ok("LOGOUT");
    assert_eq!(keeper.ask("wake 0"), "closed", "when the session is over");
    assert_eq!(keeper.ask("greet"), "released 1");
    assert_eq!(refused(&mut site), 1);
    keeper.ask("forget 0");

    // The next manager believes no more than this one.
    site.machine
        .run("systemctl kill --kill-whom=main --signal=KILL culver-imap.service");
    assert_eq!(keeper.ask("greet"), "released 0");
    assert_eq!(keeper.ask("wake 1 changed"), "closed");
    assert_eq!(keeper.ask("greet"), "released 0");
    assert_eq!(
        keeper.ask("wake 0"),
        "closed",
        "of an earlier manager's time"
    );
    assert_eq!(keeper.ask("greet"), "released 0");
    assert_eq!(refused(&mut site), 2);
    alice.send(b"DONE\r\n");
    assert_eq!(keeper.ask("wake 1"), "taken");
    assert!(alice.reply(&alices_tag).expect("an answer").is_ok());
    alice.ok("SELECT INBOX");
    let honest = Honest::start(&site);
    drop(keeper);
    site.machine
        .run("systemctl start culver-imap-hibernate.socket");
    drop(honest);
}

#[test]
fn a_list_of_lies_parks_nobody() {
    let mut site = Site::boot_with("imap_hibernate_timeout = 1s\n");
    let mut keeper = Keeper::new(&site);
    let (mut bob, _) = idling(&site, "bob");
    assert_eq!(keeper.ask("greet"), "released 0");
    assert_eq!(keeper.ask("hold"), "0");
    site.records();
    assert_eq!(keeper.ask("wake 0 nothing"), "closed");
    assert_eq!(keeper.ask("greet changed"), "released 1");
    assert_eq!(refused(&mut site), 2);
    // Its session is over, and does not count any more.
    let who = site.machine.run("doveadm who");
    assert!(!who.contains("bob"), "{who}");
    drop(keeper);
    assert!(bob.response().is_err(), "closed with who held it");
}
