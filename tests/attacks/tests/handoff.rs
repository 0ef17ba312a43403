//! Processes that are not what they say: fake login processes, fake managers, strangers at every socket.
#![allow(clippy::panic, reason = "a failed test is a panic")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use attacks::memory::Memory;
use attacks::{Honest, Site, Wire};

/// `HANDOFF_REFUSED` and `PEER_REFUSED` of lib/service/src/journal.rs.
const HANDOFF_REFUSED: &str = "aeaa5614b2604557147a6d4c11dfcca2";
const PEER_REFUSED: &str = "145ec9a0405b44e8b746b206051c3652";

/// A process in the machine that does what it is told: src/bin/attacker.rs.
struct Attacker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Attacker {
    /// As this user, with the groups that the user has, and perhaps with another group first.
    fn new(site: &Site, user: &str, group: &str) -> Attacker {
        let path = "/usr/local/bin/attacker";
        if !site.machine.path(path).exists() {
            let binary = std::fs::read(env!("CARGO_BIN_EXE_attacker")).expect("the attacker");
            site.machine.write_file(path, &binary);
            site.machine.run(&format!("chmod 755 {path}"));
        }
        let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
        let mut child = site
            .machine
            .command(&["setpriv", &user, &group, "--init-groups", path])
            .spawn()
            .expect("a process in the machine");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Attacker {
            child,
            input,
            output,
        }
    }

    fn login(site: &Site) -> Attacker {
        Attacker::new(site, "culver-imap-login", "culver-imap-login")
    }

    fn ask(&mut self, words: &str) -> String {
        writeln!(self.input, "{words}").expect("the attacker lives");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }

