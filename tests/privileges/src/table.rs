//! The table: who each process is, and which rights it has. Whatever is not in it is an error.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use testkit::{Imap, Lmtp, Machine};

use crate::process::Process;

/// What a process must be.
struct Row {
    service: &'static str,
    main: bool,
    user: &'static str,
    /// Names of all its groups, the primary one too.
    groups: &'static [&'static str],
    /// Capabilities, the same in all sets: bits as /proc shows them.
    capabilities: u64,
    /// What descriptors may be, by prefix.
    fds: &'static [&'static str],
}

/// CAP_SETGID (6), CAP_SETUID (7), CAP_SETPCAP (8), CAP_SYS_CHROOT (18).
const MANAGER: u64 = 1 << 6 | 1 << 7 | 1 << 8 | 1 << 18;
/// What everybody has: sockets, an event loop, standard input from nowhere.
const NETWORK: &[&str] = &[
    "socket:",
    "anon_inode:[eventpoll]",
    "anon_inode:[eventfd]",
    "/dev/null",
    "pipe:",
];

const TABLE: [Row; 10] = [
    Row {
        service: "imap-login",
        main: true,
        user: "culver-imap-login",
        groups: &["culver-imap-login", "culver-login"],
        capabilities: 0,
        fds: NETWORK,
    },
    Row {
        service: "auth",
        main: true,
        user: "culver-auth",
        groups: &["culver-auth"],
        capabilities: 0,
        fds: NETWORK,
    },
    Row {
        service: "auth-worker",
        main: true,
        user: "culver-auth-worker",
        groups: &["culver-auth-worker", "shadow"],
        capabilities: 0,
        fds: &["socket:", "anon_inode:", "/dev/null", "pipe:"],
    },
    Row {
        service: "anvil",
        main: true,
        user: "culver-anvil",
        groups: &["culver-anvil"],
        capabilities: 0,
        fds: &[
            "socket:",
            "anon_inode:[eventpoll]",
            "anon_inode:[eventfd]",
            "/dev/null",
            "pipe:",
            "/memfd:",
        ],
    },
    Row {
        service: "imap-hibernate",
        main: true,
        user: "culver-imap-hibernate",
        groups: &["culver-imap-hibernate"],
        capabilities: 0,
        fds: &[
            "socket:",
            "anon_inode:[eventpoll]",
            "anon_inode:[eventfd]",
            "anon_inode:inotify",
            "/dev/null",
            "pipe:",
            "/memfd:",
        ],
    },
    Row {
        service: "lmtp",
        main: true,
        user: "culver-lmtp",
        groups: &["culver-anvil", "culver-lmtp", "culver-userdb"],
        capabilities: 0,
        fds: &[
            "socket:",
            "anon_inode:[eventpoll]",
            "anon_inode:[eventfd]",
            "/dev/null",
            "pipe:",
            "/memfd:",
        ],
    },
    Row {
        service: "imap",
        main: true,
        user: "culver",
        groups: &["culver", "culver-anvil"],
        capabilities: MANAGER,
        fds: &[
            "socket:",
            "anon_inode:",
            "/dev/null",
            "pipe:",
            "/memfd:culver-parked",
        ],
    },
    Row {
        service: "deliver",
        main: true,
        user: "culver-deliver",
        groups: &["culver-deliver", "culver-userdb"],
        capabilities: MANAGER,
        fds: &["socket:", "anon_inode:", "/dev/null", "pipe:", "/memfd:"],
    },
    Row {
        service: "imap",
        main: false,
        user: "ann",
        groups: &["ann"],
        capabilities: 0,
        fds: &[
            "socket:",
            "anon_inode:",
            "/dev/null",
            "pipe:",
            "/home/ann/Maildir",
        ],
    },
    Row {
        service: "deliver",
        main: false,
        user: "ann",
        groups: &["ann"],
        capabilities: 0,
        fds: &[
            "socket:",
            "anon_inode:",
            "/dev/null",
            "pipe:",
            "/memfd:",
            "/home/ann/Maildir",
        ],
    },
];

