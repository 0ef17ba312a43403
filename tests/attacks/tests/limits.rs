//! Limits that hold whatever a client does: time, memory, descriptors, and room for others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use attacks::memory::{Memory, descriptors};
use attacks::{Effort, Honest, Site, Wire, many};

const MIB: u64 = 1024 * 1024;
const LOGIN: &str = "culver-imap-login.service";

fn full() -> bool {
    std::env::var_os("CULVER_FULL").is_some()
}

fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// Has the server ended it? What it said is read.
fn ended(stream: &mut TcpStream) -> bool {
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// IMAP-35, and one that says nothing at all.
#[test]
fn a_slow_loris_has_a_minute_in_total() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    honest.attack_begins();
    let mut open = many(&site.machine, Site::address(), 143, 2000);
    open.extend(many(&site.machine, Site::address(), 143, 1));
    for stream in &open {
        stream.set_nonblocking(true).expect("a socket");
    }
    let started = Instant::now();
    let count = open.len();
    assert!(count > 1500, "{count} connections came through");
    let mut words = b"a LOGIN alice alicepw\r\n".iter();
    let mut first_end = None;
    while !open.is_empty() && started.elapsed() < Duration::from_secs(90) {
        if let Some(byte) = words.next() {
            for stream in open.iter_mut().take(count - 1) {
                stream.write_all(&[*byte]).ok();
            }
        }
        let next = started.elapsed() + Duration::from_secs(5);
        while started.elapsed() < next && !open.is_empty() {
            open.retain_mut(|stream| !ended(stream));
            if open.len() < count {
                first_end.get_or_insert(started.elapsed());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    println!(
        "{count} connections, the first ended after {first_end:?}, the last after {:?}",
        started.elapsed()
    );
    assert!(
        open.is_empty(),
        "{} connections after {:?}",
        open.len(),
        started.elapsed()
    );
    site.calm(&honest).unwrap();
}

/// IMAP-36.
#[test]
fn five_thousand_connections_from_one_address() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    honest.attack_begins();
    let mut open = many(&site.machine, Site::address(), 143, 5000);
    let through = open.len();
    for _ in 0..5 {
        let mut imap = site.log_in("alice");
        imap.ok("SELECT INBOX");
    }
    for stream in &open {
        stream.set_nonblocking(true).expect("a socket");
    }
    open.retain_mut(|stream| !ended(stream));
    let (unit, growth) = memory.most();
    println!(
        "{through} came through, {} are open, {unit} grew by {} KiB",
        open.len(),
        growth / 1024
    );
    assert!(
        growth <= through as u64 * 16 * 1024,
        "{unit} grew by {} KiB",
        growth / 1024
    );
    site.calm(&honest).unwrap();
}

fn resident(memory: &Memory) -> u64 {
    let processes = memory.of(LOGIN);
    processes.iter().map(|process| process.resident).sum()
}

/// 10,000 idle connections in 200 MiB.
#[test]
fn ten_thousand_idle_connections() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    let empty = resident(&memory);
    let mut open = Vec::new();
    for _ in 0..100 {
        open.extend(many(&site.machine, Site::address(), 143, 100));
    }
    assert!(open.len() >= 9_900, "{} came through", open.len());
    greeted(&mut open);
    let full = resident(&memory);
    println!(
        "{} connections: {} KiB, without: {} KiB",
        open.len(),
        full / 1024,
        empty / 1024
    );
    assert!(full <= 200 * MIB, "{} KiB", full / 1024);
    site.calm(&honest).unwrap();
}

/// The same under TLS; some of them, unless `CULVER_FULL` is set: the handshakes take their time.
#[test]
fn ten_thousand_idle_connections_under_tls() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    let empty = resident(&memory);
    let count: u64 = if full() { 10_000 } else { 2_000 };
    let mut open = Vec::new();
    while (open.len() as u64) < count {
        for stream in many(&site.machine, Site::address(), 993, 100) {
            let mut wire = Wire::new(stream);
            assert!(wire.handshake("culver.test", soon(30)), "a handshake");
            assert!(
                wire.wait(soon(30), |said| said.ends_with(b"\r\n")),
                "a greeting"
            );
            open.push(wire);
        }
    }
    let each = resident(&memory).saturating_sub(empty) / count;
    println!(
        "{count} connections under TLS: {each} bytes each, without: {} KiB",
        empty / 1024
    );
    assert!(empty + each * 10_000 <= 200 * MIB, "{each} bytes each");
    site.calm(&honest).unwrap();
}

