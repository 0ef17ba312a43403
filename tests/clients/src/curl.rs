//! curl: reads, appends, over TLS and STARTTLS.

use crate::site::{User, message};

#[test]
fn reads_a_message_byte_for_byte() {
    let user = User::with_mail("curl-reads");
    for url in ["imaps://127.0.0.1", "--ssl-reqd imap://127.0.0.1"] {
        let read = user.machine.enter(&[
            "sh",
            "-c",
            &format!(
                "curl --silent --show-error --insecure --user curl-reads:secret {url}/INBOX';UID=2'"
            ),
        ]);
        assert!(read.status.success(), "{read:?}");
        let end = String::from_utf8_lossy(&message("second")).into_owned();
        assert!(
            String::from_utf8_lossy(&read.stdout).ends_with(&end),
            "{read:?}"
        );
    }
}

#[test]
fn appends_a_message() {
    let user = User::new("curl-appends");
    user.machine
        .write_file("/tmp/append.eml", &message("uploaded"));
    user.machine.run("curl -sS --insecure --user curl-appends:secret --upload-file /tmp/append.eml imaps://127.0.0.1/INBOX");
    let mut imap = user.imap();
    imap.ok("SELECT INBOX");
    assert_eq!(imap.fetch(1, "BODY[]"), message("uploaded"));
}

#[test]
fn is_refused_with_a_wrong_password() {
    let user = User::new("curl-wrong");
    let refused = user.machine.enter(&[
        "curl",
        "-sS",
        "--insecure",
        "--user",
        "curl-wrong:no",
        "imaps://127.0.0.1/INBOX",
    ]);
    // 67: the user name, password, or similar was not accepted and curl failed to log in.
    assert_eq!(refused.status.code(), Some(67), "{refused:?}");
}
