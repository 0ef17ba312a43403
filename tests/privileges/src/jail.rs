//! Workers in a chroot: what they see, and that the journal still hears of them.

use std::fs;

use testkit::{Imap, Lmtp, Machine};

use crate::process::Process;

const SETTINGS: &str = "
protocols = imap lmtp
ssl = yes
ssl_cert = </etc/culver/tls/cert.pem
ssl_key = </etc/culver/tls/key.pem
disable_plaintext_auth = no
valid_chroot_dirs = /srv/jails
mail_location = maildir:~/Maildir
passdb {
  driver = passwd-file
  args = /etc/culver/users
}
userdb {
  driver = passwd-file
  args = /etc/culver/users
  override_fields = chroot=/srv/jails/%u
}
";

#[test]
fn a_worker_in_a_chroot_reaches_the_journal() {
    let machine = Machine::with_culver();
    machine.write_file("/etc/culver/users", b"eve:{PLAIN}pw:3001:3001::/mail::\n");
    machine.run("install -d /srv/jails/eve; install -d -o 3001 -g 3001 /srv/jails/eve/mail");
    machine.configure(SETTINGS);

    let mut lmtp = Lmtp::connect(machine.connect(24));
    lmtp.delivered(&["eve"], b"Subject: in jail\r\n\r\nhello\r\n");
    machine.await_journal("saved mail to INBOX");

    let mut imap = Imap::connect(machine.connect(143));
    imap.ok("LOGIN eve pw");
    imap.ok("SELECT INBOX").find("1 EXISTS");
    let processes = Process::all(&machine);
    let worker = processes.iter().find(|process| process.id("Uid") == 3001);
    let pid = worker.expect("a worker").pid;
    let root = fs::read_link(machine.path(&format!("/proc/{pid}/root"))).expect("its root");
    assert!(root.ends_with("srv/jails/eve"), "{}", root.display());
    imap.ok("LOGOUT");
    let line = machine.await_journal("Disconnected: Logged out");
    assert!(line.starts_with("imap(eve)<"), "{line}");
    let records = machine.journal(&["CULVER_USER=eve", "CULVER_SERVICE=imap"]);
    assert!(!records.is_empty(), "records have their fields");
}
