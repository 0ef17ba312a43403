//! The settings that doveadm needs beside what auth tells.

use std::path::{Path, PathBuf};

use config::{Facts, GroupId, Snapshot, UserId};
use serde::Deserialize;

use crate::cli::Arguments;
use crate::failure::Failure;

/// What counts where userdb says nothing.
#[derive(Debug, Default, Deserialize)]
pub struct Settings {
    /// `mail_uid`
    pub mail_uid: Option<UserId>,
    /// `mail_gid`
    pub mail_gid: Option<GroupId>,
    /// `mail_home`
    pub mail_home: String,
    /// `mail_location`
    pub mail_location: String,
}

/// From the compiled configuration; from the file where `-c` or `-o` says so.
pub fn load(arguments: &Arguments) -> Result<Settings, Failure> {
    Ok(snapshot(arguments)?.settings(&facts())?)
}

/// Everything that doveadm may know of the configuration. The compiled one is root's; others, who may read
/// the file, get it from there.
pub fn snapshot(arguments: &Arguments) -> Result<Snapshot, Failure> {
    match (&arguments.config, arguments.overrides.as_slice()) {
        (None, []) if sys::privileges::effective_uid() == 0 => Ok(Snapshot::load("doveadm")?),
        (file, overrides) => parsed(file.as_deref(), overrides),
    }
}

/// Which blocks of the configuration count.
pub fn facts() -> Facts<'static> {
    Facts::of_protocol("doveadm")
}

fn parsed(file: Option<&Path>, overrides: &[String]) -> Result<Snapshot, Failure> {
    let ours = PathBuf::from("/etc/culver/culver.conf");
    let path = file.map_or(ours, Path::to_owned);
    let mut text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::Temporary(format!("open({}) failed: {error}", path.display())))?;
    for setting in overrides {
        text.push('\n');
        text.push_str(setting);
    }
    Ok(config::parse_text(&path, &text).snapshot("doveadm", &Numbers)?)
}

/// Users and groups of this host.
struct Numbers;

impl config::Names for Numbers {
    fn user(&self, name: &str) -> Option<u32> {
        sys::users::by_name(name)
            .ok()
            .flatten()
            .map(|user| user.uid)
    }

    fn group(&self, name: &str) -> Option<u32> {
        sys::users::group_id(name).ok().flatten()
    }

    fn host(&self, _name: &str) -> Vec<std::net::IpAddr> {
        // doveadm has no connection that a filter could ask about.
        vec![std::net::Ipv4Addr::UNSPECIFIED.into()]
    }
}
