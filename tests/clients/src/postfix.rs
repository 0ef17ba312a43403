//! Postfix: accepts a message as a mail server does, and delivers it by LMTP.

use crate::site::User;

/// Through both sockets: TCP on the loopback address, and the UNIX socket.
#[test]
fn delivers_through_lmtp() {
    let user = User::new("postfix-user");
    user.machine.run(
        "touch /etc/postfix/main.cf
         cp --no-clobber /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
         postconf -e 'myhostname = culver.test' 'mydestination = culver.test' 'inet_interfaces = loopback-only' \
             'local_recipient_maps =' 'alias_maps =' 'compatibility_level = 3.6'
         postconf -F lmtp/unix/chroot=n
         systemctl start postfix@-.service || systemctl start postfix.service",
    );
    let unix = match std::env::var("UNDER_TEST").as_deref() {
        Ok("dovecot") => "lmtp:unix:/run/dovecot/lmtp",
        _ => "lmtp:unix:/run/culver/lmtp/lmtp",
    };
    for (seq, transport) in (1..).zip(["lmtp:inet:127.0.0.1:24", unix]) {
        user.machine.run(&format!(
            "postconf -e 'mailbox_transport = {transport}' && postfix reload
             printf 'Subject: by %s\\n\\nthrough Postfix\\n' {transport} |
                 sendmail -f sender@example.org postfix-user@culver.test"
        ));
        user.machine.await_journal(&format!(
            "to=<postfix-user@culver.test>, relay={}",
            relay(transport)
        ));
        let mut imap = user.imap();
        imap.ok("SELECT INBOX");
        assert_eq!(imap.fetch(seq, "BODY[TEXT]"), b"through Postfix\r\n");
        let subject = imap.fetch(seq, "BODY[HEADER.FIELDS (SUBJECT)]");
        assert_eq!(
            String::from_utf8_lossy(&subject),
            format!("Subject: by {transport}\r\n\r\n")
        );
    }
    let sent = user.machine.journal(&["-t", "postfix/lmtp"]);
    assert!(
        sent.iter()
            .all(|record| record.message().contains("status=sent")),
        "{sent:#?}"
    );
    assert_eq!(
        user.machine
            .run("find /var/spool/postfix/{deferred,active,incoming} -type f"),
        ""
    );
}

/// How Postfix's log names the other end.
fn relay(transport: &str) -> &str {
    match transport {
        "lmtp:inet:127.0.0.1:24" => "127.0.0.1[127.0.0.1]:24",
        _ => "culver.test[",
    }
}
