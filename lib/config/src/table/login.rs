//! Login processes: what a client meets before it is authenticated.

use super::{Kind, Readers, Setting, setting};

const LOGIN: Readers = Readers::LOGIN;
const ELEMENTS: &str = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>";

pub const SETTINGS: &[Setting] = &[
    setting(
        "disable_plaintext_auth",
        Kind::Bool,
        "yes",
        LOGIN.and(Readers::AUTH),
    ),
    // The one default that differs: a client is told who it speaks with.
    setting(
        "login_greeting",
        Kind::Text,
        "Culver ready.",
        LOGIN.and(Readers::LMTP),
    ),
    setting("login_log_format", Kind::Text, "%$: %s", LOGIN),
    setting("login_log_format_elements", Kind::Text, ELEMENTS, LOGIN),
    setting(
        "login_trusted_networks",
        Kind::Networks,
        "",
        LOGIN.and(Readers::LMTP),
    ),
];
