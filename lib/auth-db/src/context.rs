//! What templates of passdbs and userdbs may insert: `/var/mail/%d/%n`, `%{passdb:field}`.
//!
//! An unknown variable is an error when the configuration is read.

use std::net::SocketAddr;

use config::expand::{self, Error, Template};

use crate::client::Client;
use crate::fields::Fields;
use crate::names::Names;
use crate::password::{Hash, to_hex};

/// Everything that a template may insert.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub client: &'a Client,
    pub names: &'a Names,
    pub passdb: &'a Fields,
    pub userdb: &'a Fields,
}

/// Names of variables, beside those of fields and the engine's own.
const VARIABLES: [&str; 22] = [
    "user",
    "username",
    "domain",
    "service",
    "lip",
    "rip",
    "lport",
    "rport",
    "real_lip",
    "real_rip",
    "real_lport",
    "real_rport",
    "home",
    "m",
    "mech",
    "secured",
    "pid",
    "session",
    "auth_user",
    "login_user",
    "orig_user",
    "master_user",
];

/// Reads a template.
///
/// # Errors
/// Says which variable is unknown or malformed.
pub(crate) fn template(text: &str) -> Result<Template, Error> {
    let template = Template::parse(text)?;
    let known = |name: &str| {
        let name = hashed(name).map_or(name, |(_, name)| name);
        let field = name
            .split_once(':')
            .is_some_and(|(prefix, _)| matches!(prefix, "passdb" | "userdb" | "env"));
        field || name == "hostname" || VARIABLES.contains(&name)
    };
    match template.names().into_iter().find(|name| !known(name)) {
        Some(unknown) => Err(Error::Unknown(unknown.to_owned())),
        None => Ok(template),
    }
}

impl Context<'_> {
    /// Inserts the values; what has none here inserts nothing.
    pub(crate) fn expand(&self, template: &Template) -> String {
        // Names were checked when it was read; what is too long names nobody and nothing.
        template
            .expand(&|name| self.lookup(name))
            .unwrap_or_default()
    }

    /// Inserts values into a path, as [`Template::expand_path`].
    pub(crate) fn expand_path(&self, template: &Template) -> Option<String> {
        let path = template.expand_path(&|name| self.lookup(name));
        path.ok().flatten()
    }

    /// `None` for what the engine knows itself.
    fn lookup(&self, name: &str) -> Option<String> {
        if let Some((hash, name)) = hashed(name) {
            let value = self.value(name).unwrap_or_default();
            return Some(to_hex(&hash.digest(&[value.as_bytes()])));
        }
        match name {
            "hostname" | "pid" => None,
            _ if name.starts_with("env:") => None,
            _ => Some(self.value(name).unwrap_or_default()),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        let (client, names) = (self.client, self.names);
        match name {
            "service" => Some(client.service.clone()),
            "lip" | "real_lip" => client.local_ip().map(|ip| ip.to_string()),
            "rip" | "real_rip" => client.remote_ip().map(|ip| ip.to_string()),
            "lport" | "real_lport" => port(client.local),
            "rport" | "real_rport" => port(client.remote),
            "home" => self.userdb.get("home").map(str::to_owned),
            "m" | "mech" => Some(client.mech.clone()),
            "secured" => client.secured.then(|| "secured".to_owned()),
            "session" => client.session.clone(),
            "auth_user" => Some(names.master.as_ref().unwrap_or(&names.user).clone()),
            "login_user" => names.login_user.clone(),
            "orig_user" => Some(names.original.clone()),
            "master_user" => names.master.clone(),
            _ => match name.split_once(':') {
                Some(("passdb", field)) => self.passdb.get(field).map(str::to_owned),
                Some(("userdb", field)) => self.userdb.get(field).map(str::to_owned),
                _ => expand::of_user(&names.user, name),
            },
        }
    }
}

/// `%{sha256:user}`: a hash of a variable.
fn hashed(name: &str) -> Option<(Hash, &str)> {
    let (hash, name) = name.split_once(':')?;
    let hash = match hash {
        "sha1" => Hash::Sha1,
        "sha256" => Hash::Sha256,
        "sha512" => Hash::Sha512,
        _ => return None,
    };
    let long = match name {
        "u" => "user",
        "n" => "username",
        "d" => "domain",
        other => other,
    };
    Some((hash, long))
}

fn port(address: Option<SocketAddr>) -> Option<String> {
    address
        .map(|address| address.port())
        .filter(|port| *port != 0)
        .map(|port| port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told() {
        let error = |text| template(text).unwrap_err();
        assert_eq!(error("%q"), Error::Unknown("q".to_owned()));
        assert_eq!(
            error("%{if;%{nope};eq;a;b;c}"),
            Error::Unknown("nope".to_owned())
        );
        assert_eq!(error("%{user"), Error::Unterminated("user".to_owned()));
        for known in [
            "%u%m%{env:PATH}%{hostname}%p",
            "%{passdb:x}%{sha1:userdb:y}",
            "a%",
        ] {
            assert!(template(known).is_ok(), "{known}");
        }
    }

    /// As `doveadm user` of Dovecot 2.3.19.1 shows them.
    #[test]
    fn hashes_are_dovecots() {
        let names = Names {
            user: "user.name@example.org".to_owned(),
            original: String::new(),
            login_user: None,
            master: None,
        };
        let context = Context {
            client: &Client::default(),
            names: &names,
            passdb: &Fields::default(),
            userdb: &Fields::default(),
        };
        for (text, known) in [
            ("%{sha1:user}", "545345d56ccc971a08d12814120cab4436c26a6f"),
            (
                "%{sha256:username}",
                "c69f268fb43e3b0bd46436177505f548fe105ce296445b5ba5a428f122453429",
            ),
            ("%.4{sha1:u}", "5453"),
        ] {
            assert_eq!(context.expand(&template(text).unwrap()), known, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_client_is_nothing() {
        let names = Names {
            user: "a@b".to_owned(),
            original: "A@b".to_owned(),
            login_user: None,
            master: None,
        };
        let context = Context {
            client: &Client::default(),
            names: &names,
            passdb: &Fields::default(),
            userdb: &Fields::default(),
        };
        let text = template("[%u|%r|%a|%h|%{userdb:x}|%{login_user}|%{auth_user}]").unwrap();
        assert_eq!(context.expand(&text), "[a@b||||||a@b]");
    }
}
