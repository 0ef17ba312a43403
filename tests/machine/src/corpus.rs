//! Real mail through the whole server: delivered by LMTP, fetched back byte for byte.

use testkit::{Imap, Lmtp, Machine, corpora};

#[test]
fn real_mail_comes_back_byte_for_byte() {
    let machine = Machine::culver();
    machine.add_user("corpus", "secret");
    let mut lmtp = Lmtp::connect(machine.connect(24));
    // A bare CR or LF, a NUL, a longer line than SMTP has: refused whole, or kept whole; never changed.
    let (taken, refused): (Vec<_>, Vec<_>) = corpora().into_iter().partition(|message| {
        let replies = lmtp.deliver("sender@example.org", &["corpus"], &message.bytes);
        replies.iter().all(|reply| reply.starts_with("250"))
    });
    assert!(
        refused.is_empty(),
        "{:?}",
        refused
            .iter()
            .map(|message| &message.name)
            .collect::<Vec<_>>()
    );

    let mut imap = Imap::connect_tls(machine.connect(993));
    imap.ok("LOGIN corpus secret");
    imap.ok("SELECT INBOX");
    for (seq, message) in (1..).zip(&taken) {
        let fetched = imap.fetch(seq, "BODY.PEEK[]");
        // IMAP's literals have no NUL: one is sent as 0x80, as by Dovecot. RFC 3501 §4.3.
        let sent: Vec<u8> = message
            .bytes
            .iter()
            .map(|&byte| if byte == 0 { 0x80 } else { byte })
            .collect();
        // The server puts Return-Path, Delivered-To and Received before it, and nothing else.
        assert!(fetched.ends_with(&sent), "{} differs", message.name);
        let added = &fetched[..fetched.len() - message.bytes.len()];
        assert!(
            added.len() < 1000 && added.starts_with(b"Return-Path: <sender@example.org>\r\n"),
            "{}",
            message.name
        );
        let size = format!("RFC822.SIZE {}", fetched.len());
        imap.ok(&format!("FETCH {seq} RFC822.SIZE")).find(&size);
    }
}
