//! The whole way of a message, and what systemd and the journal say about it.

use testkit::{Imap, Lmtp, Machine};

/// Units that are active once a message came in and was read: no unit of ours is for show.
const UNITS: [&str; 21] = [
    "culver.service",
    "culver-anvil.service",
    "culver-anvil.socket",
    "culver-auth-login.socket",
    "culver-auth-master.socket",
    "culver-auth-userdb.socket",
    "culver-auth-worker.service",
    "culver-auth-worker.socket",
    "culver-auth.service",
    "culver-deliver.service",
    "culver-deliver.socket",
    "culver-imap-hibernate.service",
    "culver-imap-hibernate.socket",
    "culver-imap-login.service",
    "culver-imap-session.socket",
    "culver-imap.service",
    "culver-imap.socket",
    "culver-imaps.socket",
    "culver-lmtp-inet.socket",
    "culver-lmtp.service",
    "culver-lmtp.socket",
];

#[test]
fn a_message_comes_in_and_is_read() {
    let machine = Machine::with_culver();
    machine.add_user("ann", "secret");
    let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
    machine.configure(&config.replace(
        "imap_hibernate_timeout = 30s",
        "imap_hibernate_timeout = 1s",
    ));
    machine.run(
        "swaks --protocol LMTP --server 127.0.0.1:24 --from bob@example.org --to ann@culver.test \
         --header 'Subject: the whole way' --body 'from end to end'",
    );
    let read = machine.run("curl -sS --insecure --user ann:secret 'imaps://127.0.0.1/INBOX;UID=1'");
    assert!(read.contains("Subject: the whole way\r\n"), "{read}");
    assert!(read.contains("from end to end"), "{read}");

    let mut idling = Imap::connect_tls(machine.connect(993));
    idling.ok("LOGIN ann secret");
    idling.say("IDLE").expect("IDLE");
    machine.run("until systemctl --quiet is-active culver-imap-hibernate; do sleep 0.1; done");
    for unit in UNITS {
        let state = machine.enter(&["systemctl", "is-active", unit]);
        assert!(
            state.status.success(),
            "{unit} is {}",
            String::from_utf8_lossy(&state.stdout)
        );
    }
    let ours = machine.run("systemctl list-units --all --plain --no-legend 'culver*' | wc -l");
    assert_eq!(
        ours.trim(),
        UNITS.len().to_string(),
        "the table above names all units"
    );
    machine.assert_healthy();
}

/// design.md §6: one session id from the first packet to the last, whoever writes the record.
#[test]
fn one_session_id_runs_through_all_services() {
    let machine = Machine::culver();
    machine.add_user("traced", "secret");
    let mut imap = Imap::connect_tls(machine.connect(993));
    imap.ok("LOGIN traced secret");
    imap.ok("SELECT INBOX");
    imap.ok("LOGOUT");
    machine.await_journal("imap(traced)");

    let login = machine.journal(&["CULVER_USER=traced", "CULVER_SERVICE=imap-login"]);
    let login = login
        .iter()
        .find(|record| record.message().contains("Login: user=<traced>"));
    let login = login.expect("a record of the login");
    let line = login.message();
    for part in [
        "imap-login: Login: user=<traced>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, mpid=",
        "TLS",
        "session=<",
    ] {
        assert!(line.contains(part), "{part:?} in {line:?}");
    }
    let session = login.field("CULVER_SESSION");
    assert!(line.contains(&format!("session=<{session}>")), "{line}");
    assert_eq!(login.field("CULVER_REMOTE_IP"), "127.0.0.1");
    assert_eq!(login.field("MESSAGE_ID").len(), 32);

    let of_session = machine.journal(&[&format!("CULVER_SESSION={session}")]);
    let services: Vec<String> = of_session
        .iter()
        .map(|record| record.field("CULVER_SERVICE"))
        .collect();
    assert!(
        services.iter().any(|service| service == "imap"),
        "{services:?}"
    );
}

/// `journalctl -x` explains what happened.
#[test]
fn the_journal_explains_itself() {
    let machine = Machine::culver();
    machine.add_user("forgetful", "secret");
    let mut imap = Imap::connect_tls(machine.connect(993));
    let refused = imap.command("LOGIN forgetful not-my-password");
    assert!(
        refused.tagged.starts_with("NO [AUTHENTICATIONFAILED]"),
        "{refused:?}"
    );
    drop(imap);
    machine.await_journal("user=<forgetful>");
    let explained = machine.run("journalctl -x --no-pager CULVER_USER=forgetful");
    assert!(explained.contains("░░ Defined-By: Culver"), "{explained}");
    assert!(
        !explained.contains("not-my-password"),
        "the password is in the journal: {explained}"
    );
}

/// `systemctl stop culver` is the whole of it, `start` too.
#[test]
fn stop_ends_everything_and_start_brings_it_back() {
    let machine = Machine::with_culver();
    machine.add_user("ann", "secret");
    let mut session = Imap::connect(machine.connect(143));
    session.ok("LOGIN ann secret");
    machine.run("systemctl stop culver");
    assert_eq!(
        machine.run("systemctl list-units --plain --no-legend --state=active 'culver*'"),
        ""
    );
    assert_eq!(
        machine.run("ps -eo args= | grep '[l]ibexec/culver' || true"),
        ""
    );
    let refused = machine.try_connect(std::net::Ipv4Addr::LOCALHOST, 143);
    assert_eq!(
        refused.map_err(|error| error.kind()).err(),
        Some(std::io::ErrorKind::ConnectionRefused)
    );

    machine.run("systemctl start culver");
    let mut session = Imap::connect(machine.connect(143));
    session.ok("LOGIN ann secret");
    machine.assert_healthy();
}

/// A file system that is mounted after the services started holds mail like any other.
#[test]
fn mail_may_lie_on_what_is_mounted_later() {
    let machine = Machine::with_culver();
    machine.run("useradd --create-home --home-dir /mail/late late && rm -r /mail/late");
    machine.run("echo late:secret | chpasswd");
    machine.run("systemctl start culver-imap culver-deliver");
    machine.run("mount -t tmpfs tmpfs /mail && mkdir /mail/late && chown late: /mail/late");
    Lmtp::connect(machine.connect(24)).delivered(&["late"], b"Subject: late\r\n\r\nlate\r\n");
    let mut imap = Imap::connect(machine.connect(143));
    imap.ok("LOGIN late secret");
    imap.ok("SELECT INBOX");
    assert_eq!(imap.fetch(1, "BODY[TEXT]"), b"late\r\n");
    assert_eq!(
        machine
            .run("ls /mail/late/Maildir/{cur,new} | grep -c S=")
            .trim(),
        "1"
    );
}
