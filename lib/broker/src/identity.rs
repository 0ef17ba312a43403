//! Who a worker becomes: userdb over settings, and what is never allowed.

use std::path::{Component, Path};

use config::{GroupId, UserId, expand};
use ipc::auth_master::MailUser;
use ipc::worker::Identity;
use serde::Deserialize;

/// Settings that decide over identities.
#[derive(Debug, Clone, Deserialize)]
pub struct IdentitySettings {
    /// Where userdb gives no `uid`.
    pub mail_uid: Option<UserId>,
    /// Where userdb gives no `gid`.
    pub mail_gid: Option<GroupId>,
    /// Where userdb gives no `home`.
    pub mail_home: String,
    /// Where userdb gives no `chroot`.
    pub mail_chroot: String,
    /// Groups that every worker has.
    pub mail_access_groups: Vec<GroupId>,
    /// The group that may create files in /var/mail.
    pub mail_privileged_group: Option<GroupId>,
    /// Lowest uid.
    pub first_valid_uid: u32,
    /// Highest uid; 0: none.
    pub last_valid_uid: u32,
    /// Lowest gid.
    pub first_valid_gid: u32,
    /// Highest gid; 0: none.
    pub last_valid_gid: u32,
    /// Where a chroot may be; separated by `:`.
    pub valid_chroot_dirs: String,
}

/// Why a user may not be served. The administrator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither userdb nor settings say it.
    #[error("no {0} given by userdb or mail_{0}")]
    Missing(&'static str),
    /// uid or gid outside the valid range.
    #[error("{what} {id} is not permitted (see first_valid_{what}, last_valid_{what})")]
    OutOfRange {
        /// `uid` or `gid`.
        what: &'static str,
        /// The number.
        id: u32,
    },
    /// A chroot that `valid_chroot_dirs` does not allow.
    #[error("chroot {0} is not below any of valid_chroot_dirs")]
    Chroot(String),
    /// A home that is no absolute path.
    #[error("home {0:?} is not an absolute path without ..")]
    Home(String),
    /// Settings, or what userdb says of them, cannot be read.
    #[error("{0}")]
    Settings(String),
    /// `mail_home` or `mail_chroot` cannot be expanded.
    #[error("{setting}: {error}")]
    Expand {
        /// Which setting.
        setting: &'static str,
        /// What is wrong.
        error: expand::Error,
    },
}

/// What a worker for `user` becomes.
///
/// # Errors
/// [`Refused`]: uid 0, ranges, chroot outside `valid_chroot_dirs`.
pub fn identify(user: &MailUser, settings: &IdentitySettings) -> Result<Identity, Refused> {
    let uid = user
        .uid
        .or(settings.mail_uid.map(|UserId(uid)| uid))
        .ok_or(Refused::Missing("uid"))?;
    let gid = user
        .gid
        .or(settings.mail_gid.map(|GroupId(gid)| gid))
        .ok_or(Refused::Missing("gid"))?;
    in_range(
        "uid",
        uid,
        settings.first_valid_uid,
        settings.last_valid_uid,
    )?;
    in_range(
        "gid",
        gid,
        settings.first_valid_gid,
        settings.last_valid_gid,
    )?;
    let home = either(user.home.as_ref(), &settings.mail_home, "mail_home", user)?;
    let chroot = either(
        user.chroot.as_ref(),
        &settings.mail_chroot,
        "mail_chroot",
        user,
    )?;
    let (chroot, home) = split_home(chroot, home);
    for path in [&chroot, &home].into_iter().flatten() {
        if !is_plain(path) {
            return Err(Refused::Home(path.clone()));
        }
    }
    if let Some(chroot) = &chroot {
        check_chroot(chroot, &settings.valid_chroot_dirs)?;
    }
    Ok(Identity {
        user: user.name.clone(),
        uid,
        gid,
        groups: groups(user, settings),
        chroot,
        home,
        mail: user.mail.clone(),
        fields: user.fields.clone(),
    })
}

fn in_range(what: &'static str, id: u32, first: u32, last: u32) -> Result<(), Refused> {
    if id == 0 || id < first || (last != 0 && id > last) {
        return Err(Refused::OutOfRange { what, id });
    }
    Ok(())
}

