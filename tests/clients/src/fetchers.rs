//! fetchmail and getmail: empty a mailbox.

use crate::site::User;

#[test]
fn fetchmail_takes_everything() {
    let user = User::with_mail("fetchmail-user");
    user.write(
        ".fetchmailrc",
        "poll 127.0.0.1 protocol imap port 993 user fetchmail-user password secret \
         ssl no sslcertck fetchall mda 'cat >>fetched'\n",
    );
    user.run("fetchmail --pidfile ~/pid");
    takes_everything(&user, "fetched");
}

#[test]
fn fetchmail_waits_with_idle() {
    let user = User::new("fetchmail-idle");
    user.write(
        ".fetchmailrc",
        "poll 127.0.0.1 protocol imap port 993 user fetchmail-idle password secret \
         ssl no sslcertck idle mda 'cat >>fetched && touch seen'\n",
    );
    // Delivered while it waits: it must not poll, but be told.
    user.run(
        "timeout 60 fetchmail --pidfile ~/pid --verbose --nodetach >log 2>&1 &
         wait_for() { timeout 20 sh -c \"until $1; do sleep 0.1; done\" || { cat log; kill %1; exit 1; }; }
         wait_for 'grep -q IDLE log'
         swaks --silent 2 --protocol LMTP --server 127.0.0.1:24 --from a@example.org --to fetchmail-idle --body pushed
         wait_for 'test -e seen'
         kill %1
         grep -q pushed fetched",
    );
}

#[test]
fn getmail_takes_everything() {
    let user = User::with_mail("getmail-user");
    user.run("mkdir -p .getmail");
    user.write(
        ".getmail/getmailrc",
        "[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = 127.0.0.1\nusername = getmail-user\n\
         password = secret\n[destination]\ntype = Maildir\npath = ~/fetched/\n[options]\ndelete = true\n",
    );
    user.run("mkdir -p fetched/{cur,new,tmp} && getmail");
    takes_everything(&user, "fetched/new/*");
}

fn takes_everything(user: &User, file: &str) {
    let fetched = user.run(&format!("cat {file}"));
    for subject in ["first", "second", "third"] {
        assert!(
            fetched.contains(&format!("text of {subject}\n.a dot\n..two dots\nGrüße\n")),
            "{fetched}"
        );
    }
    let status = user.imap().ok("STATUS INBOX (MESSAGES)");
    assert_eq!(status.find("STATUS").text, "* STATUS INBOX (MESSAGES 0)");
}
