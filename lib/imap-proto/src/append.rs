//! APPEND's arguments up to its message, or messages. RFC 3501 §6.3.11, RFC 3502.

use std::borrow::Cow;

use crate::args::{Args, SyntaxError};
use crate::date::DateTime;
use crate::flag::Flag;
use crate::literal::Sync;

/// Where messages go, and what comes with the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append<'a> {
    /// As the client wrote it.
    pub mailbox: Cow<'a, [u8]>,
    /// The first one.
    pub message: Message,
}

/// What comes with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Possibly none.
    pub flags: Vec<Flag>,
    /// INTERNALDATE; now, if not given.
    pub date: Option<DateTime>,
    /// Its literal: bytes, and whether they come unasked.
    pub literal: (u64, Sync),
}

const MISSING: SyntaxError = SyntaxError::new("Missing message size.");

impl<'a> Append<'a> {
    /// Takes everything between APPEND and the message's literal, which [`crate::Event::Message`] has announced: its
    /// `{n}` ends the arguments.
    pub fn take(args: &mut Args<'a>) -> Result<Self, SyntaxError> {
        args.space()?;
        let mailbox = args.astring()?;
        let message = Message::take(args)?;
        Ok(Self { mailbox, message })
    }
}

impl Message {
    /// Takes what stands between two messages of one APPEND: the line behind the first one's bytes. `None`: it
    /// was the last one. RFC 3502.
    pub fn next(line: &[u8]) -> Result<Option<Self>, SyntaxError> {
        match line {
            [] => Ok(None),
            line => Self::take(&mut Args::new(line)).map(Some),
        }
    }

    /// The literal that ends such a line, whatever stands before it.
    #[must_use]
    pub fn literal_of(line: &[u8]) -> Option<(u64, Sync)> {
        let open = line.iter().rposition(|byte| *byte == b'{')?;
        crate::literal::parse(line.get(open..)?)
    }

    fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
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
        Ok(Self {
            flags,
            date,
            literal: crate::literal::parse(line).ok_or(MISSING)?,
        })
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
        let message = append.message;
        assert_eq!(message.flags, [Flag::System(SystemFlag::Seen)]);
        assert_eq!(message.date.map(|date| date.unix), Some(837_596_665));
        assert_eq!(message.literal, (310, Sync::Waits));
    }

    #[test]
    fn with_nothing_but_a_mailbox() {
        let append = Append {
            mailbox: Cow::Borrowed(b"x".as_slice()),
            message: Message {
                flags: vec![],
                date: None,
                literal: (310, Sync::Sends),
            },
        };
        assert_eq!(Append::take(&mut Args::new(b" x {310+}\r\n")), Ok(append));
    }

    #[test]
    fn one_behind_the_other() {
        assert_eq!(Message::next(b""), Ok(None));
        let second = Message::next(b" (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {310+}").unwrap();
        assert_eq!(
            second.map(|second| second.literal),
            Some((310, Sync::Sends))
        );
        for wrong in [" ", "{3}", " (\\Seen)", " INBOX {3}", " (\\Seen {3+}"] {
            assert!(Message::next(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(
            Message::literal_of(b" (\\Seen {3+}"),
            Some((3, Sync::Sends))
        );
        assert_eq!(Message::literal_of(b" {3} "), None);
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
