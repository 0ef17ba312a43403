//! mbsync (isync): mirrors both ways.

use crate::site::{User, message};

const CONFIG: &str = "
IMAPAccount server
Host 127.0.0.1
Port 993
User mbsync-user
Pass secret
SSLType IMAPS
CertificateFile ~/cert.pem

IMAPStore far
Account server

MaildirStore near
Path ~/near/
Inbox ~/near/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
";

#[test]
fn mirrors_both_ways() {
    let user = User::with_mail("mbsync-user");
    user.write(".mbsyncrc", CONFIG);
    user.run("mkdir near; openssl s_client -connect 127.0.0.1:993 </dev/null 2>/dev/null | openssl x509 >cert.pem");
    user.imap().ok("CREATE Archive");

    user.run("mbsync --all");
    assert_eq!(
        user.run("grep -rh '^text of' near/INBOX | wc -l").trim(),
        "3"
    );
    // Near: the second message answered, the third deleted, a new one in Archive, a new mailbox.
    user.write(
        "near/Archive/cur/1.local:2,S",
        &String::from_utf8_lossy(&message("local")).replace('\r', ""),
    );
    user.run(
        "cd near
         set -- $(grep -l 'text of second' INBOX/*/*); mv $1 INBOX/cur/$(basename ${1%%:*}):2,RS
         set -- $(grep -l 'text of third' INBOX/*/*); mv $1 INBOX/cur/$(basename ${1%%:*}):2,ST
         mkdir -p Made/{cur,new,tmp}
         cd && mbsync --all && mbsync --all",
    );

    let mut imap = user.imap();
    imap.ok("SELECT INBOX");
    let flags = imap.ok("FETCH 1:* (UID FLAGS)");
    assert_eq!(flags.untagged.len(), 2, "{flags:#?}");
    assert!(
        flags.find("* 2 FETCH").text.contains("\\Answered"),
        "{flags:#?}"
    );
    imap.ok("SELECT Archive");
    // mbsync adds a header field of its own.
    assert!(message("local").ends_with(&imap.fetch(1, "BODY[TEXT]")));
    imap.ok("SELECT Made");
}
