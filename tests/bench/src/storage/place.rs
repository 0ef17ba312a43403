//! A server with one user whose mail lies on the disk that is measured.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;
use testkit::{Dovecot, Machine, Tree, package};

use crate::client::Session;

/// Whose mail it is.
pub const USER: &str = "ann";
const UID: u32 = 5999;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Ours.
    Culver,
    /// Debian's.
    Dovecot,
}

impl Server {
    /// Column title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Culver => "culver",
            Self::Dovecot => "dovecot",
        }
    }

    /// What its processes' programs have in their path.
    pub fn program(self) -> &'static str {
        match self {
            Self::Culver => "/culver/",
            Self::Dovecot => "dovecot",
        }
    }

    /// Its services end; the next client starts them.
    fn restart(self) -> &'static str {
        match self {
            Self::Culver => {
                "systemctl restart culver-imap.service culver-deliver.service || { journalctl -n 20 --no-pager; exit 1; }"
            }
            Self::Dovecot => "systemctl restart dovecot.service",
        }
    }
}

/// A machine, and its directory on the disk.
pub struct Place {
    /// Who runs.
    pub server: Server,
    /// Where.
    pub machine: Machine,
    /// Removed after the machine has ended.
    share: TempDir,
}

/// The same for both: any password, one mail user.
fn settings(format: &str) -> String {
    format!(
        "
mail_location = {format}:~/mail
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={UID} gid={UID} home=/srv/share/%u
}}
mail_max_userip_connections = 0
first_valid_uid = 500
"
    )
}

const CULVER: &str = "
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
namespace inbox {
  inbox = yes
}
";

/// Boots.
pub fn boot(server: Server, format: &str, on: &Path) -> anyhow::Result<Place> {
    let share = tempfile::Builder::new()
        .prefix("culver-bench")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in(on)
        .with_context(|| format!("a directory in {}", on.display()))?;
    let home = share.path().join(USER);
    std::fs::create_dir(&home)?;
    chown(&home, Some(UID), Some(UID))?;
    let settings = settings(format);
    let machine = match server {
        Server::Culver => {
            let machine = Machine::boot_sharing(Tree::Machine, share.path());
            machine.install(&package());
            machine.configure(&format!("{CULVER}{settings}"));
            machine
        }
        Server::Dovecot => {
            let dovecot = Dovecot::boot_sharing(&settings, share.path());
            // PAM, which is asked first, knows nobody here; by default it takes two seconds to say so.
            dovecot.write_file(
                "/etc/pam.d/dovecot",
                b"auth requisite pam_deny.so nodelay\n",
            );
            dovecot.into_machine()
        }
    };
    Ok(Place {
        server,
        machine,
        share,
    })
}

impl Place {
    /// A session of the user.
    pub fn log_in(&self) -> anyhow::Result<Session> {
        let mut session = Session::open(self.machine.connect(143), None)?;
        session.login(USER)?;
        Ok(session)
    }

    /// Nobody remembers anything; with `without_cache` neither does `dovecot.index.cache`.
    pub fn start_over(&self, caches: Caches) {
        self.machine.run(self.server.restart());
        if caches == Caches::Gone {
            let home = self.share.path().join(USER);
            self.machine.run(&format!(
                "find /srv/share/{} -name dovecot.index.cache -delete",
                home.file_name().unwrap_or_default().display()
            ));
        }
    }
}

/// What is on disk of cached fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caches {
    /// As they are.
    Kept,
    /// Removed.
    Gone,
}
