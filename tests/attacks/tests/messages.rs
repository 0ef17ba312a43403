//! Messages that nobody sends in good faith, and conversations about them.
#![allow(clippy::panic, reason = "a failed test is a panic")]

use std::time::Duration;

use attacks::memory::Memory;
use attacks::{Effort, Honest, Site, messages};
use testkit::{Imap, Lmtp};

const MIB: u64 = 1024 * 1024;

/// LMTP-15, LMTP-17, LMTP-21, LMTP-22, and their siblings: what was taken in can be read, whatever it is.
#[test]
fn hostile_messages_are_delivered_and_read() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    site.empty("alice");
    let mut hostile: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut all = |name, messages: Vec<Vec<u8>>| {
        hostile.extend(messages.into_iter().map(|message| (name, message)));
    };
    all("addresses", messages::broken_addresses());
    all("control bytes", messages::control_bytes());
    all("boundaries", messages::boundaries());
    all(
        "much",
        vec![
            messages::repeated("To", "a@b,", 500_000),
            messages::repeated("References", "<a@b> ", 200_000),
            messages::repeated("Subject", "=?utf-8?Q?=C3=BC?= ", 100_000),
            messages::repeated("Content-Type", "text/plain; a*0*=x; ", 50_000),
            messages::repeated("To", "(", 300_000),
            messages::repeated("To", "\"\\", 300_000),
        ],
    );
    all(
        "deep and wide",
        vec![
            messages::nested_multipart(20_000),
            messages::nested_rfc822(20_000),
            messages::many_parts(100_000),
        ],
    );
    let mut imap = site.log_in("alice");
    imap.ok("SELECT INBOX");
    for (name, message) in &hostile {
        honest.attack_begins();
        let memory = Memory::look(&site.machine);
        let effort = Effort::look(&site.machine);
        let mut lmtp = Lmtp::connect(site.machine.connect_from(Site::address(), 24));
        let replies = lmtp.deliver("eve@example.org", &["alice"], message);
        assert!(
            replies.iter().all(|reply| reply.starts_with("250")),
            "{name}: {replies:?}"
        );
        read(&mut imap, name, message);
        let took = effort.spent();
        let (unit, growth) = memory.most();
        println!(
            "{name}, {} bytes: {took:?}, {unit} grew by {} KiB",
            message.len(),
            growth / 1024
        );
        assert!(
            growth <= 64 * MIB,
            "{name}: {unit} grew by {} KiB",
            growth / 1024
        );
        assert!(took < Duration::from_secs(10), "{name} took {took:?}");
        site.calm(&honest)
            .unwrap_or_else(|what| panic!("{name}: {what}"));
    }
}

/// All that a client may ask of the newest message.
fn read(imap: &mut Imap, name: &str, message: &[u8]) {
    imap.ok("NOOP");
    for items in [
        "ENVELOPE",
        "BODYSTRUCTURE",
        "BODY",
        "RFC822.SIZE",
        "BODY.PEEK[HEADER]",
    ] {
        let reply = imap.command(&format!("FETCH * ({items})"));
        assert!(reply.is_ok(), "{name}: {items}: {}", reply.tagged);
    }
    for section in [
        "HEADER.FIELDS (SUBJECT FROM TO X)",
        "1",
        "1.1.1.1.1",
        "1.MIME",
        "2",
        "TEXT",
    ] {
        imap.command(&format!("FETCH * (BODY.PEEK[{section}])"));
    }
    for key in [
        "HEADER Subject x",
        "HEADER X y",
        "FROM a",
        "TEXT zzzz",
        "BODY zzzz",
        "SENTSINCE 1-Jan-2020",
    ] {
        let reply = imap.command(&format!("SEARCH {key}"));
        assert!(reply.is_ok(), "{name}: SEARCH {key}: {}", reply.tagged);
    }
    let whole = imap.ok("FETCH * (BODY.PEEK[])");
    let bytes = whole
        .untagged
        .iter()
        .find_map(|response| response.literals.first());
    let bytes = bytes.unwrap_or_else(|| panic!("{name}: no message in {whole:?}"));
    // RFC 3501 has no NUL in literals.
    let sent: Vec<u8> = message
        .iter()
        .map(|&byte| if byte == 0 { 0x80 } else { byte })
        .collect();
    let same = bytes.ends_with(&sent) || bytes.ends_with(&[&sent, b"\r\n".as_slice()].concat());
    let shown =
        |bytes: &[u8]| -> String { String::from_utf8_lossy(bytes).chars().take(300).collect() };
    assert!(
        same,
        "{name}: {:?} is not {:?}",
        shown(bytes),
        shown(message)
    );
}