/// A machine in which everything runs: sessions plain and with TLS, idling and reading; a delivery each second.
pub fn loaded() -> &'static Machine {
    static LOADED: OnceLock<&'static Machine> = OnceLock::new();
    LOADED.get_or_init(|| {
        let machine = Machine::culver();
        machine.add_user("ann", "secret");
        let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
        machine.configure(&config.replace(
            "imap_hibernate_timeout = 30s",
            "imap_hibernate_timeout = 1s",
        ));
        std::thread::spawn(move || {
            let mut lmtp = Lmtp::connect(machine.connect(24));
            let mut sessions = [
                Imap::connect(machine.connect(143)),
                Imap::connect_tls(machine.connect(993)),
                // In a mailbox where nothing happens: it is parked.
                Imap::connect_tls(machine.connect(993)),
            ];
            for imap in &mut sessions {
                imap.ok("LOGIN ann secret");
            }
            lmtp.delivered(&["ann"], b"Subject: load\r\n\r\nload\r\n");
            for imap in &mut sessions {
                imap.ok("SELECT INBOX");
            }
            let [reading, idling, parked] = &mut sessions;
            parked.ok("SELECT Drafts");
            for imap in [idling, parked] {
                imap.say("IDLE").expect("IDLE");
            }
            loop {
                lmtp.delivered(&["ann"], b"Subject: load\r\n\r\nload\r\n");
                reading.ok("NOOP");
                reading.ok("FETCH 1:* (UID FLAGS BODY.PEEK[])");
            }
        });
        // The load has come to the mailbox when the idling session was told of it.
        machine.await_journal("saved mail to INBOX");
        machine.run("until systemctl --quiet is-active culver-imap-hibernate; do sleep 0.1; done");
        machine
    })
}

#[test]
fn every_process_is_in_the_table() {
    let machine = loaded();
    let processes = Process::all(machine);
    for row in &TABLE {
        let kind = if row.main { "main process" } else { "worker" };
        assert!(
            processes
                .iter()
                .any(|process| row.service == process.service && row.main == process.main),
            "no {kind} of {} runs: {processes:#?}",
            row.service
        );
    }
    for process in &processes {
        assert_ne!(process.id("Uid"), 0, "root: {process:#?}");
        assert_ne!(process.id("Gid"), 0, "root's group: {process:#?}");
        check(machine, process);
    }
}

fn check(machine: &Machine, process: &Process) {
    let name = machine.run(&format!("id --user --name {}", process.id("Uid")));
    // A worker without a user yet waits as its manager, and one of auth-worker works as its main process.
    let as_main = |row: &&Row| {
        row.service == process.service && row.main && (process.main || row.user == name.trim())
    };
    let as_worker = |row: &&Row| row.service == process.service && !row.main && !process.main;
    let row = TABLE
        .iter()
        .find(as_main)
        .or_else(|| TABLE.iter().find(as_worker));
    let row = row.unwrap_or_else(|| panic!("not in the table: {process:#?}"));
    assert_eq!(name.trim(), row.user, "{process:#?}");
    assert_eq!(
        groups(machine, process),
        row.groups.iter().map(|&group| group.to_owned()).collect(),
        "{process:#?}"
    );
    for set in ["CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let have = u64::from_str_radix(process.status(set), 16).expect("a set of capabilities");
        assert_eq!(have, row.capabilities, "{set} of {process:#?}");
    }
    assert_eq!(process.status("NoNewPrivs"), "1", "{process:#?}");
    // 2: a filter.
    assert_eq!(process.status("Seccomp"), "2", "{process:#?}");
    for fd in &process.fds {
        assert!(
            row.fds.iter().any(|allowed| fd.starts_with(allowed)),
            "{fd} is open in {process:#?}"
        );
    }
}

fn groups(machine: &Machine, process: &Process) -> BTreeSet<String> {
    let ids = format!("{} {}", process.id("Gid"), process.status("Groups"));
    let names = machine.run(&format!("getent group {ids} | cut -d: -f1"));
    names.lines().map(str::to_owned).collect()
}
