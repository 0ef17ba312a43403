//! The kit itself: a machine boots, its Dovecot takes mail by LMTP and shows it over IMAP.

use testkit::{Dovecot, Imap, Lmtp};

#[test]
fn dovecot_takes_and_shows_a_message() {
    let dovecot = Dovecot::boot("");
    dovecot.add_user("ann", "secret");
    let message = b"Subject: hello\r\n\r\n.first line with a dot\r\n";
    Lmtp::connect(dovecot.connect(24)).delivered(&["ann"], message);

    let mut imap = Imap::connect(dovecot.connect(143));
    imap.ok("LOGIN ann secret");
    imap.ok("SELECT INBOX");
    assert!(imap.fetch(1, "BODY[]").ends_with(message));
    assert_eq!(imap.fetch(1, "BODY[TEXT]"), b".first line with a dot\r\n");
    assert!(imap.append("INBOX", "", message).is_ok());
    dovecot.await_journal("Login: user=<ann>");
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
    dovecot.assert_healthy();
}