fn greeted(open: &mut [TcpStream]) {
    for stream in open {
        let mut first = [0; 1];
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a socket");
        stream.read_exact(&mut first).expect("a greeting");
    }
}

/// IMAP-39, IMAP-40.
#[test]
fn handshakes_that_fail_leave_nothing_behind() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    let pid = memory.of(LOGIN).first().expect("imap-login").pid;
    let before = descriptors(pid);
    honest.attack_begins();
    let from = Site::address();
    for round in 0..if full() { 10_000 } else { 1_000 } {
        let mut wire = Wire::connect(&site.machine, from, 143);
        wire.send(b"a STARTTLS\r\n", soon(10));
        assert!(wire.hears("^a OK", soon(10)));
        match round % 3 {
            0 => {
                wire.send(b"GET / HTTP/1.0\r\n\r\n", soon(10));
                wire.reset();
            }
            1 => {
                // The first bytes of a handshake that never goes on.
                wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01", soon(10));
                wire.reset();
            }
            _ => {
                wire.handshake("culver.test", soon(10));
                wire.send(b"b AUTHENTICATE PLAIN\r\n", soon(10));
                wire.reset();
            }
        }
    }
    let limit = soon(20);
    while descriptors(pid) > before + 5 && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (after, growth) = (descriptors(pid), memory.most());
    println!("descriptors {before} → {after}, grown: {growth:?}");
    assert!(
        after <= before + 5,
        "{before} descriptors, and then {after}"
    );
    assert!(growth.1 <= 4 * MIB, "grown: {growth:?}");
    site.calm(&honest).unwrap();
}

/// IMAP-72: output that nobody takes is not produced, and nobody else waits for it.
#[test]
fn a_client_that_never_reads() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    site.empty("alice");
    let mut big = b"Subject: big\r\n\r\n".to_vec();
    big.extend(
        b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
            .repeat(15_000),
    );
    for _ in 0..5 {
        site.deliver("alice", &big);
    }
    let mut other = site.log_in("alice");
    other.ok("SELECT INBOX");
    let mut wire = Wire::connect(&site.machine, Site::address(), 143);
    wire.send(b"a LOGIN alice alicepw\r\nb SELECT INBOX\r\n", soon(10));
    assert!(wire.hears("^b OK", soon(20)));
    let memory = Memory::look(&site.machine);
    honest.attack_begins();
    let commands = b"b FETCH 1:* BODY[]\r\n".repeat(1000);
    wire.send_deaf(&commands, soon(5));
    // Whoever waits for the deaf one waits until it is cut off, longer than these do.
    other.ok("STORE 2 +FLAGS (\\Flagged)");
    other.ok("NOOP");
    assert!(
        other
            .append("INBOX", "", b"Subject: x\r\n\r\nx\r\n")
            .is_ok()
    );
    other.ok("FETCH 1 BODY.PEEK[TEXT]<0.10>");
    site.calm(&honest).unwrap();
    let (unit, growth) = memory.most();
    println!("{unit} grew by {} KiB", growth / 1024);
    assert!(growth <= 8 * MIB, "{unit} grew by {} KiB", growth / 1024);
    if full() {
        // Five minutes, as Dovecot has them.
        let limit = soon(400);
        while !wire.hung_up() && Instant::now() < limit {
            std::thread::sleep(Duration::from_secs(5));
        }
        assert!(wire.hung_up(), "still open");
    }
}

/// 10 bad commands, then BYE.
#[test]
fn bad_commands_are_counted() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let mut wire = Wire::connect(&site.machine, Site::address(), 143);
    wire.wait(soon(10), |said| said.ends_with(b"\r\n"));
    for _ in 0..12 {
        wire.send(b"x NONSENSE\r\n", soon(5));
    }
    wire.wait(soon(20), |_| false);
    let said = String::from_utf8_lossy(&wire.received).into_owned();
    let bad = said.matches("x BAD").count();
    assert!(
        (9..=10).contains(&bad) && said.contains("* BYE") && wire.closed,
        "{said}"
    );
    site.calm(&honest).unwrap();
}

