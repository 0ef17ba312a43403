//! Addresses of senders and recipients, and names of clients. RFC 5321 §4.1.2, §4.1.3.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::path::PathError;
use crate::scan::Scan;

/// Longest local part in bytes. RFC 5321 §4.5.3.1.1 promises 64; VERP senders use more.
const MAX_LOCAL: usize = 512;
/// Longest domain in bytes. RFC 5321 §4.5.3.1.2.
const MAX_DOMAIN: usize = 255;

/// A mailbox of the mail system: local part and, mostly, a domain.
///
/// Holds only printable ASCII and spaces: neither CR, LF nor NUL can get from here into a header, a log line or a reply.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    local: String,
    domain: Option<String>,
}

impl Address {
    /// The local part without quotes and backslashes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain or address literal as it was written. `None`: the address is a local part only, as LMTP allows it.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Name of the mail user, and the detail behind the first of `delimiters` in the local part (`recipient_delimiter`).
    ///
    /// An address that begins with a delimiter has no detail: nobody's name is empty.
    pub fn user_and_detail(&self, delimiters: &str) -> (String, Option<&str>) {
        let (local, detail) = match self.local.find(|character| delimiters.contains(character)) {
            None | Some(0) => (self.local.as_str(), None),
            Some(at) => {
                let (head, tail) = self.local.split_at(at);
                let mut characters = tail.chars();
                characters.next();
                (head, Some(characters.as_str()))
            }
        };
        let user = match &self.domain {
            Some(domain) => format!("{local}@{domain}"),
            None => local.to_owned(),
        };
        (user, detail)
    }

    /// `Mailbox`, with the domain optional. Stops at the first character that belongs to neither.
    pub(crate) fn scan(scan: &mut Scan<'_>) -> Result<Self, PathError> {
        let local = match scan.peek() {
            Some('"') => quoted_string(scan)?,
            _ => dot_string(scan)?,
        };
        if local.len() > MAX_LOCAL {
            return Err(PathError::LocalPartTooLong);
        }
        let domain = match scan.take('@') {
            Some(()) => Some(domain(scan)?),
            None => None,
        };
        Ok(Self { local, domain })
    }
}

/// As it is written in a path, quoted where needed.
impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            out.write_str(&self.local)?;
        } else {
            out.write_str("\"")?;
            for character in self.local.chars() {
                if matches!(character, '"' | '\\') {
                    out.write_str("\\")?;
                }
                write!(out, "{character}")?;
            }
            out.write_str("\"")?;
        }
        match &self.domain {
            Some(domain) => write!(out, "@{domain}"),
            None => Ok(()),
        }
    }
}

/// How a client named itself in LHLO. Only for the Received header and the log; nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName(Option<String>);

impl ClientName {
    pub(crate) fn parse(text: &str) -> Self {
        let mut scan = Scan::new(text);
        let name = domain(&mut scan).ok().filter(|_| scan.is_at_end());
        Self(name)
    }

