//! The table of settings: name, kind, default as Dovecot 2.3 has it, which services may read it, and
//! what it does here.
//!
//! One room per area. A setting that is not here is unknown, and an unknown setting is an error.

/// Rows of settings, one line each: `name: kind = default, who reads it, what it does here;`.
macro_rules! settings {
    ($($name:ident: $kind:ident $(($words:expr))? = $default:expr, $readers:expr,
        $status:ident $(($why:expr))? $(, $hidden:ident)?;)*) => {
        &[$($crate::table::Setting {
            name: stringify!($name),
            kind: $crate::table::Kind::$kind $(($words))?,
            default: $default,
            readers: $readers,
            status: $crate::table::Status::$status $(($why))?,
            hidden: !matches!(stringify!($($hidden)?).as_bytes(), b""),
        }),*]
    };
}

mod auth;
mod base;
mod director;
mod doveadm;
mod imap;
mod index;
mod lmtp;
mod login;
mod mail;
mod managesieve;
mod plugin;
mod pop3;
mod remote;
mod section;
mod service;
mod services;
mod ssl;
mod stats;
mod submission;
mod why;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use plugin::plugin_status;
pub use section::{Naming, SECTIONS, Section};
pub use service::SERVICES;
pub use services::{ServiceDefaults, all_service_defaults, service_defaults};
pub use why::SOCKETS as SOCKETS_REASON;

/// What a value may be, and how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// 0 to 2³²-1.
    Number,
    /// A file mode, octal when it begins with 0.
    Mode,
    /// TCP port.
    Port,
    /// Bytes with a unit.
    Size,
    /// Whole seconds with a unit.
    Seconds,
    /// Milliseconds with a unit.
    Millis,
    /// Any text.
    Text,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// Words between spaces.
    List,
    /// Networks between spaces or commas.
    Networks,
    /// Text that nobody may see: keys, passwords.
    Secret,
    /// Name or number of a user of this host.
    User,
    /// Name or number of a group of this host.
    Group,
    /// Names or numbers of groups, between spaces or commas.
    Groups,
}

/// The services that may read a setting; each bit is one of [`SERVICES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readers(pub u16);

impl Readers {
    /// Login processes.
    pub const LOGIN: Self = Self(1);
    /// `auth`.
    pub const AUTH: Self = Self(1 << 1);
    /// `auth-worker`.
    pub const AUTH_WORKER: Self = Self(1 << 2);
    /// `anvil`.
    pub const ANVIL: Self = Self(1 << 3);
    /// `imap`.
    pub const IMAP: Self = Self(1 << 4);
    /// `lmtp`.
    pub const LMTP: Self = Self(1 << 5);
    /// `deliver`.
    pub const DELIVER: Self = Self(1 << 6);
    /// `doveadm`.
    pub const ADMIN: Self = Self(1 << 7);
    /// `imap-hibernate`.
    pub const IMAP_HIBERNATE: Self = Self(1 << 8);
    /// Both authentication services.
    pub const AUTHS: Self = Self::AUTH.and(Self::AUTH_WORKER);
    /// Whatever touches mail.
    pub const MAIL: Self = Self::IMAP.and(Self::DELIVER).and(Self::ADMIN);
    /// Every service: nothing of this may be secret.
    pub const ALL: Self = Self(u16::MAX);

    /// These and those.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// May one of `others` read it?
    pub const fn includes(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As it stands in the configuration.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// As Dovecot 2.3 prints it.
    pub default: &'static str,
    /// Whose snapshot holds it.
    pub readers: Readers,
    /// What it does here.
    pub status: Status,
    /// Listed only where it is set: nobody needs to know of it.
    pub hidden: bool,
}

/// What a setting does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is obeyed.
    Works,
    /// It is accepted, and this is why it has no meaning here.
    NoMeaning(&'static str),
    /// What obeys it is not there yet: this.
    NotYet(&'static str),
    /// To pass it over would let somebody in who should stay out; why it can't be obeyed.
    Refused(&'static str),
}

/// Read by no service.
const NOBODY: Readers = Readers(0);

/// All rooms' global settings, by name.
static GLOBAL: LazyLock<BTreeMap<&'static str, &'static Setting>> = LazyLock::new(|| {
    let rooms = [
        base::SETTINGS,
        mail::SETTINGS,
        index::SETTINGS,
        auth::SETTINGS,
        login::SETTINGS,
        ssl::SETTINGS,
        imap::SETTINGS,
        lmtp::SETTINGS,
        director::SETTINGS,
        doveadm::SETTINGS,
        managesieve::SETTINGS,
        pop3::SETTINGS,
        remote::SETTINGS,
        stats::SETTINGS,
        submission::SETTINGS,
    ];
    rooms
        .into_iter()
        .flatten()
        .map(|setting| (setting.name, setting))
        .collect()
});

/// The global setting of this name.
pub fn global(name: &str) -> Option<&'static Setting> {
    GLOBAL.get(name).copied()
}

/// All global settings, sorted by name.
pub fn globals() -> impl Iterator<Item = &'static Setting> {
    GLOBAL.values().copied()
}
