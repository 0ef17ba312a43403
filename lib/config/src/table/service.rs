//! `service NAME { … }`: limits and listeners.

use super::section::{Naming, Section};
use super::why::{SOCKETS, UNITS};
use super::{Readers, Setting};

const ALL: Readers = Readers::ALL;

/// Our services: name, the user that runs it (and owns its snapshot), its bit.
pub const SERVICES: &[(&str, &str, Readers)] = &[
    ("imap-login", "culver-imap-login", Readers::LOGIN),
    ("auth", "culver-auth", Readers::AUTH),
    ("auth-worker", "culver-auth-worker", Readers::AUTH_WORKER),
    ("anvil", "culver-anvil", Readers::ANVIL),
    ("imap", "culver", Readers::IMAP),
    (
        "imap-hibernate",
        "culver-imap-hibernate",
        Readers::IMAP_HIBERNATE,
    ),
    ("lmtp", "culver-lmtp", Readers::LMTP),
    ("deliver", "culver-deliver", Readers::DELIVER),
    ("doveadm", "root", Readers::ADMIN),
];

pub const SETTINGS: &[Setting] = settings! {
    chroot:                Text = "",    ALL, NoMeaning("root directories are set in the units of systemd");
    client_limit:          Number = "0", ALL, Works;
    drop_priv_before_exec: Bool = "no",  ALL, NoMeaning(UNITS);
    executable:            Text = "",    ALL, NoMeaning("services are what their units start");
    extra_groups:          Text = "",    ALL, NoMeaning(UNITS);
    group:                 Text = "",    ALL, NoMeaning(UNITS);
    idle_kill:             Seconds = "0", ALL, Works;
    privileged_group:      Text = "",    ALL, NoMeaning(UNITS);
    process_limit:         Number = "0", ALL, Works;
    process_min_avail:     Number = "0", ALL, Works;
    protocol:              Text = "",    ALL, NoMeaning("services are what their units start");
    service_count:         Number = "0", ALL, Works;
    type:                  Text = "",    ALL, NoMeaning("services are what their units start");
    user:                  Text = "",    ALL, NoMeaning(UNITS);
    vsz_limit:             Size = "18446744073709551615 B", ALL, Works;
};

const FILE_LISTENER: &[Setting] = settings! {
    group: Text = "",     ALL, NoMeaning(SOCKETS);
    mode:  Mode = "0600", ALL, NoMeaning(SOCKETS);
    user:  Text = "",     ALL, NoMeaning(SOCKETS);
};

const INET_LISTENER: &[Setting] = settings! {
    address:    Text = "",   ALL, NoMeaning(SOCKETS);
    haproxy:    Bool = "no", ALL, NotYet("the HAProxy protocol");
    port:       Port = "0",  ALL, NoMeaning(SOCKETS);
    reuse_port: Bool = "no", ALL, NoMeaning(SOCKETS);
    ssl:        Bool = "no", ALL, NoMeaning(SOCKETS);
};

/// What stands in a service.
pub const LISTENERS: &[Section] = &[
    listener("fifo_listener", FILE_LISTENER),
    listener("inet_listener", INET_LISTENER),
    listener("unix_listener", FILE_LISTENER),
];

const fn listener(name: &'static str, settings: &'static [Setting]) -> Section {
    Section {
        name,
        settings,
        sections: &[],
        readers: ALL,
        naming: Naming::Merged,
    }
}
