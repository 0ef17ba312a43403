//! What userdb says of a user's settings, for whoever reads settings for that user.

use config::{Error, Facts, Overrides, Snapshot};
use ipc::auth_master::MailUser;
use ipc::worker::Identity;

use crate::identity::{IdentitySettings, Refused, identify};

/// For who serves mail: `mail` of userdb is `mail_location`, the other fields are what they are named.
///
/// # Errors
/// [`Error::Settings`]: a value that its setting does not take.
pub fn overrides(snapshot: &Snapshot, identity: &Identity) -> Result<Overrides, Error> {
    let mail = identity
        .mail
        .iter()
        .map(|mail| ("mail_location", mail.as_str()));
    Overrides::new(snapshot, pairs(&identity.fields).chain(mail))
}

/// For a manager that keeps nothing: what a worker for `user` becomes, as this snapshot and userdb have it.
///
/// # Errors
/// As [`identify`], and settings that cannot be read.
pub fn identify_by(
    snapshot: &Snapshot,
    facts: &Facts<'_>,
    user: &MailUser,
) -> Result<Identity, Refused> {
    let settings: Result<IdentitySettings, _> =
        of_user(snapshot, user).and_then(|overrides| snapshot.settings_of_user(facts, &overrides));
    let settings = settings.map_err(|error| Refused::Settings(error.to_string()))?;
    identify(user, &settings)
}

/// For managers, to whom it is nothing where the mail is.
pub(crate) fn of_user(snapshot: &Snapshot, user: &MailUser) -> Result<Overrides, Error> {
    Overrides::new(snapshot, pairs(&user.fields))
}

fn pairs(fields: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::Username;

    fn user(fields: &[(&str, &str)]) -> MailUser {
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        MailUser {
            name: Username::try_from("joe".to_owned()).unwrap(),
            uid: Some(1000),
            gid: Some(1000),
            home: Some("/home/joe".to_owned()),
            chroot: None,
            mail: Some("maildir:~/100%".to_owned()),
            groups: Vec::new(),
            fields: fields.iter().map(field).collect(),
        }
    }

    fn snapshot() -> Snapshot {
        let config = config::parse_text(std::path::Path::new("culver.conf"), "");
        config.snapshot("imap", &config::NoNames).unwrap()
    }

    #[test]
    fn identities_hear_of_userdb_too() {
        let facts = Facts::of_protocol("imap");
        let joe = user(&[
            ("mail_access_groups", "8,50"),
            ("quota_rule", "*:storage=1"),
        ]);
        let identity = identify_by(&snapshot(), &facts, &joe).unwrap();
        assert_eq!(identity.groups, [8, 50]);
        let bad = user(&[("first_valid_uid", "many")]);
        let refused = identify_by(&snapshot(), &facts, &bad).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("Invalid userdb input 'first_valid_uid=many'"),
            "{refused}"
        );
    }

    #[test]
    fn mail_of_userdb_is_its_mail_location() {
        #[derive(serde::Deserialize)]
        struct Read {
            mail_location: String,
        }
        let (facts, snapshot) = (Facts::of_protocol("imap"), snapshot());
        let identity = identify_by(&snapshot, &facts, &user(&[])).unwrap();
        let overrides = overrides(&snapshot, &identity).unwrap();
        let read: Read = snapshot.settings_of_user(&facts, &overrides).unwrap();
        assert_eq!(read.mail_location, "maildir:~/100%%");
    }
}