/// LMTP-26: one reply for each that was accepted, in their order; one that fails is the only one that fails.
#[test]
fn a_thousand_recipients_and_one_fails() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let before = site.messages("bob");
    let mut lmtp = Lmtp::connect(site.machine.connect_from(Site::address(), 24));
    assert!(
        lmtp.command("MAIL FROM:<eve@example.org>")
            .starts_with("250")
    );
    let mut recipients: Vec<String> = (0..998).map(|number| format!("alice+{number}")).collect();
    recipients.insert(500, "mallory".to_owned());
    recipients.insert(700, "bob".to_owned());
    for recipient in &recipients {
        let reply = lmtp.command(&format!("RCPT TO:<{recipient}>"));
        assert!(reply.starts_with("250"), "{recipient}: {reply}");
    }
    let reply = lmtp.command("RCPT TO:<eve>");
    assert!(reply.starts_with("45"), "more than 1,000: {reply}");
    assert!(lmtp.command("DATA").starts_with("354"));
    lmtp.send(b"Subject: for all\r\n\r\nx\r\n.\r\n");
    for recipient in &recipients {
        let reply = lmtp.reply();
        assert!(
            reply.contains(&format!("<{recipient}>")),
            "{recipient}: {reply}"
        );
        let code = if recipient == "mallory" { "45" } else { "250" };
        assert!(reply.starts_with(code), "{recipient}: {reply}");
    }
    assert!(lmtp.command("NOOP").starts_with("250"), "no reply too many");
    assert_eq!(site.messages("bob"), before + 1);
    // mallory's mail cannot be opened: that is in the journal, and it is no crash.
    site.calm(&honest).unwrap();
}

/// LMTP-31: at least once. Who lost the reply sends again, and the mail is there.
#[test]
fn a_reply_that_is_lost_loses_no_mail() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let before = site.messages("alice");
    for _ in 0..20 {
        let mut lmtp = Lmtp::connect(site.machine.connect_from(Site::address(), 24));
        lmtp.command("MAIL FROM:<eve@example.org>");
        lmtp.command("RCPT TO:<alice>");
        lmtp.command("DATA");
        lmtp.send(b"Subject: once or twice\r\n\r\nx\r\n.\r\n");
    }
    site.deliver("alice", b"Subject: once or twice\r\n\r\nx\r\n");
    let after = site.messages("alice");
    assert!(
        after > before && after <= before + 21,
        "{before} messages, then {after}"
    );
    site.calm(&honest).unwrap();
}

/// LMTP-25, to its end: what stands behind the + is no path.
#[test]
fn details_are_no_paths() {
    let mut site = Site::boot_with("lmtp_save_to_detail_mailbox = yes\n");
    let honest = Honest::start(&site);
    let before = site.messages("alice");
    site.machine.run("touch /root/before");
    let details = [
        "../../bob",
        "INBOX/../x",
        "..",
        "/etc/passwd",
        "a/../../../b",
        "~eve",
        ".",
        "a//b",
        "%2e%2e",
        "a\\b",
        "*",
    ];
    for detail in details {
        let mut lmtp = Lmtp::connect(site.machine.connect_from(Site::address(), 24));
        let replies = lmtp.deliver(
            "eve@example.org",
            &[&format!("\"alice+{}\"", detail.replace('\\', "\\\\"))],
            b"Subject: d\r\n\r\nx\r\n",
        );
        println!("{detail}: {replies:?}");
        assert!(
            replies.iter().all(|reply| reply.starts_with(['2', '5'])),
            "{detail}: {replies:?}"
        );
    }
    let new = site.machine.run(
        "find / -xdev -newer /root/before -type f ! -path '/proc/*' ! -path '/sys/*' ! -path '/run/*' ! -path '/var/log/*' \
         ! -path '/home/alice/Maildir/*' ! -path '/home/bob/Maildir/dovecot*' ! -path '/tmp/*' ! -path '/root/*'",
    );
    assert_eq!(new, "", "files outside of alice's mail");
    let outside = site
        .machine
        .run("find /home/alice/Maildir -name '*..*' -o -name '*passwd*' ! -path '*/.*' -o -type l");
    assert_eq!(outside, "", "names that are paths");
    assert!(
        site.messages("alice") > before,
        "what is no mailbox goes to INBOX"
    );
    site.calm(&honest).unwrap();
}