/// Before authentication: lines of 8 KiB, literals of 4 KiB, names of 255 bytes, passwords of 1,024.
#[test]
fn what_is_too_long_before_authentication() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    let long = |count: usize| "x".repeat(count);
    let cases = [
        (format!("a NOOP {}\r\n", long(9000)), "BYE|BAD"),
        (format!("a LOGIN {} x\r\n", long(256)), "a (NO|BAD)"),
        (format!("a LOGIN alice {}\r\n", long(1025)), "a (NO|BAD)"),
        (
            format!("a LOGIN {{4097+}}\r\n{} x\r\n", long(4097)),
            "BYE|BAD",
        ),
        (
            format!("a LOGIN {{5000}}\r\n{} x\r\n", long(5000)),
            "BYE|BAD",
        ),
        (format!("{} NOOP\r\n", long(9000)), "BYE|BAD"),
    ];
    for (words, pattern) in cases {
        let mut wire = Wire::connect(&site.machine, Site::address(), 143);
        wire.wait(soon(10), |said| said.ends_with(b"\r\n"));
        wire.send(words.as_bytes(), soon(10));
        let came = wire.hears(pattern, soon(20));
        let said = String::from_utf8_lossy(&wire.received).into_owned();
        let shown: String = words.chars().take(30).collect();
        assert!(came, "{shown}…: {said}");
        assert!(!said.contains("a OK"), "{shown}…: {said}");
    }
    let (unit, growth) = memory.most();
    assert!(growth <= 2 * MIB, "{unit} grew by {} KiB", growth / 1024);
    site.calm(&honest).unwrap();
}

/// After authentication: depth of lists and searches, lengths of lines.
#[test]
fn what_is_too_deep_after_authentication() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let mut imap = site.log_in("alice");
    imap.ok("SELECT INBOX");
    drop(imap);
    let memory = Memory::look(&site.machine);
    honest.attack_begins();
    let deep = |open: &str, count: usize, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(count), close.repeat(count))
    };
    let cases = [
        format!("SEARCH {}", deep("(", 20_000, "ALL", ")")),
        format!("SEARCH {}", deep("NOT ", 10_000, "SEEN", "")),
        format!("SEARCH {}", deep("OR SEEN ", 7_000, "SEEN", "")),
        format!("FETCH 1 {}", deep("(", 20_000, "FLAGS", ")")),
        format!("STORE 1 FLAGS {}", deep("(", 20_000, "x", ")")),
        format!("LIST \"\" {}", "*%".repeat(10_000)),
        format!("LIST \"\" {}x", "*a".repeat(10_000)),
        format!("FETCH 1 BODY[{}1]", "1.".repeat(20_000)),
        format!("FETCH 1 BODY[HEADER.FIELDS ({})]", "X-Y ".repeat(10_000)),
        format!("NOOP {}", "x".repeat(200_000)),
        "CREATE \"".to_owned() + &"a/".repeat(2_000) + "b\"",
        "CREATE {400000000}".to_owned(),
        // IMAP-07, in every quoted string after login.
        "SELECT \"IN\0BOX\"".to_owned(),
        "CREATE \"a\0b\"".to_owned(),
        "RENAME \"a\0\" b".to_owned(),
        "LIST \"\" \"\0*\"".to_owned(),
        "STATUS \"\0\" (MESSAGES)".to_owned(),
        "SEARCH SUBJECT \"\0\"".to_owned(),
        "COPY 1 \"a\0b\"".to_owned(),
        "FETCH 1 BODY[HEADER.FIELDS (\"a\0b\")]".to_owned(),
        "STORE 1 +FLAGS (a\0b)".to_owned(),
    ];
    for command in cases {
        let shown: String = command.chars().take(30).collect();
        let mut wire = Wire::connect(&site.machine, Site::address(), 143);
        wire.send(b"0 LOGIN alice alicepw\r\n1 SELECT INBOX\r\n", soon(10));
        assert!(wire.hears("^1 OK", soon(20)), "{shown}: login");
        let effort = Effort::look(&site.machine);
        wire.send(format!("a {command}\r\nb NOOP\r\n").as_bytes(), soon(20));
        let came = wire.hears("^(a (OK|NO|BAD)|\\* BYE)", soon(20)) || wire.closed;
        let said = String::from_utf8_lossy(&wire.received).into_owned();
        assert!(came, "{shown}…: {said}");
        let took = effort.spent();
        assert!(took < Duration::from_secs(10), "{shown}…: {took:?}");
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{shown}…: {what}"));
    }
    let (unit, growth) = memory.most();
    println!("{unit} grew by {} KiB", growth / 1024);
    assert!(growth <= 8 * MIB, "{unit} grew by {} KiB", growth / 1024);
}
