//! APPEND's arguments up to its message. RFC 3501 §6.3.11.

use std::borrow::Cow;

use crate::args::{Args, SyntaxError};
use crate::date::DateTime;
use crate::flag::Flag;

/// Where a message goes and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append<'a> {
    /// As the client wrote it.
    pub mailbox: Cow<'a, [u8]>,
    /// Possibly none.
    pub flags: Vec<Flag>,
    /// INTERNALDATE; now, if not given.
    pub date: Option<DateTime>,
}

const MISSING: SyntaxError = SyntaxError::new("Missing message size.");

impl<'a> Append<'a> {
    /// Takes everything between APPEND and the message's literal, which [`crate::Event::Message`] has announced: its
    /// `{n}` ends the arguments.
    pub fn take(args: &mut Args<'a>) -> Result<Self, SyntaxError> {
        args.space()?;
        let mailbox = args.astring()?;
        args.space().map_err(|_| MISSING)?;
        let mut flags = Vec::new();
        if args.peek() == Some(b'(') {
            flags = args.list(Flag::take)?;
            args.space()?;
        }
        let mut date = None;
        if args.peek() == Some(b'"') {
            date = Some(DateTime::take(args)?);
            args.space()?;
        }
        let line = args.rest().trim_ascii_end();
        match crate::literal::parse(line) {
            Some(_) => Ok(Self {
                mailbox,
                flags,
                date,
            }),
            None => Err(MISSING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::SystemFlag;

    #[test]
    fn with_everything() {
        let mut args =
            Args::new(b" {5}\r\nINBOX (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {310}\r\n");
        let append = Append::take(&mut args).unwrap();
        assert_eq!(append.mailbox.as_ref(), b"INBOX");
        assert_eq!(append.flags, [Flag::System(SystemFlag::Seen)]);
        assert_eq!(append.date.map(|date| date.unix), Some(837_596_665));
    }

    #[test]
    fn with_nothing_but_a_mailbox() {
        let append = Append {
            mailbox: Cow::Borrowed(b"x".as_slice()),
            flags: vec![],
            date: None,
        };
        assert_eq!(Append::take(&mut Args::new(b" x {310+}\r\n")), Ok(append));
    }

    #[test]
    fn wrong_arguments() {
        for wrong in [
            "",
            " ",
            " x",
            " x ",
            " x (",
            " x (\\Seen)",
            " x (\\Recent) {1}\r\n",
            " x \"y\" {1}\r\n",
            " x y {1}\r\n",
        ] {
            assert!(
                Append::take(&mut Args::new(wrong.as_bytes())).is_err(),
                "{wrong}"
            );
        }
    }
}
