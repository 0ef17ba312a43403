//! Paths: `<user@domain>` as MAIL and RCPT carry them. RFC 5321 §4.1.2.

use std::fmt;

use crate::address::Address;
use crate::scan::Scan;

/// Deviations from the grammar that an administrator may allow (`lmtp_client_workarounds`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leniency {
    /// `whitespace-before-path`: `MAIL FROM: <x@y>`.
    pub whitespace_before_path: bool,
    /// `mailbox-for-path`: `MAIL FROM:x@y`.
    pub mailbox_for_path: bool,
}

/// Sender of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReversePath {
    /// `<>`: nobody wants an answer. Bounces have it.
    Null,
    /// An address that can be answered.
    Address(Address),
    /// Printable text in brackets that is no address. Refusing it would bounce mail that earlier hops took, so it is
    /// accepted and treated like `<>`, as Dovecot does.
    Broken,
}

/// The address, or nothing: what belongs between the brackets of Return-Path.
impl fmt::Display for ReversePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(out),
            Self::Null | Self::Broken => Ok(()),
        }
    }
}

/// Why text is no path. The sender's fault in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No `<`.
    #[error("Missing '<' at beginning of path")]
    MissingOpen,
    /// No `>`.
    #[error("Missing '>' at end of path")]
    MissingClose,
    /// Blanks between the colon and the path.
    #[error("Unexpected whitespace before path")]
    Whitespace,
    /// `<>` where somebody must be named.
    #[error("Null path not allowed")]
    Null,
    /// Nothing before `@`.
    #[error("Missing local part")]
    MissingLocalPart,
    /// Before `@` stands what is neither dot-string nor quoted string.
    #[error("Invalid local part")]
    InvalidLocalPart,
    /// A quoted string does not end.
    #[error("Premature end of quoted string")]
    UnfinishedQuote,
    /// More than 512 bytes.
    #[error("Local part is too long")]
    LocalPartTooLong,
    /// Nothing after `@`.
    #[error("Missing domain after '@'")]
    MissingDomain,
    /// After `@` stands what is neither domain nor address literal.
    #[error("Invalid domain")]
    InvalidDomain,
    /// More than 255 bytes.
    #[error("Domain is too long")]
    DomainTooLong,
    /// A source route (RFC 5321 appendix F.2) that is none.
    #[error("Missing ':' at end of source route")]
    InvalidRoute,
    /// Something directly after the path.
    #[error("Invalid character in path")]
    InvalidCharacter,
}

/// `Reverse-path`; leaves `scan` at the parameters.
pub(crate) fn reverse(scan: &mut Scan<'_>, leniency: Leniency) -> Result<ReversePath, PathError> {
    before_path(scan, leniency)?;
    let mut strict = *scan;
    let path = match null_or_address(&mut strict, leniency) {
        Ok(path) => path,
        // Where a quoted string does not end, neither does the path.
        Err(PathError::UnfinishedQuote) => return Err(PathError::UnfinishedQuote),
        Err(error) => {
            strict = *scan;
            broken(&mut strict).ok_or(error)?
        }
    };
    *scan = strict;
    Ok(path)
}

/// `Forward-path`; leaves `scan` at the parameters.
pub(crate) fn forward(scan: &mut Scan<'_>, leniency: Leniency) -> Result<Address, PathError> {
    before_path(scan, leniency)?;
    match null_or_address(scan, leniency)? {
        ReversePath::Address(address) => Ok(address),
        ReversePath::Null | ReversePath::Broken => Err(PathError::Null),
    }
}

fn before_path(scan: &mut Scan<'_>, leniency: Leniency) -> Result<(), PathError> {
    let blanks = scan.while_in(|character| matches!(character, ' ' | '\t'));
    if blanks.is_empty() || leniency.whitespace_before_path {
        Ok(())
    } else {
        Err(PathError::Whitespace)
    }
}

fn null_or_address(scan: &mut Scan<'_>, leniency: Leniency) -> Result<ReversePath, PathError> {
    if scan.take('<').is_none() {
        if !leniency.mailbox_for_path || scan.is_at_end() {
            return Err(PathError::MissingOpen);
        }
        let address = Address::scan(scan)?;
        after_path(scan)?;
        return Ok(ReversePath::Address(address));
    }
    if scan.take('>').is_some() {
        after_path(scan)?;
        return Ok(ReversePath::Null);
    }
    source_route(scan)?;
    let address = Address::scan(scan)?;
    scan.take('>').ok_or(PathError::MissingClose)?;
    after_path(scan)?;
    Ok(ReversePath::Address(address))
}

