//! kill -9 of each service in turn, under load.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use testkit::{Imap, Machine};

use crate::load::under_load;

const SERVICES: [&str; 7] = [
    "anvil",
    "auth",
    "auth-worker",
    "deliver",
    "imap",
    "imap-login",
    "lmtp",
];

#[test]
fn each_service_may_die_under_load() {
    let machine = Machine::with_culver();
    for user in ["loaded", "calm"] {
        machine.add_user(user, "secret");
    }
    // Plain: its descriptor is the worker's alone. What is relayed through a login process ends with that.
    let mut calm = Imap::connect(machine.connect(143));
    calm.ok("LOGIN calm secret");
    calm.ok("SELECT INBOX");

    let seen = under_load(&machine, "loaded", || {
        for service in SERVICES {
            let before = main_pid(&machine, service);
            machine.run(&format!(
                "systemctl kill --kill-whom=main --signal=KILL culver-{service}.service"
            ));
            await_other_pid(&machine, service, &before);
            let answer = calm.try_command("NOOP");
            assert!(
                answer.as_ref().is_ok_and(testkit::Reply::is_ok),
                "a session of another user after {service} died: {answer:?}"
            );
            // New sessions work, too.
            let mut fresh = Imap::connect(machine.connect(143));
            fresh.ok("LOGIN calm secret");
            fresh.ok("LOGOUT");
        }
    });

    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
    assert!(seen.logins > 0, "no login worked under load");
    assert!(
        !seen.acknowledged.is_empty(),
        "no delivery worked under load"
    );
    let missing = missing(&machine, &seen.acknowledged);
    assert!(
        missing.is_empty(),
        "acknowledged and not there: {missing:?}"
    );
    let failed = machine.run("systemctl list-units --failed --plain --no-legend");
    assert_eq!(failed, "");
}

#[test]
fn a_worker_takes_only_its_user_along() {
    let machine = Machine::with_culver();
    for user in ["ann", "bob"] {
        machine.add_user(user, "secret");
    }
    let mut sessions = ["ann", "bob"].map(|user| {
        let mut imap = Imap::connect(machine.connect(143));
        imap.ok(&format!("LOGIN {user} secret"));
        imap.ok("SELECT INBOX");
        imap
    });
    machine.run("pkill --signal KILL --uid ann --full '/usr/libexec/culver/imap worker'");
    let [ann, bob] = &mut sessions;
    assert!(ann.try_command("NOOP").is_err(), "its worker is gone");
    bob.ok("NOOP");
    let mut again = Imap::connect(machine.connect(143));
    again.ok("LOGIN ann secret");
    let record = machine.journal(&["MESSAGE_ID=6e335dd4e5a2a2dfb23e874a6f30df27"]);
    assert!(
        record
            .iter()
            .any(|record| record.field("CULVER_USER") == "ann"),
        "{record:?}"
    );
}

fn main_pid(machine: &Machine, service: &str) -> String {
    let pid = machine.run(&format!(
        "systemctl show --value -p MainPID culver-{service}.service"
    ));
    assert_ne!(pid.trim(), "0", "{service} does not run");
    pid
}

/// systemd starts it again; the state of a unit can only be asked for.
fn await_other_pid(machine: &Machine, service: &str, before: &str) {
    let unit = format!("culver-{service}.service");
    let started = Instant::now();
    loop {
        let now = machine.run(&format!(
            "systemctl show --value -p MainPID -p ActiveState {unit}"
        ));
        if !now.contains(before.trim())
            && now.contains("active")
            && !now.starts_with("0\n")
            && !now.contains("activating")
        {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{unit} does not come back: {now}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn missing(machine: &Machine, acknowledged: &[String]) -> Vec<String> {
    let mut imap = Imap::connect(machine.connect(143));
    imap.ok("LOGIN loaded secret");
    imap.ok("SELECT INBOX");
    let headers = imap.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    let there: BTreeSet<String> = headers
        .untagged
        .iter()
        .flat_map(|response| &response.literals)
        .map(|literal| {
            String::from_utf8_lossy(literal)
                .trim()
                .replace("Subject: ", "")
        })
        .collect();
    acknowledged
        .iter()
        .filter(|subject| !there.contains(*subject))
        .cloned()
        .collect()
}
