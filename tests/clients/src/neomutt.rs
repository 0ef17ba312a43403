//! neomutt: a person's client, driven by its keys in a terminal.

use crate::site::User;

#[test]
fn reads_saves_and_deletes() {
    let user = User::with_mail("neomutt-user");
    user.write(
        ".neomuttrc",
        "set imap_user=neomutt-user\nset imap_pass=secret\nset ssl_force_tls=yes\nset ssl_verify_host=no\n\
         set ssl_verify_dates=no\nset certificate_file=~/cert.pem\nset delete=yes\nset confirmappend=no\n\
         set mail_check=1\nset save_empty=no\nset abort_key=\"\\Cx\"\nset folder=imaps://127.0.0.1/\n\
         set copy=no\nset wait_key=no\nset move=no\nset quit=yes\n",
    );
    user.imap().ok("CREATE Kept");
    // Copy all into a local mbox, save the first to Kept, delete the second, leave.
    user.run(
        "openssl s_client -connect 127.0.0.1:993 </dev/null 2>/dev/null | openssl x509 >cert.pem
         cat >>.neomuttrc <<'END'
push \"T.<enter>;C~/copied<enter>y<untag-pattern>.<enter><first-entry>s=Kept<enter><first-entry><next-entry><delete-message><quit>\"
END
         TERM=xterm timeout 60 script -qec 'neomutt -F ~/.neomuttrc -f imaps://127.0.0.1/INBOX' typescript </dev/null >/dev/null",
    );
    let copied = user.run("cat copied");
    for subject in ["first", "second", "third"] {
        assert!(copied.contains(&format!("text of {subject}\n")), "{copied}");
    }
    let mut imap = user.imap();
    imap.ok("SELECT Kept");
    assert!(String::from_utf8_lossy(&imap.fetch(1, "BODY[TEXT]")).starts_with("text of first"));
    imap.ok("SELECT INBOX");
    let left = imap.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    assert_eq!(left.untagged.len(), 1, "{left:#?}");
    assert_eq!(left.untagged[0].literals, [b"Subject: third\r\n\r\n"]);
}