/// `@a,@b:` before an address: to be accepted and ignored, RFC 5321 §4.1.2.
fn source_route(scan: &mut Scan<'_>) -> Result<(), PathError> {
    if scan.peek() != Some('@') {
        return Ok(());
    }
    loop {
        scan.take('@').ok_or(PathError::InvalidRoute)?;
        let hop = scan
            .while_in(|character| character.is_ascii_alphanumeric() || "-_.[]".contains(character));
        if hop.is_empty() {
            return Err(PathError::InvalidRoute);
        }
        match scan.next() {
            Some(',') => {}
            Some(':') => return Ok(()),
            _ => return Err(PathError::InvalidRoute),
        }
    }
}

fn broken(scan: &mut Scan<'_>) -> Option<ReversePath> {
    scan.take('<')?;
    scan.while_in(|character| !matches!(character, '<' | '>'));
    scan.take('>')?;
    after_path(scan).ok()?;
    Some(ReversePath::Broken)
}

fn after_path(scan: &mut Scan<'_>) -> Result<(), PathError> {
    if scan.is_at_end() || scan.take(' ').is_some() {
        Ok(())
    } else {
        Err(PathError::InvalidCharacter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Leniency = Leniency {
        whitespace_before_path: false,
        mailbox_for_path: false,
    };
    const LENIENT: Leniency = Leniency {
        whitespace_before_path: true,
        mailbox_for_path: true,
    };

    fn to(text: &str, leniency: Leniency) -> Result<String, PathError> {
        forward(&mut Scan::new(text), leniency).map(|address| address.to_string())
    }

    #[test]
    fn recipients() {
        assert_eq!(to("<a@b>", STRICT), Ok("a@b".into()));
        assert_eq!(to("<a> X=y", STRICT), Ok("a".into()));
        assert_eq!(to("<@x,@y.example:a@b>", STRICT), Ok("a@b".into()));
        assert_eq!(to("<\"a>b\"@c>", STRICT), Ok("\"a>b\"@c".into()));
        assert_eq!(to("<>", STRICT), Err(PathError::Null));
        assert_eq!(to(" <a@b>", STRICT), Err(PathError::Whitespace));
        assert_eq!(to("a@b", STRICT), Err(PathError::MissingOpen));
        assert_eq!(to("<a@b", STRICT), Err(PathError::MissingClose));
        assert_eq!(to("<a@b>x", STRICT), Err(PathError::InvalidCharacter));
        assert_eq!(to("<@x:>", STRICT), Err(PathError::MissingLocalPart));
        assert_eq!(to("<@:a@b>", STRICT), Err(PathError::InvalidRoute));
        assert_eq!(to("<@x,:a@b>", STRICT), Err(PathError::InvalidRoute));
        assert_eq!(to("<../bob>", STRICT), Ok("\"../bob\"".into()));
        assert_eq!(to("", STRICT), Err(PathError::MissingOpen));
    }

    #[test]
    fn workarounds() {
        assert_eq!(to(" \t<a@b>", LENIENT), Ok("a@b".into()));
        assert_eq!(to("a@b SIZE=1", LENIENT), Ok("a@b".into()));
        assert_eq!(to("", LENIENT), Err(PathError::MissingOpen));
    }

    #[test]
    fn senders() {
        let from = |text| reverse(&mut Scan::new(text), STRICT);
        assert_eq!(from("<>"), Ok(ReversePath::Null));
        assert_eq!(from("<a@b@c> SIZE=1"), Ok(ReversePath::Broken));
        assert_eq!(from("<ä b@c>"), Ok(ReversePath::Broken));
        assert!(matches!(from("<a@b>"), Ok(ReversePath::Address(_))));
        assert!(matches!(from("<root>"), Ok(ReversePath::Address(_))));
        assert_eq!(from("<a@b\\"), Err(PathError::MissingClose));
        assert_eq!(from("<a@b>>"), Err(PathError::InvalidCharacter));
        assert_eq!(from("<\"a@b>"), Err(PathError::UnfinishedQuote));
        assert_eq!(from("<a<b>"), Err(PathError::MissingClose));
        assert_eq!(from("a@b"), Err(PathError::MissingOpen));
    }
}
