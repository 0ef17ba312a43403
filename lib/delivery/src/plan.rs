//! What shall happen to a message.

use mailbox::{Flags, Keyword, MailboxName, NamespaceInfo};

use crate::Settings;

/// One thing to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Save it.
    Save {
        /// Where.
        mailbox: MailboxName,
        /// With these flags.
        flags: Flags,
        /// With these keywords.
        keywords: Vec<Keyword>,
    },
}

/// All that shall happen to a message, in order. If none of it leaves a copy, INBOX gets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What to do.
    pub actions: Vec<Action>,
}

impl Plan {
    /// The plan where no script decides: the mailbox that `detail` of the address names if the
    /// settings say so, else INBOX.
    ///
    /// Anybody in the world may write to any detail: one that is not plainly the name of a mailbox means INBOX.
    #[must_use]
    pub fn by_address(
        detail: Option<&str>,
        inbox: Option<&NamespaceInfo>,
        settings: &Settings,
    ) -> Self {
        let wanted = detail.filter(|_| settings.lmtp_save_to_detail_mailbox);
        let named = wanted.and_then(|detail| detail_mailbox(detail, inbox));
        Self {
            actions: named.map(save).into_iter().collect(),
        }
    }
}

/// Saves into `mailbox` without flags.
fn save(mailbox: MailboxName) -> Action {
    Action::Save {
        mailbox,
        flags: Flags::empty(),
        keywords: Vec::new(),
    }
}

fn detail_mailbox(detail: &str, inbox: Option<&NamespaceInfo>) -> Option<MailboxName> {
    let (prefix, separator) = inbox.map_or(("", '/'), |namespace| {
        (namespace.prefix.as_str(), namespace.separator)
    });
    // On disk a level is a file name: none may be a way to another place, whatever the separator is.
    let plain =
        |level: &str| !level.is_empty() && level != "." && level != ".." && !level.starts_with('~');
    let levels_are_plain = detail.split(separator).chain(detail.split('/')).all(plain);
    let foreign_slash = separator != '/' && detail.contains('/');
    if !levels_are_plain || foreign_slash {
        return None;
    }
    if detail.eq_ignore_ascii_case(MailboxName::INBOX) {
        return MailboxName::new(MailboxName::INBOX).ok();
    }
    MailboxName::new(&format!("{prefix}{detail}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(detail: &str, prefix: &str, separator: char) -> Option<String> {
        let settings = Settings {
            lmtp_save_to_detail_mailbox: true,
            ..Settings::default()
        };
        let inbox = NamespaceInfo {
            prefix: prefix.to_owned(),
            separator,
            kind: mailbox::NamespaceKind::Personal,
        };
        let plan = Plan::by_address(Some(detail), Some(&inbox), &settings);
        plan.actions
            .first()
            .map(|Action::Save { mailbox, .. }| mailbox.to_string())
    }

    #[test]
    fn detail_names_a_mailbox() {
        assert_eq!(chosen("work", "", '.').unwrap(), "work");
        assert_eq!(
            chosen("work.2024", "INBOX.", '.').unwrap(),
            "INBOX.work.2024"
        );
        assert_eq!(chosen("a/b", "", '/').unwrap(), "a/b");
        assert_eq!(chosen("inbox", "INBOX.", '.').unwrap(), "INBOX");
    }

    #[test]
    fn detail_leads_nowhere_else() {
        // LMTP-25.
        for detail in [
            "../../bob",
            "INBOX/../x",
            "..",
            ".",
            "",
            "/etc",
            "a//b",
            "~bob",
            "a/~b",
            "a\nb",
            "a\0b",
            "/",
            "a/",
        ] {
            for separator in ['.', '/'] {
                assert_eq!(
                    chosen(detail, "", separator),
                    None,
                    "{detail:?} with {separator}"
                );
            }
        }
        assert_eq!(chosen("a/b", "", '.'), None);
        assert_eq!(chosen("a..b", "", '.'), None);
        assert_eq!(chosen(&"x".repeat(2000), "", '.'), None);
    }

    #[test]
    fn without_the_setting_a_detail_says_nothing() {
        let inbox = NamespaceInfo {
            prefix: String::new(),
            separator: '.',
            kind: mailbox::NamespaceKind::Personal,
        };
        assert_eq!(
            Plan::by_address(Some("work"), Some(&inbox), &Settings::default()).actions,
            []
        );
    }
}
