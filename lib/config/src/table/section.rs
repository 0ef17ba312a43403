//! Sections with settings of their own: `namespace`, `passdb`, `userdb`, `service` and what stands in them.

use super::{NOBODY, Readers, Setting, service};

const MAIL: Readers = Readers::MAIL;
/// Passwords of databases may stand in `args`: the worker is told what it needs.
const AUTH: Readers = Readers::AUTH;

/// A kind of section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The word before its name.
    pub name: &'static str,
    /// What may stand in it; empty together with `free` for `plugin`.
    pub settings: &'static [Setting],
    /// Sections that may stand in it.
    pub sections: &'static [Section],
    /// Whose snapshots hold it.
    pub readers: Readers,
    /// What the name does.
    pub naming: Naming,
}

/// How sections of a kind are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// One of the name; another block of the same name adds to it. Without a name each block is one more.
    Merged,
    /// As `Merged`, but a second block of the same name is an error (passdb, userdb).
    Once,
    /// No name, one section, any `key = value` in it (`plugin`).
    Free,
}

/// The sections at the top of a configuration.
pub const SECTIONS: &[Section] = &[
    // Names of dictionaries; the services that use them come with their own settings.
    Section {
        name: "dict",
        settings: &[],
        sections: &[],
        readers: Readers(0),
        naming: Naming::Free,
    },
    Section {
        name: "event_exporter",
        settings: EXPORTER,
        sections: &[],
        readers: NOBODY,
        naming: Naming::Merged,
    },
    Section {
        name: "metric",
        settings: METRIC,
        sections: &[],
        readers: NOBODY,
        naming: Naming::Merged,
    },
    Section {
        name: "namespace",
        settings: NAMESPACE,
        sections: &[MAILBOX],
        readers: MAIL,
        naming: Naming::Merged,
    },
    Section {
        name: "passdb",
        settings: PASSDB,
        sections: &[],
        readers: AUTH,
        naming: Naming::Once,
    },
    Section {
        name: "plugin",
        settings: &[],
        sections: &[],
        readers: MAIL,
        naming: Naming::Free,
    },
    Section {
        name: "service",
        settings: service::SETTINGS,
        sections: service::LISTENERS,
        readers: Readers::ALL,
        naming: Naming::Merged,
    },
    Section {
        name: "userdb",
        settings: USERDB,
        sections: &[],
        readers: AUTH,
        naming: Naming::Once,
    },
];

const NAMESPACE: &[Setting] = settings! {
    alias_for:         Text = "",     MAIL, Works, hidden;
    disabled:          Bool = "no",   MAIL, Works;
    hidden:            Bool = "no",   MAIL, Works;
    ignore_on_failure: Bool = "no",   MAIL, Works;
    inbox:             Bool = "no",   MAIL, Works;
    list:              Enum(&["yes", "no", "children"]) = "yes", MAIL, Works;
    location:          Text = "",     MAIL, Works;
    order:             Number = "0",  MAIL, Works;
    prefix:            Text = "",     MAIL, Works;
    separator:         Text = "",     MAIL, Works;
    subscriptions:     Bool = "yes",  MAIL, Works;
    type:              Enum(&["private", "shared", "public"]) = "private", MAIL, Works;
};

const MAILBOX: Section = Section {
    name: "mailbox",
    settings: settings! {
        auto:                  Enum(&["no", "create", "subscribe"]) = "no", MAIL, Works;
        autoexpunge:           Seconds = "0", MAIL, Works;
        autoexpunge_max_mails: Number = "0",  MAIL, Works;
        comment:               Text = "",     MAIL, NotYet("METADATA");
        driver:                Text = "",     MAIL, NotYet("virtual mailboxes");
        special_use:           List = "",     MAIL, Works;
    },
    sections: &[],
    readers: MAIL,
    naming: Naming::Merged,
};

const RESULTS: &[&str] = &[
    "return-ok",
    "return",
    "return-fail",
    "continue",
    "continue-ok",
    "continue-fail",
];
const VERBOSE: &[&str] = &["default", "yes", "no"];

const PASSDB: &[Setting] = settings! {
    args:                Text = "",      AUTH, Works;
    auth_verbose:        Enum(VERBOSE) = "default", AUTH, Works;
    default_fields:      Text = "",      AUTH, Works;
    deny:                Bool = "no",    AUTH, Works;
    driver:              Text = "",      AUTH, Works;
    master:              Bool = "no",    AUTH, Works;
    mechanisms:          List = "",      AUTH, Works;
    override_fields:     Text = "",      AUTH, Works;
    pass:                Bool = "no",    AUTH, Works;
    result_failure:      Enum(RESULTS) = "continue",  AUTH, Works;
    result_internalfail: Enum(RESULTS) = "continue",  AUTH, Works;
    result_success:      Enum(RESULTS) = "return-ok", AUTH, Works;
    skip:                Enum(&["never", "authenticated", "unauthenticated"]) = "never", AUTH, Works;
    username_filter:     Text = "",      AUTH, Works;
};

const USERDB: &[Setting] = settings! {
    args:                Text = "",      AUTH, Works;
    auth_verbose:        Enum(VERBOSE) = "default", AUTH, Works;
    default_fields:      Text = "",      AUTH, Works;
    driver:              Text = "",      AUTH, Works;
    override_fields:     Text = "",      AUTH, Works;
    result_failure:      Enum(RESULTS) = "continue",  AUTH, Works;
    result_internalfail: Enum(RESULTS) = "continue",  AUTH, Works;
    result_success:      Enum(RESULTS) = "return-ok", AUTH, Works;
    skip:                Enum(&["never", "found", "notfound"]) = "never", AUTH, Works;
};

const METRIC: &[Setting] = settings! {
    description:      Text = "", NOBODY, NotYet("statistics");
    exporter:         Text = "", NOBODY, NotYet("statistics");
    exporter_include: Text = "name hostname timestamps categories fields", NOBODY, NotYet("statistics");
    fields:           Text = "", NOBODY, NotYet("statistics");
    filter:           Text = "", NOBODY, NotYet("statistics");
    group_by:         Text = "", NOBODY, NotYet("statistics");
};

const EXPORTER: &[Setting] = settings! {
    format:            Text = "", NOBODY, NotYet("statistics");
    format_args:       Text = "", NOBODY, NotYet("statistics");
    transport:         Text = "", NOBODY, NotYet("statistics");
    transport_args:    Text = "", NOBODY, NotYet("statistics");
    transport_timeout: Millis = "250 ms", NOBODY, NotYet("statistics");
};