    /// A connection for which auth said yes → its number and the token.
    fn token(&mut self, user: &str) -> (String, String) {
        let pair = self.ask("pair");
        let plain = hex(format!("\0{user}\0{user}pw").as_bytes());
        let answer = self.ask(&format!("start {pair} PLAIN {plain}"));
        let token = answer
            .strip_prefix(&format!("success {user} "))
            .map(str::to_owned);
        (pair, token.unwrap_or_else(|| panic!("auth said {answer}")))
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn made_up() -> String {
    "5a".repeat(32)
}

/// How many new records have this MESSAGE_ID.
fn records(site: &mut Site, id: &str) -> usize {
    let records = site.records();
    records
        .iter()
        .filter(|record| record.field("MESSAGE_ID") == id)
        .count()
}

/// AUTH-06, IPC-04.
#[test]
fn tokens_are_worth_nothing_elsewhere() {
    let mut site = Site::boot();
    let mut login = Attacker::login(&site);
    let mut refused = 0;
    let mut check = |what: &str, answer: &str| {
        refused += 1;
        assert!(answer.contains("BadToken"), "{what}: {answer}");
    };

    // How it goes if all is right.
    let (pair, token) = login.token("eve");
    let answer = login.ask(&format!("handoff {pair} {token}"));
    assert!(answer.contains("Accepted"), "{answer}");
    assert!(login.ask(&format!("talk {pair} a NOOP")).contains("a OK"));

    check("used twice", &login.ask(&format!("handoff {pair} {token}")));
    let other = login.ask("pair");
    check(
        "used for another",
        &login.ask(&format!("handoff {other} {token}")),
    );
    check(
        "made up",
        &login.ask(&format!("handoff {other} {}", made_up())),
    );
    check(
        "zeros",
        &login.ask(&format!("handoff {other} {}", "00".repeat(32))),
    );

    let (eves, eves_token) = login.token("eve");
    let (bobs, bobs_token) = login.token("bob");
    check(
        "swapped",
        &login.ask(&format!("handoff {eves} {bobs_token}")),
    );
    check(
        "swapped back",
        &login.ask(&format!("handoff {bobs} {eves_token}")),
    );
    check(
        "once swapped, for its own",
        &login.ask(&format!("handoff {eves} {eves_token}")),
    );

    for lie in ["remote", "session", "transport", "port", "file", "outer"] {
        let (pair, token) = login.token("eve");
        check(lie, &login.ask(&format!("handoff {pair} {token} {lie}")));
    }

    let mut accomplice = Attacker::login(&site);
    let (_, token) = login.token("eve");
    let pair = accomplice.ask("pair");
    check(
        "another process's",
        &accomplice.ask(&format!("handoff {pair} {token}")),
    );

    let (pair, token) = login.token("eve");
    login.ask("forget");
    check(
        "of one that has left auth",
        &login.ask(&format!("handoff {pair} {token}")),
    );

    let (pair, token) = login.token("eve");
    std::thread::sleep(Duration::from_secs(31));
    check(
        "after half a minute",
        &login.ask(&format!("handoff {pair} {token}")),
    );

    let said = records(&mut site, HANDOFF_REFUSED);
    assert!(
        said >= refused,
        "{refused} were refused, {said} are in the journal"
    );
    for lie in ["nothing", "two"] {
        let (pair, token) = login.token("eve");
        let answer = login.ask(&format!("handoff {pair} {token} {lie}"));
        assert!(!answer.contains("Accepted"), "{lie}: {answer}");
    }
    let honest = Honest::start(&site);
    site.calm(&honest).unwrap();
}

/// AUTH-07.
#[test]
fn no_token_before_success() {
    let mut site = Site::boot();
    let mut login = Attacker::login(&site);
    let pair = login.ask("pair");
    let answer = login.ask(&format!("start {pair} PLAIN"));
    assert!(answer.contains("Challenge"), "{answer}");
    let answer = login.ask(&format!("handoff {pair} {}", made_up()));
    assert!(answer.contains("BadToken"), "before the answer: {answer}");
    let answer = login.ask(&format!("continue {}", hex(b"\0eve\0wrong")));
    assert!(
        answer.contains("Failure") && answer.contains("Credentials"),
        "{answer}"
    );
    let answer = login.ask(&format!("continue {}", hex(b"\0eve\0evepw")));
    assert!(!answer.contains("success"), "after it is over: {answer}");
    let answer = login.ask(&format!("handoff {pair} {}", made_up()));
    assert!(answer.contains("BadToken"), "after the failure: {answer}");
    assert!(records(&mut site, HANDOFF_REFUSED) >= 2);
}

/// AUTH-08: identity comes from auth to the manager, whatever login says.
#[test]
fn a_login_process_names_nobody() {
    let mut site = Site::boot();
    let mut login = Attacker::login(&site);
    let tries: [&[u8]; 7] = [
        b"alice\0eve\0evepw",
        b"\0eve\tuserdb_uid=0\0evepw",
        b"\0eve\nuser=alice\0evepw",
        b"\0alice*eve\0evepw",
        b"\0eve\0evepw\0userdb_uid=0",
        b"\0admin\0adminpw",
        b"\0\0",
    ];
    for plain in tries {
        let pair = login.ask("pair");
        let answer = login.ask(&format!("start {pair} PLAIN {}", hex(plain)));
        let shown = String::from_utf8_lossy(plain);
        assert!(!answer.starts_with("success"), "{shown:?}: {answer}");
    }
    for mech in ["PLAIN\tuserdb_uid=0", "EXTERNAL", "ANONYMOUS"] {
        let pair = login.ask("pair");
        let answer = login.ask(&format!("start {pair} {mech} {}", hex(b"\0eve\0evepw")));
        assert!(!answer.starts_with("success"), "{mech}: {answer}");
    }
    // Bytes behind a record, and records that are none, end the connection.
    site.records();
    for record in ["0001ff", "0063", "ffffffff", "-"] {
        let answer = login.ask(&format!("raw /run/culver/login/auth {record}"));
        assert!(answer.starts_with("closed"), "{record}: {answer}");
        let answer = login.ask(&format!("raw /run/culver/login/imap {record}"));
        assert!(answer.starts_with("closed"), "{record}: {answer}");
    }
    assert!(
        records(&mut site, PEER_REFUSED) >= 6,
        "they are in the journal"
    );
    // What auth says of eve, and nothing else, is who the worker is.
    let (pair, token) = login.token("eve");
    let answer = login.ask(&format!("handoff {pair} {token}"));
    let pid = answer
        .split("worker_pid: ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .expect("a pid");
    let uids = site.machine.run(&format!("grep ^Uid: /proc/{pid}/status"));
    assert_eq!(
        uids.split_whitespace().collect::<Vec<_>>(),
        ["Uid:", "2003", "2003", "2003", "2003"]
    );
}

/// AUTH-09: exchanges that are left open go with their connection.
#[test]
fn a_flood_of_exchanges_is_forgotten() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    let log_in = |site: &Site| {
        let asked = Instant::now();
        site.log_in("alice").ok("LOGOUT");
        asked.elapsed()
    };
    // This host may be busy with other things.
    let calm = (0..10).map(|_| log_in(&site)).max().unwrap_or_default();
    honest.attack_begins();
    for _ in 0..5 {
        let mut login = Attacker::login(&site);
        let taken = login.ask("flood 4096");
        println!("auth took up {taken} of 4096");
        let took = log_in(&site);
        assert!(
            took < Duration::from_secs(1) + calm,
            "{took:?}, {calm:?} before"
        );
        // Dropped: killed in the middle.
    }
    let (unit, growth) = memory.most();
    println!("{unit} grew by {} KiB", growth / 1024);
    // 16 KiB for each of those that were open at one time.
    assert!(
        growth <= 64 * 1024 * 1024,
        "{unit} grew by {} KiB",
        growth / 1024
    );
    site.calm(&honest).unwrap();
}

const SOCKETS: [(&str, &str, &str, &[&str]); 9] = [
    (
        "/run/culver/login/auth",
        "culver-login",
        "plain",
        &["culver-imap-login"],
    ),
    (
        "/run/culver/login/imap",
        "culver-login",
        "plain",
        &["culver-imap-login"],
    ),
    ("/run/culver/auth/master", "culver", "plain", &["culver"]),
    (
        "/run/culver/auth/userdb",
        "culver-userdb",
        "plain",
        &["culver-lmtp", "culver-deliver", "root"],
    ),
    (
        "/run/culver/auth-worker/auth-worker",
        "culver-auth",
        "plain",
        &["culver-auth"],
    ),
    (
        "/run/culver/anvil/anvil",
        "culver-anvil",
        "manager",
        // As manager of IMAP sessions, over which neither lmtp nor root has a say.
        &["culver"],
    ),
    (
        "/run/culver/anvil/anvil",
        "culver-anvil",
        "admin",
        &["root"],
    ),
    (
        "/run/culver/deliver/deliver",
        "culver-lmtp",
        "plain",
        &["culver-lmtp"],
    ),
    (
        "/run/culver/imap-hibernate/imap-hibernate",
        "culver",
        "plain",
        &["culver"],
    ),
];

/// IPC-03: who may call is told by the kernel: by the mode of the socket, and by the uid of the caller.
#[test]
fn strangers_are_refused_at_every_socket() {
    let mut site = Site::boot();
    let users = [
        "alice",
        "nobody",
        "root",
        "culver",
        "culver-imap-login",
        "culver-auth",
        "culver-auth-worker",
        "culver-anvil",
        "culver-imap-hibernate",
        "culver-lmtp",
        "culver-deliver",
    ];
    for (path, group, kind, welcome) in SOCKETS {
        for user in users {
            // First as who the user is, then with the group that the socket is for.
            for group in [primary(user), group] {
                let mut caller = Attacker::new(&site, user, group);
                let answer = caller.ask(&format!("hello {path} {kind}"));
                let refused = answer.starts_with("closed") || answer.starts_with("refused");
                let may = welcome.contains(&user);
                assert_eq!(
                    refused, !may,
                    "{user} ({group}) at {path} as {kind}: {answer}"
                );
            }
        }
    }
    let said = records(&mut site, PEER_REFUSED);
    println!("{said} records");
    // Each user with the right group but one or two came as far as the uid.
    assert!(said >= SOCKETS.len() * (users.len() - 3), "{said} records");
}

fn primary(user: &str) -> &str {
    if user == "nobody" { "nogroup" } else { user }
}

/// A fake manager: the wrong user gets nothing, and the right one not without a token.
#[test]
fn a_fake_manager_learns_nothing() {
    let mut site = Site::boot();
    let mut login = Attacker::login(&site);
    let (_, token) = login.token("eve");
    for user in [
        "root",
        "alice",
        "culver-lmtp",
        "culver-deliver",
        "culver-imap-login",
    ] {
        let mut fake = Attacker::new(&site, user, "culver");
        let pair = fake.ask("pair");
        let answer = fake.ask(&format!("redeem {token} {pair}"));
        assert!(answer.starts_with("error"), "{user}: {answer}");
    }
    let mut fake = Attacker::new(&site, "culver", "culver");
    let pair = fake.ask("pair");
    for token in [made_up(), token] {
        let answer = fake.ask(&format!("redeem {token} {pair}"));
        assert!(answer.contains("Refused"), "{answer}");
    }
    assert!(records(&mut site, PEER_REFUSED) >= 5);
}

/// IPC-06: what a worker is, once it reads what a client sends.
#[test]
fn a_worker_has_nothing_left() {
    let site = Site::boot();
    let mut imap = site.log_in("alice");
    imap.ok("SELECT INBOX");
    let pids = site.machine.run("pgrep --uid alice");
    for pid in pids.lines() {
        let status = site.machine.run(&format!("cat /proc/{pid}/status"));
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name}"))
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(field("Uid:"), "2001 2001 2001 2001");
        assert_eq!(field("Gid:"), "2001 2001 2001 2001");
        assert!(
            ["", "2001"].contains(&field("Groups:").as_str()),
            "{}",
            field("Groups:")
        );
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        assert_eq!(
            (field("NoNewPrivs:").as_str(), field("Seccomp:").as_str()),
            ("1", "2")
        );
        let open = site
            .machine
            .run(&format!("find /proc/{pid}/fd -type l -printf '%l\\n'"));
        for target in open.lines() {
            let known = [
                "socket:",
                "anon_inode:",
                "pipe:",
                "/memfd:",
                "/dev/null",
                "/home/alice",
                "/run/systemd/journal",
            ];
            assert!(
                known.iter().any(|start| target.starts_with(start)),
                "a worker holds {target}"
            );
        }
    }
}

/// IPC-07: names are checked, and what a manager counted goes when it goes.
#[test]
fn counts_of_a_dead_manager_fall_to_zero() {
    let site = Site::boot();
    let mut manager = Attacker::new(&site, "culver", "culver");
    for _ in 0..3 {
        let answer = manager.ask("count alice");
        assert!(answer.contains("Connected"), "{answer}");
    }
    let who = || {
        site.machine
            .run("doveadm who alice 2>/dev/null | tail -n +2")
    };
    assert!(who().contains("alice"), "{}", who());
    // A manager may come back and claim its sessions; one that does not, loses them.
    drop(manager);
    let limit = Instant::now() + Duration::from_secs(60);
    while !who().is_empty() {
        assert!(Instant::now() < limit, "still there: {}", who());
        std::thread::sleep(Duration::from_millis(500));
    }
    // A name with a line end is no name.
    let mut manager = Attacker::new(&site, "culver", "culver");
    assert!(manager.ask("count a\u{1}b").starts_with("error"));
    assert_eq!(who(), "");
}

/// IPC-10: what a login process can read holds no password, and no key but its own.
#[test]
fn a_login_process_knows_no_secrets() {
    let site = Site::boot();
    let reader = |path: &str| {
        let as_login = [
            "setpriv",
            "--reuid=culver-imap-login",
            "--regid=culver-imap-login",
            "--init-groups",
            "cat",
            path,
        ];
        site.machine.enter(&as_login)
    };
    let names = site.machine.run("ls /run/culver/config");
    assert!(names.lines().count() >= 6, "{names}");
    for name in names.lines() {
        let path = format!("/run/culver/config/{name}");
        let may = reader(&path).status.success();
        assert_eq!(may, name == "imap-login", "{name}");
        let text = String::from_utf8_lossy(&site.machine.read_file(&path)).into_owned();
        let auth = name == "auth" || name == "auth-worker";
        assert!(
            auth || !text.contains("/etc/culver/users"),
            "{name} names the password file"
        );
        assert!(!text.contains("alicepw"), "{name} has passwords");
        assert!(
            name == "imap-login" || !text.contains("PRIVATE KEY"),
            "{name} has the TLS key"
        );
    }
    for path in [
        "/etc/culver/users",
        "/etc/culver/tls/key.pem",
        "/etc/shadow",
    ] {
        assert!(!reader(path).status.success(), "{path}");
    }
    let environment = site.machine.run(
        "tr '\\0' '\\n' </proc/$(systemctl show --property=MainPID --value culver-imap-login.service)/environ",
    );
    assert!(
        !environment.contains("pw") && !environment.contains("KEY"),
        "{environment}"
    );
}

/// AUTH-01 to AUTH-04.
#[test]
fn mechanisms_that_do_not_exist() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let mechs = [
        "EXTERNAL =",
        "ANONYMOUS =",
        "GSSAPI",
        "NTLM TlRMTVNTUAABAAAA",
        "XYZ",
        "DIGEST-MD5",
        "CRAM-MD5",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256-PLUS",
        "OTP",
        "OAUTHBEARER",
        "PLAIN =",
        "PLAIN ====",
        "LOGIN =",
    ];
    for mech in mechs {
        let mut wire = Wire::connect(&site.machine, Site::address(), 143);
        let deadline = Instant::now() + Duration::from_secs(20);
        wire.send(format!("a AUTHENTICATE {mech}\r\n").as_bytes(), deadline);
        assert!(wire.hears("^(a (NO|BAD)|\\+ )", deadline), "{mech}");
        // Two of them are still in an exchange.
        wire.send(b"*\r\nb NOOP\r\n", deadline);
        assert!(wire.hears("^b OK", deadline), "{mech}");
        let said = String::from_utf8_lossy(&wire.received).into_owned();
        assert!(!said.contains("a OK"), "{mech}: {said}");
    }
    site.calm(&honest).unwrap();
}
