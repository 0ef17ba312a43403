//! The table of settings: name, kind, default as Dovecot 2.3 has it, and which services may read it.
//!
//! One room per area. A setting that is not here is unknown, and an unknown setting is an error.

mod auth;
mod base;
mod imap;
mod index;
mod lmtp;
mod login;
mod mail;
mod section;
mod service;
mod ssl;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use section::{Naming, SECTIONS, Section};
pub use service::{SERVICES, ServiceDefaults, all_service_defaults, service_defaults};

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
    /// Listed only where it is set: nobody needs to know of it.
    pub hidden: bool,
}

/// A row. Rooms abbreviate it further for their own readers.
const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    readers: Readers,
) -> Setting {
    Setting {
        name,
        kind,
        default,
        readers,
        hidden: false,
    }
}

/// A row of a setting that is hidden.
const fn hidden(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    readers: Readers,
) -> Setting {
    Setting {
        hidden: true,
        ..setting(name, kind, default, readers)
    }
}

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
