//! swaks: delivers by LMTP.

use crate::site::User;

#[test]
fn delivers_to_several_users_and_tells_unknown_ones_apart() {
    let one = User::new("swaks-one");
    let two = User::new("swaks-two");
    // 24: one or more recipients were refused, the others were not.
    let said = one.run(
        "swaks --protocol LMTP --server 127.0.0.1:24 --from a@example.org \
         --to swaks-one,nobody-here,swaks-two --header 'Subject: by swaks' --body hello || test $? = 24",
    );
    assert!(said.contains("550 5.1.1"), "{said}");
    for user in [one, two] {
        let mut imap = user.imap();
        imap.ok("SELECT INBOX");
        let header = imap.fetch(1, "BODY[HEADER.FIELDS (SUBJECT)]");
        assert_eq!(header, b"Subject: by swaks\r\n\r\n");
        assert!(imap.fetch(1, "BODY[TEXT]").starts_with(b"hello\r\n"));
    }
}
