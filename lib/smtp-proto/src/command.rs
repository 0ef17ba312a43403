//! Commands of LMTP. RFC 2033, RFC 5321 §4.1.1.

use crate::address::{Address, ClientName};
use crate::params::{MailParams, ParamError, RcptParams};
use crate::path::{self, Leniency, PathError, ReversePath};
use crate::reply::{Enhanced, Reply};
use crate::scan::Scan;

/// Longest verb in bytes; a longer one is no command of anybody.
const MAX_VERB: usize = 32;

/// One command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The greeting of LMTP, RFC 2033 §4.1. EHLO and HELO are unknown here, as the RFC demands.
    Lhlo(ClientName),
    /// Begins a transaction.
    Mail {
        /// Whom to tell about failures.
        from: ReversePath,
        /// SIZE and BODY.
        params: MailParams,
    },
    /// Adds a recipient.
    Rcpt {
        /// The recipient.
        to: Address,
        /// ORCPT.
        params: RcptParams,
    },
    /// The message follows the reply.
    Data,
    /// Ends the transaction without a message.
    Rset,
    /// Does nothing.
    Noop,
    /// Ends the session.
    Quit,
    /// Asks whether somebody exists.
    Vrfy,
    /// Asks for advice.
    Help,
    /// TLS, which is not offered.
    StartTls,
    /// Message text in chunks, which is not offered: what follows the line is not a command.
    Bdat,
    /// A verb that we do not know.
    Unknown,
}

/// Why a line is not a command that can be executed. [`SyntaxError::reply`] tells the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// Not UTF-8, a control character, or no verb.
    #[error("Invalid command syntax")]
    Line,
    /// The verb needs arguments, or others.
    #[error("Invalid parameters")]
    Arguments,
    /// LHLO without a name.
    #[error("Missing hostname")]
    MissingHostname,
    /// MAIL with a path that is none.
    #[error("Invalid FROM: {0}")]
    From(PathError),
    /// RCPT with a path that is none.
    #[error("Invalid TO: {0}")]
    To(PathError),
    /// MAIL or RCPT with parameters that we cannot take.
    #[error("{0}")]
    Params(#[from] ParamError),
}

impl SyntaxError {
    /// The reply, in Dovecot's words and codes.
    pub fn reply(&self) -> Reply {
        let (code, enhanced) = match self {
            Self::MissingHostname => return Reply::plain(501, [self.to_string().as_str()]),
            Self::Line => (500, Enhanced(5, 5, 2)),
            Self::Params(ParamError::Unsupported | ParamError::UnsupportedBody) => {
                (555, Enhanced(5, 5, 4))
            }
            _ => (501, Enhanced(5, 5, 4)),
        };
        Reply::new(code, enhanced, &self.to_string())
    }
}

impl Command {
    /// Reads one line, given without its end.
    pub fn parse(line: &[u8], leniency: Leniency) -> Result<Self, SyntaxError> {
        let text = std::str::from_utf8(line).map_err(|_| SyntaxError::Line)?;
        if text
            .chars()
            .any(|character| character.is_control() && character != '\t')
        {
            return Err(SyntaxError::Line);
        }
        let mut scan = Scan::new(text.trim_end_matches([' ', '\t']));
        let verb = scan.while_in(|character| character.is_ascii_alphabetic());
        if verb.len() > MAX_VERB || !(scan.is_at_end() || scan.take(' ').is_some()) {
            return Err(SyntaxError::Line);
        }
        Self::with_arguments(&verb.to_ascii_uppercase(), scan, leniency)
    }

    fn with_arguments(
        verb: &str,
        mut scan: Scan<'_>,
        leniency: Leniency,
    ) -> Result<Self, SyntaxError> {
        match verb {
            "LHLO" if scan.is_at_end() => Err(SyntaxError::MissingHostname),
            "LHLO" => Ok(Self::Lhlo(ClientName::parse(scan.rest()))),
            "MAIL" => mail(&mut scan, leniency),
            "RCPT" => rcpt(&mut scan, leniency),
            "DATA" => without_arguments(Self::Data, scan),
            "RSET" => without_arguments(Self::Rset, scan),
            "QUIT" => without_arguments(Self::Quit, scan),
            "STARTTLS" => without_arguments(Self::StartTls, scan),
            "NOOP" => Ok(Self::Noop),
            "HELP" => Ok(Self::Help),
            "VRFY" if scan.is_at_end() => Err(SyntaxError::Arguments),
            "VRFY" => Ok(Self::Vrfy),
            "BDAT" => Ok(Self::Bdat),
            _ => Ok(Self::Unknown),
        }
    }
}

fn without_arguments(command: Command, scan: Scan<'_>) -> Result<Command, SyntaxError> {
    if scan.is_at_end() {
        Ok(command)
    } else {
        Err(SyntaxError::Arguments)
    }
}

fn mail(scan: &mut Scan<'_>, leniency: Leniency) -> Result<Command, SyntaxError> {
    scan.keyword("FROM:").ok_or(SyntaxError::Arguments)?;
    let from = path::reverse(scan, leniency).map_err(SyntaxError::From)?;
    Ok(Command::Mail {
        from,
        params: MailParams::parse(scan.rest())?,
    })
}

