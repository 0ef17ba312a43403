//! The servers that are compared, with the same users: 100 in a passwd-file, mail in Maildir.

use std::fmt::Write as _;

use testkit::{Dovecot, Machine};

/// Users, and their common password.
pub const USERS: u32 = 100;
pub const PASSWORD: &str = "secret";

/// One way to run a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ours as installed.
    Culver,
    /// Dovecot as installed: a process per connection, before and after login.
    DovecotDefault,
    /// Dovecot with shared login processes.
    DovecotSharedLogin,
    /// Dovecot with shared login processes and imap processes that serve one user after another.
    DovecotReuse,
}

impl Kind {
    /// All, ours first.
    pub const ALL: [Self; 4] = [
        Self::Culver,
        Self::DovecotDefault,
        Self::DovecotSharedLogin,
        Self::DovecotReuse,
    ];

    /// Row title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Culver => "culver",
            Self::DovecotDefault => "dovecot, default",
            Self::DovecotSharedLogin => "dovecot, shared login",
            Self::DovecotReuse => "dovecot, shared login, imap reused",
        }
    }

    /// What its processes' programs have in their path.
    pub fn program(self) -> &'static str {
        if self == Self::Culver {
            "/culver/"
        } else {
            "dovecot"
        }
    }

    /// Boots a machine with it.
    pub fn boot(self) -> Machine {
        if self == Self::Culver {
            let machine = Machine::with_culver();
            self.users(&machine, "/etc/culver/users");
            machine.configure(&format!("{CULVER}{}", databases("/etc/culver/users")));
            return machine;
        }
        let service = match self {
            Self::DovecotSharedLogin => SHARED_LOGIN.to_owned(),
            Self::DovecotReuse => format!("{SHARED_LOGIN}{REUSE}"),
            _ => String::new(),
        };
        let settings = format!("{LIMITS}{service}{}", databases("/etc/dovecot/users"));
        let machine = Dovecot::boot("").into_machine();
        self.users(&machine, "/etc/dovecot/users");
        let conf =
            String::from_utf8_lossy(&machine.read_file("/etc/dovecot/dovecot.conf")).into_owned();
        let pam = conf.find("passdb {").zip(conf.find("namespace inbox"));
        let (from, to) = pam.expect("the testkit's Dovecot uses PAM");
        let conf = format!("{}{}{settings}", &conf[..from], &conf[to..]);
        machine.write_file("/etc/dovecot/dovecot.conf", conf.as_bytes());
        machine.run("systemctl restart dovecot.service");
        machine
    }
}

/// The user's name.
pub fn user(number: u32) -> String {
    format!("u{:03}", number % USERS)
}

impl Kind {
    /// Users have ids of their own, but for Dovecot's reused processes: those cannot change theirs.
    fn id(self, number: u32) -> u32 {
        if self == Self::DovecotReuse {
            5000
        } else {
            5000 + number
        }
    }

    fn users(self, machine: &Machine, path: &str) {
        let (mut text, mut homes) = (String::new(), "mkdir -p /srv/mail".to_owned());
        for number in 0..USERS {
            let (id, name) = (self.id(number), user(number));
            let _ = writeln!(
                text,
                "{name}:{{PLAIN}}{PASSWORD}:{id}:{id}::/srv/mail/{name}::"
            );
            let _ = write!(
                homes,
                "; install -d -m 700 -o {id} -g {id} /srv/mail/{name}"
            );
        }
        machine.write_file(path, text.as_bytes());
        machine.run(&format!("chmod 644 {path}; {homes}"));
    }
}

/// Ours again, with sessions that are parked after a second, and workers that go after another.
pub fn park(machine: &Machine) {
    let settings = "imap_hibernate_timeout = 1s\nservice imap {\n  idle_kill = 1s\n}\n";
    machine.configure(&format!(
        "{CULVER}{settings}{}",
        databases("/etc/culver/users")
    ));
}

fn databases(path: &str) -> String {
    format!(
        "passdb {{\n  driver = passwd-file\n  args = {path}\n}}\nuserdb {{\n  driver = passwd-file\n  args = {path}\n}}\n"
    )
}

const CULVER: &str = "
protocols = imap lmtp
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
}
ssl = yes
ssl_cert = </etc/culver/tls/cert.pem
ssl_key = </etc/culver/tls/key.pem
disable_plaintext_auth = no
mail_max_userip_connections = 0
auth_failure_delay = 0
first_valid_uid = 500
";
const LIMITS: &str = "
mail_max_userip_connections = 0
default_process_limit = 2000
default_client_limit = 20000
service imap {
  process_limit = 2000
}
";
const SHARED_LOGIN: &str = "
service imap-login {
  service_count = 0
  process_min_avail = 2
}
";
const REUSE: &str = "
service imap {
  service_count = 0
}
";
