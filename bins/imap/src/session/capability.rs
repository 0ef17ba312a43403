//! What CAPABILITY says after login.

use super::Settings;

const CAPABILITIES: &str = "IMAP4rev1 SASL-IR ID ENABLE IDLE MULTIAPPEND UNSELECT CHILDREN NAMESPACE UIDPLUS MOVE SPECIAL-USE";

/// The words behind CAPABILITY, by `imap_capability` and `imap_literal_minus`.
pub fn capabilities(settings: &Settings) -> String {
    let configured = settings.imap_capability.trim();
    match configured.strip_prefix('+') {
        Some(more) => format!("{} {more}", built_in(settings)),
        None if configured.is_empty() => built_in(settings),
        None => configured.to_owned(),
    }
}

fn built_in(settings: &Settings) -> String {
    let literal = if settings.imap_literal_minus {
        "LITERAL-"
    } else {
        "LITERAL+"
    };
    format!("{CAPABILITIES} {literal}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_adds_or_replaces() {
        let with = |text: &str| {
            capabilities(&Settings {
                imap_capability: text.to_owned(),
                ..Settings::default()
            })
        };
        assert!(with("").ends_with("LITERAL+"));
        assert!(with("+XFOO XBAR").ends_with("LITERAL+ XFOO XBAR"));
        assert_eq!(with("IMAP4rev1"), "IMAP4rev1");
    }
}