fn rcpt(scan: &mut Scan<'_>, leniency: Leniency) -> Result<Command, SyntaxError> {
    scan.keyword("TO:").ok_or(SyntaxError::Arguments)?;
    let to = path::forward(scan, leniency).map_err(SyntaxError::To)?;
    Ok(Command::Rcpt {
        to,
        params: RcptParams::parse(scan.rest())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Result<Command, SyntaxError> {
        Command::parse(line, Leniency::default())
    }

    #[test]
    fn every_command() {
        assert!(
            matches!(parse(b"lhlo mx.example"), Ok(Command::Lhlo(name)) if name.valid() == Some("mx.example"))
        );
        assert!(
            matches!(parse(b"LHLO [127.0.0.1]"), Ok(Command::Lhlo(name)) if name.valid().is_some())
        );
        assert!(
            matches!(parse("LHLO ü x".as_bytes()), Ok(Command::Lhlo(name)) if name.valid().is_none())
        );
        assert!(matches!(
            parse(b"MAIL FROM:<> SIZE=5"),
            Ok(Command::Mail {
                from: ReversePath::Null,
                ..
            })
        ));
        assert!(matches!(
            parse(b"rcpt to:<a@b>  "),
            Ok(Command::Rcpt { .. })
        ));
        for (line, command) in [
            ("DATA", Command::Data),
            ("rset", Command::Rset),
            ("NOOP foo bar", Command::Noop),
            ("QUIT ", Command::Quit),
            ("VRFY x", Command::Vrfy),
            ("HELP", Command::Help),
            ("STARTTLS", Command::StartTls),
            ("BDAT -1", Command::Bdat),
            ("EHLO x", Command::Unknown),
            ("", Command::Unknown),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn errors_have_the_codes_of_dovecot() {
        let reply = |line: &[u8]| parse(line).unwrap_err().reply().to_string();
        assert_eq!(reply(b"LHLO"), "501 Missing hostname\r\n");
        assert_eq!(reply(b"DATA x"), "501 5.5.4 Invalid parameters\r\n");
        assert_eq!(reply(b"MAIL <a@b>"), "501 5.5.4 Invalid parameters\r\n");
        assert_eq!(
            reply(b"MAIL FROM: <a@b>"),
            "501 5.5.4 Invalid FROM: Unexpected whitespace before path\r\n"
        );
        assert_eq!(
            reply(b"RCPT TO:<a b>"),
            "501 5.5.4 Invalid TO: Missing '>' at end of path\r\n"
        );
        assert_eq!(
            reply(b"MAIL FROM:<a@b> X=y"),
            "555 5.5.4 Unsupported parameters\r\n"
        );
        assert_eq!(
            reply(b"MAIL FROM:<a@b> BODY=BINARYMIME"),
            "555 5.5.4 Unsupported mail BODY type\r\n"
        );
        assert_eq!(reply(b"X-Evil: 1>"), "500 5.5.2 Invalid command syntax\r\n");
        assert_eq!(
            reply(b"NOOP \xff\xff"),
            "500 5.5.2 Invalid command syntax\r\n"
        );
        assert_eq!(
            reply(b"MAIL FROM:<a\0@b>"),
            "500 5.5.2 Invalid command syntax\r\n"
        );
        assert_eq!(
            reply(b"MAIL FROM:<\"a\rb\"@c>"),
            "500 5.5.2 Invalid command syntax\r\n"
        );
        assert_eq!(reply(&[b'A'; 33]), "500 5.5.2 Invalid command syntax\r\n");
    }

    #[test]
    fn every_truncation_is_an_answer() {
        let lines = [
            "LHLO [IPv6:::1]",
            "MAIL FROM:<@r:\"a\\\"b\"@c.d> SIZE=10 BODY=8BITMIME",
            "RCPT TO:<a+b@[127.0.0.1]> ORCPT=rfc822;a+2Bb@c",
        ];
        for line in lines {
            assert!(parse(line.as_bytes()).is_ok(), "{line}");
            for length in 0..line.len() {
                let _ = parse(&line.as_bytes()[..length]);
            }
        }
    }

    #[test]
    fn no_bytes_get_through_to_headers_that_end_a_line() {
        bolero::check!()
            .with_type::<(u8, Vec<u8>)>()
            .for_each(|(which, bytes)| {
                let verbs: [&[u8]; 4] = [b"MAIL FROM:<", b"RCPT TO:<", b"LHLO ", b""];
                let line = [verbs[usize::from(which % 4)], bytes].concat();
                for leniency in [
                    Leniency::default(),
                    Leniency {
                        whitespace_before_path: true,
                        mailbox_for_path: true,
                    },
                ] {
                    let text = match Command::parse(&line, leniency) {
                        Ok(Command::Mail { from, .. }) => from.to_string(),
                        Ok(Command::Rcpt { to, .. }) => to.to_string(),
                        Ok(Command::Lhlo(name)) => name.valid().unwrap_or_default().to_owned(),
                        Ok(_) => String::new(),
                        Err(error) => error
                            .reply()
                            .to_string()
                            .trim_end_matches("\r\n")
                            .to_owned(),
                    };
                    assert!(
                        text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                        "{text:?}"
                    );
                }
            });
    }
}
