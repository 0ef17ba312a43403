//! Debian's Dovecot in a machine of its own: the oracle.

use std::ops::Deref;
use std::path::Path;

use crate::{Machine, Tree};

/// A machine in which Dovecot runs, ports as ours: IMAP 143 and 993, LMTP 24.
#[derive(Debug)]
pub struct Dovecot(Machine);

/// Users of the system by PAM, passwords in plain text over the loopback, nothing else decided.
const BASE: &str = "
protocols = imap lmtp pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = </etc/dovecot/private/dovecot.pem
ssl_key = </etc/dovecot/private/dovecot.key
disable_plaintext_auth = no
log_path = syslog
mail_location = maildir:~/Maildir
first_valid_uid = 1
auth_failure_delay = 0
auth_username_format = %Ln
passdb {
  driver = pam
  args = dovecot
}
userdb {
  driver = passwd
}
namespace inbox {
  inbox = yes
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = 24
  }
}
";

impl Dovecot {
    /// Boots, with settings after the usual ones: later ones win.
    #[must_use]
    pub fn boot(settings: &str) -> Dovecot {
        Dovecot::start(Machine::boot(Tree::Dovecot), settings)
    }

    /// The same with a directory of the host as `/srv/share`, as [`Machine::boot_sharing`].
    #[must_use]
    pub fn boot_sharing(settings: &str, share: &Path) -> Dovecot {
        Dovecot::start(Machine::boot_sharing(Tree::Dovecot, share), settings)
    }

    /// The machine alone, for suites that run against either server.
    #[must_use]
    pub fn into_machine(self) -> Machine {
        self.0
    }

    fn start(machine: Machine, settings: &str) -> Dovecot {
        machine.write_file(
            "/etc/dovecot/dovecot.conf",
            format!("{BASE}{settings}").as_bytes(),
        );
        machine.run(
            "systemctl start dovecot.service || { journalctl -u dovecot --no-pager; exit 1; }",
        );
        Dovecot(machine)
    }

    /// What Dovecot complained about: warnings and worse.
    pub fn complaints(&self) -> Vec<String> {
        self.journal(&["--priority=warning", "-u", "dovecot"])
            .iter()
            .map(crate::Record::message)
            .collect()
    }
}

impl Deref for Dovecot {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.0
    }
}
