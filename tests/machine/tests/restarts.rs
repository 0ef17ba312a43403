//! What services know of each other survives their restarts, and what stands still holds up nobody else.

#![allow(clippy::panic, reason = "a failed test is a panic")]

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use testkit::{Imap, Machine};

/// Culver with these users, all with the password `secret`, and more lines of configuration.
fn machine(users: &[&str], more: &str) -> Machine {
    let machine = Machine::with_culver();
    for user in users {
        machine.add_user(user, "secret");
    }
    if !more.is_empty() {
        let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
        machine.configure(&format!("{config}\n{more}\n"));
    }
    machine
}

fn log_in(machine: &Machine, user: &str) -> Imap {
    let mut imap = Imap::connect(machine.connect(143));
    imap.ok(&format!("LOGIN {user} secret"));
    imap
}

fn log_in_tls(machine: &Machine, user: &str) -> Imap {
    let mut imap = Imap::connect_tls(machine.connect(993));
    imap.ok(&format!("LOGIN {user} secret"));
    imap
}

fn is_refused(machine: &Machine, user: &str) -> bool {
    let mut imap = Imap::connect(machine.connect(143));
    let reply = imap.command(&format!("LOGIN {user} secret"));
    assert!(
        reply.is_ok() || reply.tagged.starts_with("NO [LIMIT]"),
        "{reply:?}"
    );
    !reply.is_ok()
}

fn kill(machine: &Machine, service: &str) {
    let before = main_pid(machine, service);
    machine.run(&format!(
        "systemctl kill --kill-whom=main --signal=KILL culver-{service}.service"
    ));
    eventually("its successor runs", || {
        let now = main_pid(machine, service);
        now != before && now != 0
    });
}

fn main_pid(machine: &Machine, service: &str) -> u32 {
    let shown = machine.run(&format!(
        "systemctl show --value -p MainPID culver-{service}.service"
    ));
    shown.trim().parse().expect("a number")
}

/// The user's one worker.
fn worker(machine: &Machine, user: &str) -> u32 {
    let pids = machine.run(&format!(
        "pgrep --uid {user} --full '/usr/libexec/culver/imap worker'"
    ));
    pids.trim().parse().expect("one number")
}

fn who(machine: &Machine) -> String {
    machine.run("doveadm who")
}

/// Nothing tells when another process has done its part; it can only be asked.
fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn limits_survive_every_restart_and_counts_fall_to_nothing() {
    let machine = machine(&["ann"], "mail_max_userip_connections = 2");
    let mut one = log_in(&machine, "ann");
    let mut two = log_in(&machine, "ann");
    assert!(is_refused(&machine, "ann"));
    kill(&machine, "anvil");
    // The manager finds it again within two seconds; until then nobody is kept out.
    eventually("counted again", || is_refused(&machine, "ann"));
    kill(&machine, "imap");
    eventually("counted by the next manager", || {
        is_refused(&machine, "ann")
    });
    kill(&machine, "auth");
    assert!(is_refused(&machine, "ann"));
    for session in [&mut one, &mut two] {
        session.ok("NOOP");
        session.ok("LOGOUT");
    }
    eventually("nobody is there", || !who(&machine).contains("ann"));
    let _again = [log_in(&machine, "ann"), log_in(&machine, "ann")];
    assert!(is_refused(&machine, "ann"));
}

#[test]
fn a_kick_finds_its_session_through_restarts_of_everything_between() {
    let machine = machine(&["ann", "bob"], "");
    let mut plain = log_in(&machine, "ann");
    let mut secured = log_in_tls(&machine, "ann");
    let mut other = log_in(&machine, "bob");
    for service in ["imap", "anvil", "auth"] {
        kill(&machine, service);
    }
    eventually("both are known", || {
        let who = who(&machine);
        who.lines()
            .any(|line| line.starts_with("ann") && line.split_whitespace().nth(1) == Some("2"))
    });
    machine.run("doveadm kick ann");
    for session in [&mut plain, &mut secured] {
        let farewell = session.stream().until_closed().expect("closed, not broken");
        let farewell = String::from_utf8_lossy(&farewell);
        assert!(farewell.contains("* BYE"), "{farewell}");
    }
    other.ok("NOOP");
    eventually("ann is gone", || !who(&machine).contains("ann"));
}

#[test]
fn a_restart_of_the_manager_refuses_nobody() {
    let machine = machine(&["ann"], "");
    let before = main_pid(&machine, "imap");
    let logins = std::thread::scope(|scope| {
        let restarts = scope.spawn(|| {
            for _ in 0..3 {
                machine.run("systemctl restart culver-imap.service");
            }
        });
        let mut logins = 0;
        while !restarts.is_finished() {
            // A session may be ended right after it began: by a manager that drains.
            drop(log_in(&machine, "ann"));
            logins += 1;
        }
        logins
    });
    assert!(logins > 0);
    assert_ne!(main_pid(&machine, "imap"), before);
    machine.assert_healthy();
}

#[test]
fn a_worker_that_its_user_stops_holds_up_nobody_else() {
    let machine = machine(&["ann", "bob"], "");
    let mut still = log_in(&machine, "ann");
    let mut other = log_in(&machine, "bob");
    let pid = worker(&machine, "ann");
    machine.run(&format!("runuser --user ann -- sh -c 'kill -STOP {pid}'"));
    // Told to end a session of it, the manager goes on.
    machine.run("doveadm kick ann");
    log_in(&machine, "bob").ok("LOGOUT");
    // A new manager does not wait for it.
    kill(&machine, "imap");
    other.ok("NOOP");
    log_in(&machine, "bob").ok("LOGOUT");
    // Nor does a manager that ends, beyond reason.
    machine.run("systemctl restart culver-imap.service");
    let told = machine.run("journalctl --output=cat --unit=culver-imap.service");
    assert!(
        !told.contains("timed out. Killing"),
        "systemd had to end it"
    );
    log_in(&machine, "bob").ok("LOGOUT");
    machine.run(&format!("kill -CONT {pid}"));
    let rest = still.stream().until_closed();
    assert!(
        rest.as_ref()
            .is_ok_and(|rest| String::from_utf8_lossy(rest).contains("* BYE"))
            || rest.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset),
        "it was kicked"
    );
}

#[test]
fn a_session_over_tls_that_has_ended_leaves_nothing_in_the_login_process() {
    let machine = machine(&["ann"], "");
    let descriptors = || {
        let pid = main_pid(&machine, "imap-login");
        let count = machine.run(&format!("ls /proc/{pid}/fd | wc -l"));
        count.trim().parse::<usize>().expect("a number")
    };
    drop(log_in_tls(&machine, "ann"));
    eventually("the first is gone", || !who(&machine).contains("ann"));
    let before = descriptors();
    // These say good-bye and do not hang up.
    let rude: Vec<Imap> = (0..5)
        .map(|_| {
            let mut imap = log_in_tls(&machine, "ann");
            imap.ok("LOGOUT");
            imap
        })
        .collect();
    eventually("as before", || descriptors() <= before);
    drop(rude);
}

#[test]
fn locks_of_workers_can_name_their_boot() {
    let machine = machine(&["ann"], "");
    let _session = log_in(&machine, "ann");
    let boot = machine.run("tr -d '-' < /proc/sys/kernel/random/boot_id");
    let environment = machine.run(&format!(
        "tr '\\0' '\\n' < /proc/{}/environ",
        worker(&machine, "ann")
    ));
    let expected = format!("CULVER_BOOT_ID={}", boot.trim());
    assert!(
        environment.lines().any(|line| line == expected),
        "{environment}"
    );
}
