//! Sessions that idle are parked in imap-hibernate: nobody notices, whatever restarts meanwhile.

#![allow(clippy::panic, reason = "a failed test is a panic")]

use std::time::{Duration, Instant};

use testkit::{Imap, Lmtp, Machine};

/// Sessions are parked after a second, and workers without sessions go soon.
const SETTINGS: &str = "imap_hibernate_timeout = 1s
mail_max_userip_connections = 20
service imap {
  idle_kill = 1s
}
";

/// Culver with these users, all with the password `secret`.
fn machine(users: &[&str], more: &str) -> Machine {
    let machine = Machine::with_culver();
    let names = users.join(" ");
    machine.run(&format!(
        "for user in {names}; do useradd --create-home $user; echo $user:secret; done | chpasswd"
    ));
    let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
    let config = config.replace("imap_hibernate_timeout = 30s\n", "");
    machine.configure(&format!("{config}\n{SETTINGS}{more}\n"));
    machine
}

/// A session that idles in INBOX.
struct Idling {
    imap: Imap,
    tag: String,
}

impl Idling {
    fn plain(machine: &Machine, user: &str) -> Self {
        Self::begin(Imap::connect(machine.connect(143)), user)
    }

    fn tls(machine: &Machine, user: &str) -> Self {
        Self::begin(Imap::connect_tls(machine.connect(993)), user)
    }

    fn begin(mut imap: Imap, user: &str) -> Self {
        imap.ok(&format!("LOGIN {user} secret"));
        imap.ok("SELECT INBOX");
        Self::again(imap)
    }

    fn again(mut imap: Imap) -> Self {
        let tag = imap.say("IDLE").expect("IDLE");
        let go = imap.response().expect("a continuation");
        assert_eq!(go.text, "+ idling");
        Self { imap, tag }
    }

    /// The next line.
    fn hears(&mut self) -> String {
        self.imap.response().expect("a line").text
    }

    fn hears_of(&mut self, messages: usize) {
        assert_eq!(self.hears(), format!("* {messages} EXISTS"));
        assert!(self.hears().ends_with(" RECENT"));
    }

    /// What was told up to the end of IDLE.
    fn done(mut self) -> (Imap, Vec<String>) {
        self.imap.send(b"DONE\r\n");
        let reply = self.imap.reply(&self.tag).expect("the end of IDLE");
        assert!(reply.is_ok(), "{reply:?}");
        let told = reply.untagged.into_iter().map(|response| response.text);
        (self.imap, told.collect())
    }
}

