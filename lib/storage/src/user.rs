//! Whose mail it is.

use config::expand;
use mailbox::Error;

use crate::location::Expand;

/// A mail user: a name, a home, and what else variables may stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailUser {
    /// `user@domain`, as auth says.
    pub name: String,
    /// `%h` and `~`; inside the chroot, if there is one.
    pub home: Option<String>,
    /// Other variables by their long names: `service`, `rip`, `auth_domain`, …
    pub variables: Vec<(String, String)>,
}

impl MailUser {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "home" => self.home.clone(),
            _ => {
                let other = self.variables.iter().find(|(known, _)| known == name);
                other
                    .map(|(_, value)| value.clone())
                    .or_else(|| expand::of_user(&self.name, name))
            }
        }
    }
}

impl Expand for MailUser {
    fn expand(&self, part: &str) -> Result<String, Error> {
        let expanded = expand::expand(part, &|name| self.variable(name))
            .map_err(|error| Error::Config(format!("mail_location: {error}")))?;
        // Whether `~` means the home is for the setting to say, not for a value in it.
        let tilde = part.starts_with('~');
        match expanded
            .strip_prefix('~')
            .filter(|rest| tilde && is_below(rest))
        {
            None => Ok(expanded),
            Some(below) => match &self.home {
                Some(home) => Ok(format!("{}{below}", home.trim_end_matches('/'))),
                None => Err(Error::Config(format!(
                    "user {} has no home, but {part} needs it",
                    self.name
                ))),
            },
        }
    }
}

fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> MailUser {
        MailUser {
            name: "~root@example.org".into(),
            home: Some("/home/r/".into()),
            variables: vec![("service".into(), "imap".into())],
        }
    }

    #[test]
    fn variables_and_home() {
        assert_eq!(user().expand("~/Maildir").unwrap(), "/home/r/Maildir");
        assert_eq!(
            user().expand("/var/%d/%n/%s").unwrap(),
            "/var/example.org/~root/imap"
        );
        assert_eq!(user().expand("%h/M").unwrap(), "/home/r//M");
        assert!(user().expand("%{nonsense}").is_err());
    }

    #[test]
    fn a_value_is_never_a_home() {
        assert_eq!(user().expand("%n").unwrap(), "~root");
        let homeless = MailUser {
            home: None,
            ..user()
        };
        assert!(matches!(homeless.expand("~/M"), Err(Error::Config(_))));
    }
}
