//! Sections with settings of their own: `namespace`, `passdb`, `userdb`, `service` and what stands in them.

use super::{Kind, Readers, Setting, hidden, service, setting};

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

const NAMESPACE: &[Setting] = &[
    hidden("alias_for", Kind::Text, "", MAIL),
    setting("disabled", Kind::Bool, "no", MAIL),
    setting("hidden", Kind::Bool, "no", MAIL),
    setting("ignore_on_failure", Kind::Bool, "no", MAIL),
    setting("inbox", Kind::Bool, "no", MAIL),
    setting("list", Kind::Enum(&["yes", "no", "children"]), "yes", MAIL),
    setting("location", Kind::Text, "", MAIL),
    setting("order", Kind::Number, "0", MAIL),
    setting("prefix", Kind::Text, "", MAIL),
    setting("separator", Kind::Text, "", MAIL),
    setting("subscriptions", Kind::Bool, "yes", MAIL),
    setting(
        "type",
        Kind::Enum(&["private", "shared", "public"]),
        "private",
        MAIL,
    ),
];

const MAILBOX: Section = Section {
    name: "mailbox",
    settings: &[
        setting(
            "auto",
            Kind::Enum(&["no", "create", "subscribe"]),
            "no",
            MAIL,
        ),
        setting("autoexpunge", Kind::Seconds, "0", MAIL),
        setting("autoexpunge_max_mails", Kind::Number, "0", MAIL),
        setting("comment", Kind::Text, "", MAIL),
        setting("driver", Kind::Text, "", MAIL),
        setting("special_use", Kind::List, "", MAIL),
    ],
    sections: &[],
    readers: MAIL,
    naming: Naming::Merged,
};

const RESULTS: Kind = Kind::Enum(&[
    "return-ok",
    "return",
    "return-fail",
    "continue",
    "continue-ok",
    "continue-fail",
]);
const SKIP_PASSDB: Kind = Kind::Enum(&["never", "authenticated", "unauthenticated"]);
const SKIP_USERDB: Kind = Kind::Enum(&["never", "found", "notfound"]);
const VERBOSE: Kind = Kind::Enum(&["default", "yes", "no"]);

const PASSDB: &[Setting] = &[
    setting("args", Kind::Text, "", AUTH),
    setting("auth_verbose", VERBOSE, "default", AUTH),
    setting("default_fields", Kind::Text, "", AUTH),
    setting("deny", Kind::Bool, "no", AUTH),
    setting("driver", Kind::Text, "", AUTH),
    setting("master", Kind::Bool, "no", AUTH),
    setting("mechanisms", Kind::List, "", AUTH),
    setting("override_fields", Kind::Text, "", AUTH),
    setting("pass", Kind::Bool, "no", AUTH),
    setting("result_failure", RESULTS, "continue", AUTH),
    setting("result_internalfail", RESULTS, "continue", AUTH),
    setting("result_success", RESULTS, "return-ok", AUTH),
    setting("skip", SKIP_PASSDB, "never", AUTH),
    setting("username_filter", Kind::Text, "", AUTH),
];

const USERDB: &[Setting] = &[
    setting("args", Kind::Text, "", AUTH),
    setting("auth_verbose", VERBOSE, "default", AUTH),
    setting("default_fields", Kind::Text, "", AUTH),
    setting("driver", Kind::Text, "", AUTH),
    setting("override_fields", Kind::Text, "", AUTH),
    setting("result_failure", RESULTS, "continue", AUTH),
    setting("result_internalfail", RESULTS, "continue", AUTH),
    setting("result_success", RESULTS, "return-ok", AUTH),
    setting("skip", SKIP_USERDB, "never", AUTH),
];