/// Nothing tells when another process has done its part; it can only be asked.
fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sessions of users whose sessions are all with imap-hibernate.
fn parked(machine: &Machine) -> usize {
    let pid = format!(" ({}) ", main_pid(machine, "imap-hibernate"));
    let who = who(machine);
    let parked = who.lines().filter(|line| line.contains(&pid));
    let numbers = parked.filter_map(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    numbers.sum()
}

fn all_parked(machine: &Machine, sessions: usize) {
    eventually(&format!("{sessions} sessions parked"), || {
        parked(machine) == sessions
    });
}

/// Users who have a worker.
fn workers(machine: &Machine) -> Vec<String> {
    let users = machine
        .run("pgrep --full '^/usr/libexec/culver/imap worker' | xargs -r ps -o user:32= -p | sort");
    let users = users.lines().map(str::trim);
    users
        .filter(|user| *user != "culver")
        .map(str::to_owned)
        .collect()
}

fn deliver(machine: &Machine, user: &str) {
    let message = b"Subject: news\r\n\r\nnews\r\n";
    Lmtp::connect(machine.connect(24)).delivered(&[user], message);
}

fn main_pid(machine: &Machine, service: &str) -> u32 {
    let unit = format!("culver-{service}.service");
    let shown = machine.run(&format!("systemctl show --value -p MainPID {unit}"));
    shown.trim().parse().expect("a number")
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

fn who(machine: &Machine) -> String {
    machine.run("doveadm who")
}

fn sessions_of(machine: &Machine, user: &str) -> usize {
    let who = who(machine);
    let line = who
        .lines()
        .find(|line| line.split_whitespace().next() == Some(user));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

#[test]
fn two_hundred_sessions_take_no_worker_and_news_wake_whom_they_concern() {
    let users: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = users.iter().map(String::as_str).collect();
    let machine = machine(&names, "");
    let mut sessions: Vec<Vec<Idling>> = names
        .iter()
        .map(|user| {
            let mut of_user: Vec<_> = (0..9).map(|_| Idling::plain(&machine, user)).collect();
            of_user.push(Idling::tls(&machine, user));
            of_user
        })
        .collect();
    all_parked(&machine, 200);
    eventually("no worker is left", || workers(&machine).is_empty());
    for user in &names {
        assert_eq!(sessions_of(&machine, user), 10, "{user}");
    }
    let pid = main_pid(&machine, "imap-hibernate");
    let pss = machine.run(&format!(
        "awk '/^Pss:/ {{print $2}}' /proc/{pid}/smaps_rollup"
    ));
    println!("imap-hibernate with 200 sessions: {} kB of PSS", pss.trim());

    deliver(&machine, "user7");
    for session in &mut sessions[7] {
        session.hears_of(1);
    }
    assert_eq!(workers(&machine), ["user7"]);
    all_parked(&machine, 200);
    eventually("its worker is gone again", || workers(&machine).is_empty());

    // What is left as it was was told nothing, and goes on where it was.
    for session in sessions.remove(3) {
        let (mut imap, told) = session.done();
        assert_eq!(told, [""; 0]);
        imap.ok("NOOP");
        imap.ok("LOGOUT");
    }
    eventually("nobody of them is there", || {
        sessions_of(&machine, "user3") == 0
    });
    // Who hangs up is seen, without a worker.
    drop(sessions);
    eventually("nobody is there", || who(&machine).lines().count() == 1);
    all_parked(&machine, 0);
    let ended = machine.journal(&["CULVER_USER=user11", "CULVER_SERVICE=imap-hibernate"]);
    assert_eq!(ended.len(), 10);
    let line = ended
        .first()
        .map(testkit::Record::message)
        .unwrap_or_default();
    assert!(
        line.starts_with(&format!("imap-hibernate(user11)<{pid}><"))
            && line.contains(">: Disconnected: Connection closed in="),
        "{line}"
    );
    machine.assert_healthy();
}

#[test]
fn no_restart_of_anything_loses_a_session() {
    let machine = machine(&["ann", "bob"], "mail_max_userip_connections = 2");
    let mut plain = Idling::plain(&machine, "ann");
    let mut secured = Idling::tls(&machine, "ann");
    let mut messages = 0;
    let mut is_told = |machine: &Machine, what: &str| {
        all_parked(machine, 2);
        messages += 1;
        deliver(machine, "ann");
        for session in [&mut plain, &mut secured] {
            session.hears_of(messages);
        }
        eventually(&format!("both count after {what}"), || {
            sessions_of(machine, "ann") == 2
        });
        let mut third = Imap::connect(machine.connect(143));
        let refused = third.command("LOGIN ann secret");
        assert!(
            refused.tagged.starts_with("NO [LIMIT]"),
            "{what}: {refused:?}"
        );
    };
    is_told(&machine, "nothing");
    for service in ["imap-hibernate", "anvil", "imap"] {
        all_parked(&machine, 2);
        kill(&machine, service);
        is_told(&machine, service);
    }
    all_parked(&machine, 2);
    machine.run("systemctl restart culver-imap-hibernate.service");
    is_told(&machine, "a restart");
    all_parked(&machine, 2);
    for service in ["imap-hibernate", "imap", "anvil"] {
        machine.run(&format!(
            "systemctl kill --kill-whom=main --signal=KILL culver-{service}.service"
        ));
    }
    is_told(&machine, "all at once");
    // What is said while nobody who could answer lives is answered.
    all_parked(&machine, 2);
    machine.run("systemctl kill --kill-whom=main --signal=KILL culver-imap-hibernate.service");
    for session in [plain, secured] {
        let (mut imap, _) = session.done();
        assert!(imap.fetch(1, "BODY.PEEK[TEXT]").starts_with(b"news"));
        imap.ok("LOGOUT");
    }
    eventually("nobody is there", || !who(&machine).contains("ann"));
    let failed = machine.run("systemctl list-units --failed --plain --no-legend");
    assert_eq!(failed, "");
}

#[test]
fn a_kill_while_they_come_and_go_loses_and_doubles_nobody() {
    let users: Vec<String> = (0..10).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = users.iter().map(String::as_str).collect();
    let machine = machine(&names, "");
    let user = |number: usize| names[number % names.len()];
    let mut sessions: Vec<_> = (0..130)
        .map(|number| Idling::plain(&machine, user(number)))
        .collect();
    for messages in 1..=3 {
        all_parked(&machine, 130);
        // All of them go and come back meanwhile.
        for user in &names {
            deliver(&machine, user);
        }
        kill(&machine, "imap-hibernate");
        machine.run("systemctl daemon-reexec");
        kill(&machine, "imap-hibernate");
        for session in &mut sessions {
            session.hears_of(messages);
        }
        // Whom nobody took when it wanted to be parked stays where it is until it idles anew.
        let anew = sessions.into_iter().map(|session| {
            let (imap, told) = session.done();
            assert_eq!(told, [""; 0]);
            Idling::again(imap)
        });
        sessions = anew.collect();
    }
    all_parked(&machine, 130);
    for user in &names {
        assert_eq!(sessions_of(&machine, user), 13, "{user}");
    }
    let shown = "systemctl show --value -p NFileDescriptorStore culver-imap-hibernate.service";
    let stored: usize = machine.run(shown).trim().parse().expect("a number");
    assert!(stored < 10, "{stored} descriptors for 130 sessions");
    for session in sessions {
        let (mut imap, told) = session.done();
        assert_eq!(told, [""; 0]);
        imap.ok("LOGOUT");
    }
    eventually("nobody is there", || who(&machine).lines().count() == 1);
    eventually("nothing of them is stored", || {
        machine.run(shown).trim() == "1"
    });
}

#[test]
fn who_is_parked_is_kicked_and_told_of_the_end() {
    let machine = machine(&["ann", "bob"], "");
    let mut kicked = [Idling::plain(&machine, "ann"), Idling::tls(&machine, "ann")];
    let mut stopped = [Idling::plain(&machine, "bob"), Idling::tls(&machine, "bob")];
    all_parked(&machine, 4);
    machine.run("doveadm kick ann");
    for session in &mut kicked {
        assert_eq!(session.hears(), "* BYE Disconnected by administrator.");
        assert!(session.imap.response().is_err(), "closed");
    }
    eventually("ann is gone", || !who(&machine).contains("ann"));
    all_parked(&machine, 2);
    machine.run("systemctl stop culver.service");
    for session in &mut stopped {
        assert_eq!(session.hears(), "* BYE Server shutting down.");
        assert!(session.imap.response().is_err(), "closed");
    }
}

/// Is one of the user's sessions with imap-hibernate?
fn has_parked(machine: &Machine, user: &str) -> bool {
    let pid = main_pid(machine, "imap-hibernate").to_string();
    let who = who(machine);
    let line = who
        .lines()
        .find(|line| line.split_whitespace().next() == Some(user));
    let pids = line.and_then(|line| line.split(['(', ')']).nth(1));
    pids.is_some_and(|pids| pids.split(' ').any(|other| other == pid))
}

/// The view comes back exactly, whatever keeps the mail.
fn comes_back(machine: &Machine, user: &str) {
    for _ in 0..5 {
        deliver(machine, user);
    }
    let mut idling = Idling::plain(machine, user);
    eventually("parked", || has_parked(machine, user));
    let mut other = Imap::connect(machine.connect(143));
    other.ok(&format!("LOGIN {user} secret"));
    other.ok("SELECT INBOX");
    other.ok("STORE 4 +FLAGS.SILENT (\\Flagged Later)");
    // Whatever wakes it first, at the end all was told once.
    let mut told = Vec::new();
    let mut until = |idling: &mut Idling, last: &str| loop {
        let line = idling.hears();
        let is_last = line == last;
        told.push(line);
        if is_last {
            break;
        }
    };
    let mine = "* 4 FETCH (FLAGS (\\Flagged \\Recent Later))";
    until(&mut idling, mine);
    eventually("parked", || has_parked(machine, user));
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other.ok("UNSELECT");
    until(&mut idling, "* 2 FETCH (FLAGS (\\Deleted \\Recent))");
    eventually("parked", || has_parked(machine, user));
    other.ok("SELECT INBOX");
    other.ok("CLOSE");
    until(&mut idling, "* 2 EXPUNGE");
    told.retain(|line| !line.starts_with("* FLAGS") && !line.starts_with("* OK [PERM"));
    let at = |line: &str| told.iter().filter(|told| *told == line).count();
    assert_eq!((at(mine), at("* 2 EXPUNGE")), (1, 1), "{user}: {told:#?}");
    let (mut imap, rest) = idling.done();
    assert!(rest.iter().all(|line| line.ends_with("RECENT")), "{rest:?}");
    // Mails that were recent when it came are so when it goes.
    let recent = imap.ok("SEARCH RECENT");
    assert_eq!(recent.find("* SEARCH").text, "* SEARCH 1 2 3 4", "{user}");
    let flags = imap.ok("FETCH 3 (UID FLAGS)");
    let flags = &flags.find("FETCH").text;
    assert!(
        flags.contains("UID 4") && flags.contains("Later"),
        "{flags}"
    );
    imap.ok("LOGOUT");
}

#[test]
fn the_view_comes_back_in_every_format() {
    let users = ["maildir", "sdbox", "mdbox", "mbox"];
    let machine = machine(&users, "");
    let config = String::from_utf8(machine.read_file("/etc/culver/culver.conf")).expect("text");
    for user in users {
        let location = match user {
            "maildir" => "maildir:~/Maildir".to_owned(),
            "mbox" => "mbox:~/mail:INBOX=~/inbox".to_owned(),
            format => format!("{format}:~/mail"),
        };
        machine.configure(&format!("{config}\nmail_location = {location}\n"));
        machine.run("systemctl restart culver-deliver.service culver-imap.service");
        comes_back(&machine, user);
    }
    machine.assert_healthy();
}

#[test]
fn dovecots_default_parks_nobody() {
    let machine = machine(
        &["ann"],
        "imap_hibernate_timeout = 0\nimap_idle_notify_interval = 3s",
    );
    let mut idling = Idling::plain(&machine, "ann");
    assert_eq!(idling.hears(), "* OK Still here");
    assert_eq!(parked(&machine), 0);
    assert_eq!(workers(&machine), ["ann"]);
    let state = machine.enter(&["systemctl", "is-active", "culver-imap-hibernate.service"]);
    assert!(!state.status.success(), "nobody needs it");
}

#[test]
fn who_is_parked_hears_that_we_are_here() {
    let machine = machine(&["ann"], "imap_idle_notify_interval = 3s");
    let mut idling = Idling::tls(&machine, "ann");
    for _ in 0..3 {
        assert_eq!(idling.hears(), "* OK Still here");
    }
    assert_eq!(parked(&machine), 1);
    let (mut imap, told) = idling.done();
    assert!(
        told.iter().all(|line| line == "* OK Still here"),
        "{told:?}"
    );
    imap.ok("LOGOUT");
}
