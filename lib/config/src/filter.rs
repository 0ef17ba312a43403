//! `protocol`, `local`, `local_name` and `remote` blocks: when their settings count.
//!
//! The more specific filter wins, whatever its place in the file: `local_name` over none, then the
//! longer `local` network, then the longer `remote` network, then `protocol`; among equals the earlier, as with Dovecot.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What is known about a connection. Unknown facts match no filter that asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// `imap`, `lmtp`, … (`protocol imap { … }`); empty when unknown.
    pub protocol: &'a str,
    /// Our address.
    pub local_ip: Option<IpAddr>,
    /// The client's address.
    pub remote_ip: Option<IpAddr>,
    /// The name that the client asked for in TLS (SNI).
    pub local_name: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// Only the protocol is known: what a service is at its start.
    pub fn of_protocol(protocol: &'a str) -> Self {
        Self {
            protocol,
            ..Self::default()
        }
    }
}

/// A network, or a host name that is looked up when the configuration is compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A network or one address.
    Net(IpNet),
    /// A host name.
    Host(String),
}

/// The conditions of a block and of those around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// `local`: as written, and what it means.
    pub local: Option<(String, Address)>,
    /// `local_name`: names between spaces, as written.
    pub local_name: Option<String>,
    /// `remote`.
    pub remote: Option<(String, Address)>,
    /// `protocol`: `imap` or `!imap`.
    pub protocol: Option<String>,
}

impl Filter {
    /// This filter with one more condition; the error says why it may not stand here.
    pub fn narrowed(&self, kind: &str, name: &str) -> Result<Self, String> {
        let mut inner = self.clone();
        match kind {
            "protocol" => self
                .may_hold_protocol()
                .map(|()| inner.protocol = Some(name.to_owned()))?,
            "remote" => inner.remote = Some(self.remote_within(name)?),
            "local_name" => inner.local_name = Some(self.name_within(name)?),
            _ => inner.local = Some(self.local_within(name)?),
        }
        Ok(inner)
    }

    /// The filter as it is evaluated; `host` looks host names up.
    pub fn condition(&self, host: &mut dyn FnMut(&str) -> Vec<IpNet>) -> Condition {
        let mut nets = |address: &Option<(String, Address)>| match address {
            None => Vec::new(),
            Some((_, Address::Net(net))) => vec![*net],
            Some((_, Address::Host(name))) => host(name),
        };
        let (local, remote) = (nets(&self.local), nets(&self.remote));
        let names = self.local_name.as_deref().unwrap_or_default();
        let local_name = names
            .split(' ')
            .filter(|name| !name.is_empty())
            .map(str::to_lowercase)
            .collect();
        Condition {
            local,
            local_name,
            remote,
            protocol: self.protocol.clone().unwrap_or_default(),
        }
    }

    fn may_hold_protocol(&self) -> Result<(), String> {
        match self.protocol {
            Some(_) => Err("Nested protocol { protocol { .. } } block not allowed".to_owned()),
            None => Ok(()),
        }
    }

    fn remote_within(&self, name: &str) -> Result<(String, Address), String> {
        refuse(self.protocol.is_some(), "protocol", "remote")?;
        within("remote", self.remote.as_ref(), name)
    }

    fn name_within(&self, name: &str) -> Result<String, String> {
        refuse(self.remote.is_some(), "remote", "local_name")?;
        refuse(self.protocol.is_some(), "protocol", "local_name")?;
        Ok(name.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn local_within(&self, name: &str) -> Result<(String, Address), String> {
        refuse(self.remote.is_some(), "remote", "local")?;
        refuse(self.local_name.is_some(), "local_name", "local")?;
        refuse(self.protocol.is_some(), "protocol", "local")?;
        within("local", self.local.as_ref(), name)
    }
}

fn refuse(wrong: bool, outer: &str, inner: &str) -> Result<(), String> {
    let text = || {
        format!(
            "{outer} {{ {inner} {{ .. }} }} not allowed (use {inner} {{ {outer} {{ .. }} }} instead)"
        )
    };
    if wrong { Err(text()) } else { Ok(()) }
}

/// Reads a network that must lie within the one around it.
fn within(
    kind: &str,
    outer: Option<&(String, Address)>,
    name: &str,
) -> Result<(String, Address), String> {
    let inner = address(name)?;
    match (outer, &inner) {
        (Some((_, Address::Net(outer))), Address::Net(inner)) if !outer.contains(inner) => Err(
            format!("{kind} net1 {{ {kind} net2 {{ .. }} }} requires net2 to be inside net1"),
        ),
        _ => Ok((name.to_owned(), inner)),
    }
}

fn address(name: &str) -> Result<Address, String> {
    if let Ok(net) = crate::types::network(name) {
        return Ok(Address::Net(net));
    }
    match name.split_once('/') {
        Some((_, mask)) => Err(format!("Invalid network mask: {mask}")),
        None if name.is_empty() => {
            Err("An address, a network or a host name is missing".to_owned())
        }
        None => Ok(Address::Host(name.to_owned())),
    }
}

/// A filter as a service evaluates it: host names are addresses by now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// One of these networks; empty: any address.
    pub local: Vec<IpNet>,
    /// One of these names, perhaps with `*`; lower case; empty: any.
    pub local_name: Vec<String>,
    /// One of these networks; empty: any address.
    pub remote: Vec<IpNet>,
    /// `imap` or `!imap`; empty: any.
    pub protocol: String,
}

impl Condition {
    /// Do the settings of this block count for a connection?
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        let protocol = match self.protocol.strip_prefix('!') {
            Some(other) => facts.protocol != other,
            None => self.protocol.is_empty() || self.protocol == facts.protocol,
        };
        protocol
            && is_within(&self.local, facts.local_ip)
            && is_within(&self.remote, facts.remote_ip)
            && (self.local_name.is_empty()
                || facts.local_name.is_some_and(|name| self.is_named(name)))
    }

    fn is_named(&self, name: &str) -> bool {
        self.local_name
            .iter()
            .any(|pattern| name_matches(pattern, name))
    }

    /// How specific the condition is; the greater wins.
    pub fn rank(&self) -> (u8, u8, u8, bool) {
        let longest = |nets: &[IpNet]| {
            let bits = nets.iter().map(|net| net.prefix_len().saturating_add(1));
            bits.max().unwrap_or(0)
        };
        // A name is more specific than a pattern.
        let name = match self.local_name.as_slice() {
            [] => 0,
            names if names.iter().any(|name| name.starts_with("*.")) => 1,
            _ => 2,
        };
        (
            name,
            longest(&self.local),
            longest(&self.remote),
            !self.protocol.is_empty(),
        )
    }
}

fn is_within(nets: &[IpNet], address: Option<IpAddr>) -> bool {
    let contains = |address: IpAddr| nets.iter().any(|net| net.contains(&address.to_canonical()));
    nets.is_empty() || address.is_some_and(contains)
}

/// `*.example.org` matches one label in the place of the star, as in a certificate (RFC 6125 §6.4.3).
fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => name
            .split_once('.')
            .is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}