fn either(
    field: Option<&String>,
    template: &str,
    setting: &'static str,
    user: &MailUser,
) -> Result<Option<String>, Refused> {
    if let Some(value) = field.filter(|value| !value.is_empty()) {
        return Ok(Some(value.clone()));
    }
    if template.is_empty() {
        return Ok(None);
    }
    let lookup = |name: &str| match name {
        "home" => user.home.clone(),
        _ => expand::of_user(user.name.as_str(), name),
    };
    expand::expand(template, &lookup)
        .map(Some)
        .map_err(|error| Refused::Expand { setting, error })
}

/// `/chroot/./home` in either field means both; a home given beside a chroot is inside it already.
fn split_home(chroot: Option<String>, home: Option<String>) -> (Option<String>, Option<String>) {
    let field = match (&chroot, &home) {
        (Some(chroot), _) if chroot.contains("/./") => chroot,
        (None, Some(home)) if home.contains("/./") => home,
        _ => return (chroot, home),
    };
    match field.split_once("/./") {
        Some((root, inside)) => (Some(root.to_owned()), Some(format!("/{inside}"))),
        None => (chroot, home),
    }
}

fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains('\0')
        && Path::new(path)
            .components()
            .all(|c| !matches!(c, Component::ParentDir))
}

fn check_chroot(chroot: &str, valid: &str) -> Result<(), Refused> {
    let allowed = valid
        .split(':')
        .filter(|directory| !directory.is_empty())
        .any(|directory| Path::new(chroot).starts_with(directory));
    if allowed {
        Ok(())
    } else {
        Err(Refused::Chroot(chroot.to_owned()))
    }
}

fn groups(user: &MailUser, settings: &IdentitySettings) -> Vec<u32> {
    let access = settings
        .mail_access_groups
        .iter()
        .chain(&settings.mail_privileged_group);
    let mut groups: Vec<u32> = user
        .groups
        .iter()
        .copied()
        .chain(access.map(|GroupId(gid)| *gid))
        .collect();
    // Group 0 would open what root's group may read; no mail needs it.
    groups.retain(|gid| *gid != 0);
    groups.sort_unstable();
    groups.dedup();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::Username;

    fn settings() -> IdentitySettings {
        IdentitySettings {
            mail_uid: None,
            mail_gid: Some(GroupId(8)),
            mail_home: "/var/vmail/%d/%n".to_owned(),
            mail_chroot: String::new(),
            mail_access_groups: vec![GroupId(8), GroupId(0)],
            mail_privileged_group: None,
            first_valid_uid: 500,
            last_valid_uid: 0,
            first_valid_gid: 1,
            last_valid_gid: 0,
            valid_chroot_dirs: "/srv:/home".to_owned(),
        }
    }

    fn user(uid: Option<u32>) -> MailUser {
        MailUser {
            name: Username::try_from("joe@example.org".to_owned()).unwrap(),
            uid,
            gid: None,
            home: None,
            chroot: None,
            mail: None,
            groups: vec![1000, 0],
            fields: Vec::new(),
        }
    }

    #[test]
    fn userdb_counts_before_settings() {
        let identity = identify(&user(Some(1000)), &settings()).unwrap();
        assert_eq!((identity.uid, identity.gid), (1000, 8));
        assert_eq!(identity.home.as_deref(), Some("/var/vmail/example.org/joe"));
        assert_eq!(identity.groups, [8, 1000]);
    }

    #[test]
    fn root_and_system_users_are_refused() {
        for uid in [0, 499] {
            let refused = identify(&user(Some(uid)), &settings());
            assert_eq!(
                refused,
                Err(Refused::OutOfRange {
                    what: "uid",
                    id: uid
                })
            );
        }
        assert_eq!(
            identify(&user(None), &settings()),
            Err(Refused::Missing("uid"))
        );
        let mut anybody = settings();
        anybody.first_valid_uid = 0;
        assert!(identify(&user(Some(0)), &anybody).is_err());
    }

    #[test]
    fn a_chroot_stays_where_it_is_allowed() {
        let mut joe = user(Some(1000));
        joe.home = Some("/home/./joe".to_owned());
        let identity = identify(&joe, &settings()).unwrap();
        assert_eq!(
            (identity.chroot.as_deref(), identity.home.as_deref()),
            (Some("/home"), Some("/joe"))
        );
        joe.home = Some("/etc/./joe".to_owned());
        assert_eq!(
            identify(&joe, &settings()),
            Err(Refused::Chroot("/etc".to_owned()))
        );
        joe.home = Some("/home/../etc/./joe".to_owned());
        assert!(identify(&joe, &settings()).is_err());
    }
}
