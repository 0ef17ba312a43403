//! Changes of the configuration while everything runs.

use testkit::{Imap, Machine};

fn greeting(machine: &Machine) -> String {
    Imap::connect(machine.connect(143)).greeting
}

#[test]
fn a_reload_changes_what_is_new_and_ends_nothing() {
    let machine = Machine::with_culver();
    machine.add_user("ann", "secret");
    let mut session = Imap::connect(machine.connect(143));
    session.ok("LOGIN ann secret");
    let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
    machine.configure(&format!("{config}\nlogin_greeting = good morning\n"));
    machine.await_journal("imap-login: Configuration reloaded");
    assert!(greeting(&machine).contains("good morning"));
    session.ok("NOOP");
    machine.assert_healthy();
}

#[test]
fn a_broken_configuration_is_refused_with_every_mistake_and_nothing_changes() {
    let machine = Machine::with_culver();
    machine.add_user("ann", "secret");
    let before = greeting(&machine);
    let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
    let lines = config.lines().count();
    let broken = format!("{config}mail_locatoin = maildir:~/Maildir\nssl = perhaps\n");
    machine.write_file("/etc/culver/culver.conf", broken.as_bytes());

    let refused = machine.enter(&["systemctl", "reload", "culver"]);
    assert!(!refused.status.success());
    let said = machine.run("journalctl --no-pager -o cat -u culver");
    for (line, mistake) in [(lines + 1, "mail_locatoin"), (lines + 2, "perhaps")] {
        let place = format!("/etc/culver/culver.conf:{line}");
        let reported = said
            .lines()
            .any(|text| text.contains(&place) && text.contains(mistake));
        assert!(reported, "{place} {mistake}: {said}");
    }
    assert_eq!(greeting(&machine), before);
    let mut imap = Imap::connect(machine.connect(143));
    imap.ok("LOGIN ann secret");
    assert_eq!(
        machine.run("systemctl is-active culver.service").trim(),
        "active"
    );
}