/// Beyond the limits of a message it is taken as if it ended there: 10,000 addresses, 100 levels, 10,000 parts.
#[test]
fn what_is_too_much_in_a_message() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    site.empty("alice");
    let mut imap = site.log_in("alice");
    imap.ok("SELECT INBOX");
    let memory = Memory::look(&site.machine);
    let mut ask = |message: Vec<u8>, item: &str| -> String {
        site.deliver("alice", &message);
        imap.ok("NOOP");
        let reply = imap.ok(&format!("FETCH * {item}"));
        reply.find("FETCH").text.clone()
    };
    let addresses = ask(messages::repeated("To", "a@b,", 20_000), "ENVELOPE");
    assert_eq!(addresses.matches("(NIL NIL \"a\" \"b\")").count(), 10_000);
    for message in [
        messages::nested_multipart(1_000),
        messages::nested_rfc822(1_000),
    ] {
        let structure = ask(message, "BODYSTRUCTURE");
        let levels = structure.chars().scan(0_i32, |depth, character| {
            *depth += match character {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            Some(*depth)
        });
        let deepest = levels.max().unwrap_or_default();
        // Each level of message/rfc822 brings the parentheses of an envelope with it.
        assert!((50..=250).contains(&deepest), "{deepest} levels");
    }
    let parts = ask(messages::many_parts(20_000), "BODYSTRUCTURE");
    let count = parts.matches("\"text\" \"plain\"").count();
    assert!((5_000..=10_001).contains(&count), "{count} parts");
    let header = messages::repeated("X-Long", "0123456789", 2_000_000);
    let long = header.len();
    ask(header, "ENVELOPE");
    let (unit, growth) = memory.most();
    println!(
        "{unit} grew by {} KiB, over a header of {} KiB",
        growth / 1024,
        long / 1024
    );
    assert!(growth <= 64 * MIB, "{unit} grew by {} KiB", growth / 1024);
    site.calm(&honest).unwrap();
}

/// A line of more than 64 KiB is no command; in a message it is a line.
#[test]
fn long_lines_in_lmtp() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    let mut lmtp = Lmtp::connect(site.machine.connect_from(Site::address(), 24));
    let reply = lmtp.command(&format!("NOOP {}", "x".repeat(70_000)));
    assert!(reply.starts_with('5'), "{reply}");
    let before = site.messages("alice");
    let line = [
        b"Subject: long\r\n\r\n".as_slice(),
        &b"x".repeat(20_000_000),
        b"\r\n",
    ]
    .concat();
    let replies = Lmtp::connect(site.machine.connect_from(Site::address(), 24)).deliver(
        "",
        &["alice"],
        &line,
    );
    let taken = replies.iter().all(|reply| reply.starts_with("250"));
    assert_eq!(
        site.messages("alice"),
        before + u32::from(taken),
        "{replies:?}"
    );
    let (unit, growth) = memory.most();
    println!("{replies:?}; {unit} grew by {} KiB", growth / 1024);
    assert!(growth <= 8 * MIB, "{unit} grew by {} KiB", growth / 1024);
    site.calm(&honest).unwrap();
}