    /// The name, if it is a domain or address literal at all.
    pub fn valid(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Atoms and dots in any order: addresses with a dot too many exist, and senders cannot help it. They are written back
/// quoted.
fn dot_string(scan: &mut Scan<'_>) -> Result<String, PathError> {
    let local = scan.while_in(|character| is_atext(character) || character == '.');
    if local.is_empty() {
        Err(PathError::MissingLocalPart)
    } else {
        Ok(local.to_owned())
    }
}

fn quoted_string(scan: &mut Scan<'_>) -> Result<String, PathError> {
    scan.take('"').ok_or(PathError::InvalidLocalPart)?;
    let mut local = String::new();
    loop {
        let character = match scan.next() {
            Some('"') => return Ok(local),
            Some('\\') => scan.next(),
            other => other,
        };
        match character {
            Some(character @ ' '..='~') => local.push(character),
            Some(_) => return Err(PathError::InvalidLocalPart),
            None => return Err(PathError::UnfinishedQuote),
        }
    }
}

fn domain(scan: &mut Scan<'_>) -> Result<String, PathError> {
    let domain = match scan.peek() {
        Some('[') => address_literal(scan)?,
        // The underscore is no letter of a domain name, and common in names of hosts.
        _ => scan
            .while_in(|character| {
                character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
            })
            .to_owned(),
    };
    if domain.is_empty() {
        return Err(PathError::MissingDomain);
    }
    if domain.len() > MAX_DOMAIN {
        return Err(PathError::DomainTooLong);
    }
    if domain.starts_with('[') || domain.split('.').all(is_label) {
        Ok(domain)
    } else {
        Err(PathError::InvalidDomain)
    }
}

/// `[127.0.0.1]`, `[IPv6:::1]`, `[tag:text]`.
fn address_literal(scan: &mut Scan<'_>) -> Result<String, PathError> {
    scan.take('[').ok_or(PathError::InvalidDomain)?;
    let content = scan.while_in(|character| matches!(character, '!'..='Z' | '^'..='~'));
    scan.take(']').ok_or(PathError::InvalidDomain)?;
    let valid = match content.split_once(':') {
        None => content.parse::<Ipv4Addr>().is_ok(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => {
            address.parse::<Ipv6Addr>().is_ok()
        }
        Some((tag, text)) => is_label(tag) && !text.is_empty(),
    };
    if valid {
        Ok(format!("[{content}]"))
    } else {
        Err(PathError::InvalidDomain)
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn is_dot_string(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 §3.2.3.
fn is_atext(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, PathError> {
        let mut scan = Scan::new(text);
        let address = Address::scan(&mut scan)?;
        if scan.is_at_end() {
            Ok(address)
        } else {
            Err(PathError::InvalidCharacter)
        }
    }

    #[test]
    fn writes_back_what_it_reads() {
        for text in [
            "a",
            "a.b@c.example",
            "\"a b\"@c",
            "\"\"@c",
            "a+b@[127.0.0.1]",
            "a@[IPv6:::1]",
            "a@x_y",
            "\"a\\\"\\\\\"@c",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse("\"ab\"@c").unwrap().to_string(), "ab@c");
        for (text, written) in [
            ("a..b@c", "\"a..b\"@c"),
            (".a", "\".a\""),
            ("../b", "\"../b\""),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), written);
            assert_eq!(parse(written).unwrap(), parse(text).unwrap());
        }
        assert_eq!(parse("\"a\\b\"@c").unwrap().local(), "ab");
    }

    #[test]
    fn refuses_what_is_no_address() {
        let bad = [
            "",
            "@",
            "@b",
            "a@",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@-b",
            "a@[",
            "a@[1.2.3]",
            "a@[IPv6:x]",
            "a@[:x]",
            "a b@c",
            "a@b@c",
            "\"a@b",
            "\"a\\",
            "\"a\"b@c",
            "ä@b",
            "\"ä\"@b",
            "a@ä",
            "a@b\\",
        ];
        for text in bad {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse(&"a".repeat(513)), Err(PathError::LocalPartTooLong));
        assert_eq!(
            parse(&format!("a@{}", "b".repeat(256))),
            Err(PathError::DomainTooLong)
        );
    }

    #[test]
    fn finds_the_detail() {
        let split = |text: &str, delimiters: &str| {
            let address = parse(text).unwrap();
            let (user, detail) = address.user_and_detail(delimiters);
            (user, detail.map(str::to_owned))
        };
        assert_eq!(
            split("alice+work@x", "+"),
            ("alice@x".into(), Some("work".into()))
        );
        assert_eq!(
            split("alice-a+b@x", "+-"),
            ("alice@x".into(), Some("a+b".into()))
        );
        assert_eq!(
            split("alice+@x", "+"),
            ("alice@x".into(), Some(String::new()))
        );
        assert_eq!(split("+alice@x", "+"), ("+alice@x".into(), None));
        assert_eq!(split("alice+b", ""), ("alice+b".into(), None));
        assert_eq!(split("alice", "+"), ("alice".into(), None));
    }
}
