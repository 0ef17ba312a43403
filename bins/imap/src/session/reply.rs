//! The tagged end of a command.

use std::borrow::Cow;

use imap_proto::{SyntaxError, write};

use super::EndReason;

/// `OK`, `NO` or `BAD` with code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub(super) status: Status,
    /// Without brackets; empty: none.
    code: Cow<'static, str>,
    text: Cow<'static, str>,
}

/// The three results. RFC 3501 §7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// Not done.
    No,
    /// Not understood.
    Bad,
}

/// Why a command did not come to its OK.
#[derive(Debug)]
pub enum Failure {
    /// It ends with NO or BAD.
    Reply(Reply),
    /// It ends with BAD: its arguments are wrong.
    Syntax(SyntaxError),
    /// It ends with NO; the administrator may want to know why.
    Mailbox(mailbox::Error),
    /// It does not end: the session does.
    End(EndReason),
}

impl Reply {
    /// `OK text`
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::Ok, "", text)
    }

    /// `NO text`
    pub fn no(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::No, "", text)
    }

    /// `BAD text`: the text stands for itself.
    pub fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::Bad, "", text)
    }

    /// With a response code.
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = code.into();
        self
    }

    fn new(status: Status, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code: code.into(),
            text: text.into(),
        }
    }

    /// What a client hears of a failed operation on mail.
    pub fn of(error: &mailbox::Error) -> Self {
        let (code, text) = error.client_text();
        let text = if text.ends_with('.') {
            text
        } else {
            format!("{text}.")
        };
        Self::no(text).with_code(code)
    }

    /// Appends `tag STATUS [code] text` and the line end.
    pub fn write(&self, tag: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(match self.status {
            Status::Ok => b" OK ",
            Status::No => b" NO ",
            Status::Bad => b" BAD ",
        });
        if !self.code.is_empty() {
            out.push(b'[');
            out.extend_from_slice(self.code.as_bytes());
            out.extend_from_slice(b"] ");
        }
        write::human(out, &self.text);
        out.extend_from_slice(b"\r\n");
    }
}

impl Failure {
    /// `NO [CANNOT] text`
    pub fn cannot(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Reply(Reply::no(text).with_code("CANNOT"))
    }
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<mailbox::Error> for Failure {
    fn from(error: mailbox::Error) -> Self {
        Self::Mailbox(error)
    }
}

impl From<EndReason> for Failure {
    fn from(reason: EndReason) -> Self {
        Self::End(reason)
    }
}

impl From<SyntaxError> for Failure {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}
