//! What the package puts into a system, and that it takes it away again.

use testkit::{Imap, Lmtp, Machine, Tree, package};

use crate::load::under_load;

#[test]
fn brings_everything_an_administrator_looks_for() {
    let machine = Machine::culver();
    machine.run("doveconf -n && doveadm --help && man -w doveconf doveadm");
    machine.run("ls /usr/share/bash-completion/completions/{doveadm,doveconf}");
    machine.run("ls /usr/share/zsh/vendor-completions/_{doveadm,doveconf}");
    machine.run("ls /usr/share/fish/vendor_completions.d/{doveadm,doveconf}.fish");
    assert_eq!(
        machine.run("systemctl is-enabled culver.service").trim(),
        "enabled"
    );
    // Keys and snapshots are nobody else's to read.
    assert_eq!(
        machine
            .run("stat -c '%U %a' /etc/culver/tls/key.pem")
            .trim(),
        "root 600"
    );
    let snapshots = machine.run("stat -c '%n %U %a' /run/culver/config/*");
    assert!(
        snapshots.contains("/run/culver/config/imap-login culver-imap-login 400"),
        "{snapshots}"
    );
    assert!(
        snapshots.lines().all(|line| line.ends_with(" 400")),
        "{snapshots}"
    );
    let outdated = machine.run("dpkg --verify culver");
    assert_eq!(outdated, "", "files differ from the package");
}

#[test]
fn its_units_are_clean() {
    let machine = Machine::culver();
    let verify = machine
        .run("systemd-analyze verify /lib/systemd/system/culver* multi-user.target 2>&1 || true");
    let ours: Vec<&str> = verify
        .lines()
        .filter(|line| line.contains("culver"))
        .collect();
    assert!(ours.is_empty(), "{ours:#?}");
    let catalog = machine.run("journalctl --list-catalog | grep -c 'Culver: \\|' || true");
    assert_ne!(catalog.trim(), "0");
}

/// Every event that services name has an entry in the catalog.
#[test]
fn the_catalog_knows_every_event() {
    let machine = Machine::culver();
    let source = std::fs::read_to_string(testkit::checkout().join("lib/service/src/journal.rs"));
    let source = source.expect("lib/service/src/journal.rs");
    let ids: Vec<&str> = source
        .split('"')
        .filter(|text| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    assert!(ids.len() >= 20, "{ids:?}");
    let catalog = machine.run("journalctl --dump-catalog");
    for id in ids {
        assert!(catalog.contains(&format!("-- {id}")), "no entry for {id}");
    }
}

#[test]
fn purge_leaves_nothing_but_the_mail() {
    let machine = Machine::boot(Tree::Machine);
    let before = Traces::of(&machine);
    machine.install(&package());
    machine.add_user("ann", "secret");
    Lmtp::connect(machine.connect(24)).delivered(&["ann"], b"Subject: kept\r\n\r\nkept\r\n");
    let mut imap = Imap::connect_tls(machine.connect(993));
    imap.ok("LOGIN ann secret");
    imap.ok("SELECT INBOX");
    let mail = machine.run("find /home/ann -type f | xargs sha256sum");

    // With a session open and its worker running.
    machine.run("DEBIAN_FRONTEND=noninteractive apt-get purge -y culver 2>&1");

    assert_eq!(
        machine.run("find /home/ann -type f | xargs sha256sum"),
        mail
    );
    machine.run("userdel --remove ann");
    assert_eq!(Traces::of(&machine), before);
    let stream = machine.try_connect(std::net::Ipv4Addr::LOCALHOST, 143);
    assert_eq!(
        stream.map_err(|error| error.kind()).err(),
        Some(std::io::ErrorKind::ConnectionRefused)
    );
}

/// Sessions end with a BYE, as with every restart; the sockets stay, so that clients come back at once. A login that
/// waits for its token while auth is exchanged fails, and the journal says so.
#[test]
fn an_upgrade_refuses_no_connection() {
    let machine = Machine::with_culver();
    machine.add_user("ann", "secret");
    let mut session = Imap::connect(machine.connect(143));
    session.ok("LOGIN ann secret");
    let sockets = "systemctl show -p InvocationID culver-imap.socket culver-lmtp-inet.socket";
    let before = machine.run(sockets);
    let seen = under_load(&machine, "ann", || machine.install(&package()));
    assert_eq!(seen.refused, Vec::<String>::new());
    assert_eq!(machine.run(sockets), before, "the sockets were closed");
    let bye = session.stream().line().expect("a word before the end");
    assert!(
        bye.starts_with(b"* BYE "),
        "{}",
        String::from_utf8_lossy(&bye)
    );
    Imap::connect(machine.connect(143)).ok("LOGIN ann secret");
    assert_eq!(
        machine.run("systemctl list-units --failed --plain --no-legend"),
        ""
    );
}

/// Where a package can leave something behind.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    users: String,
    groups: String,
    files: String,
    processes: String,
    sockets: String,
    units: String,
}

impl Traces {
    fn of(machine: &Machine) -> Traces {
        // dpkg's and systemd's own records of what happened stay, by their design.
        let files = "find /etc /run /usr /var /lib /tmp -xdev \\( -path /var/lib/dpkg -o -path /var/log \
             -o -path /var/lib/systemd/catalog -o -path /run/log -o -path /run/systemd -o -path /var/cache \
             -o -path '/etc/*-' -o -path /var/lib/apt -o -path /etc/passwd -o -path /etc/shadow -o -path /etc/group \
             -o -path /etc/gshadow -o -path /var/mail -o -path /run/user -o -path /etc/.pwd.lock \\) -prune -o -print | sort";
        Traces {
            users: machine.run("getent passwd"),
            groups: machine.run("getent group"),
            files: machine.run(files),
            processes: machine.run("ps -eo args= | grep -c '[l]ibexec/culver' || true"),
            sockets: machine.run("ss --all --no-header --listening --unix --tcp | grep -c culver || true"),
            units: machine.run("systemctl list-units --all --plain --no-legend 'culver*'; systemctl list-unit-files --no-legend 'culver*' || true"),
        }
    }
}
