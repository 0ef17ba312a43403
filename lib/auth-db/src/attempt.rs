//! One attempt to prove who one is: names, fields and what the databases have said so far.

use config::expand;

use crate::client::Client;
use crate::context::Context;
use crate::fields::Fields;
use crate::names::{Names, check};
use crate::outside::{Level, Note, Outside};

/// What the attempt is about at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A user's own password.
    Own,
    /// A master user's password.
    Master,
    /// The user as whom a master user logs in: must be known, but no password is asked.
    LoginUser,
    /// No password at all: does some passdb know the user?
    Existence,
}

/// The state of an attempt.
pub(crate) struct Attempt<'a> {
    pub client: &'a Client,
    pub password: &'a [u8],
    pub names: Names,
    pub phase: Phase,
    /// What passdbs returned.
    pub fields: Fields,
    /// What passdbs returned for userdb, without `userdb_`.
    pub userdb: Fields,
    /// A passdb said `nodelay`, even one that failed.
    pub nodelay: bool,
}

/// What one passdb's fields mean for its own answer.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// `nopassword`: any password will do.
    pub nopassword: bool,
    /// `noauthenticate`: this passdb only sets fields.
    pub noauthenticate: bool,
    /// `fail`, or a client from outside of `allow_nets`.
    pub failed: bool,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(client: &'a Client, names: Names, password: &'a [u8], phase: Phase) -> Self {
        Self {
            client,
            password,
            names,
            phase,
            fields: Fields::default(),
            userdb: Fields::default(),
            nodelay: false,
        }
    }

    /// For templates.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            client: self.client,
            names: &self.names,
            passdb: &self.fields,
            userdb: &self.userdb,
        }
    }

    /// A line for the log about this attempt.
    pub(crate) fn note(
        &self,
        outside: &impl Outside,
        level: Level,
        source: &'static str,
        text: String,
    ) {
        let master = self.phase == Phase::Master;
        outside.note(Note {
            level,
            source,
            user: self.names.user.clone(),
            master,
            text,
        });
    }

    /// Sets a field that a passdb returned. `Err`: the field is wrong; why, for the log.
    pub(crate) fn set_field(
        &mut self,
        name: &str,
        value: &str,
        effects: &mut Effects,
    ) -> Result<(), String> {
        match name {
            "user" | "username" | "domain" => self.rename(name, value)?,
            "nopassword" => effects.nopassword = true,
            "noauthenticate" => effects.noauthenticate = true,
            "fail" => effects.failed = true,
            "nodelay" => self.nodelay = true,
            // Mail for a user comes from anywhere.
            "allow_nets" | "allow_real_nets" if self.phase == Phase::Existence => {}
            "allow_nets" | "allow_real_nets" => self.check_networks(value, effects)?,
            // The record's password has been taken; no client and no log must see one.
            "password" | "password_noscheme" => {}
            _ => match name.strip_prefix("userdb_") {
                Some(name) => self.userdb.set(name, value),
                None => self.fields.set(name, value),
            },
        }
        Ok(())
    }

    /// A database may correct the name, but no name may come of it that a client could not have.
    fn rename(&mut self, field: &str, value: &str) -> Result<(), String> {
        let user = &self.names.user;
        let username = expand::of_user(user, "username").unwrap_or_default();
        let domain = expand::of_user(user, "domain").unwrap_or_default();
        let renamed = match field {
            "user" => value.to_owned(),
            "username" if domain.is_empty() || value.contains('@') => value.to_owned(),
            "username" => format!("{value}@{domain}"),
            _ if value.is_empty() => username,
            _ => format!("{username}@{value}"),
        };
        check(&renamed).map_err(|error| format!("Invalid {field} field: {error}"))?;
        self.names.user = renamed;
        Ok(())
    }

    /// `allow_nets`: networks, and `local` for callers without an address.
    fn check_networks(&self, networks: &str, effects: &mut Effects) -> Result<(), String> {
        let (local, networks): (Vec<&str>, Vec<&str>) = networks
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .partition(|word| *word == "local");
        let allowed = config::Networks::parse(&networks.join(","));
        let allowed = allowed.map_err(|word| {
            effects.failed = true;
            format!("allow_nets: Invalid network '{word}'")
        })?;
        let inside = match self.client.remote_ip() {
            Some(ip) => allowed.contain(ip),
            None => !local.is_empty(),
        };
        if !inside {
            effects.failed = true;
            let from = self
                .client
                .remote_ip()
                .map_or_else(|| "(none)".to_owned(), |ip| ip.to_string());
            return Err(format!(
                "allow_nets check failed: IP {from} not in allowed networks"
            ));
        }
        Ok(())
    }
}
