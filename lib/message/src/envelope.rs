//! ENVELOPE of one header: RFC 3501 §7.4.2, byte for byte as Dovecot says it.

use std::io::{self, Read};

use crate::address::{self, Address};
use crate::field;
use crate::limits;
use crate::wire;

/// What ENVELOPE tells of a message. Texts are as in the header: folded, not decoded; without the line end at their end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date.
    pub date: Option<Vec<u8>>,
    /// Subject.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<Address>,
    /// Sender; when there is none, readers take From.
    pub sender: Vec<Address>,
    /// Reply-To; when there is none, readers take From.
    pub reply_to: Vec<Address>,
    /// To.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc.
    pub bcc: Vec<Address>,
    /// In-Reply-To.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID.
    pub message_id: Option<Vec<u8>>,
    addresses: usize,
}

impl Envelope {
    /// Reads the header at the beginning of `reader`, and no more than that.
    ///
    /// # Errors
    /// Those of `reader`.
    pub fn read(reader: impl Read) -> io::Result<Self> {
        let mut envelope = Self::default();
        for field in field::read(reader, Self::wants)? {
            envelope.add(&field.name, &field.value);
        }
        Ok(envelope)
    }

    /// Is this header field part of the envelope?
    #[must_use]
    pub fn wants(name: &[u8]) -> bool {
        const NAMES: [&str; 10] = [
            "date",
            "subject",
            "from",
            "sender",
            "reply-to",
            "to",
            "cc",
            "bcc",
            "in-reply-to",
            "message-id",
        ];
        NAMES
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    }

    /// Takes one header field. Where a field is repeated, the last text counts, and the addresses add up.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let text = Some(value.to_vec());
        match name.to_ascii_lowercase().as_slice() {
            b"date" => self.date = text,
            b"subject" => self.subject = text,
            b"in-reply-to" => self.in_reply_to = text,
            b"message-id" => self.message_id = text,
            other => self.add_addresses(other, value),
        }
    }

    fn add_addresses(&mut self, name: &[u8], value: &[u8]) {
        let list = match name {
            b"from" => &mut self.from,
            b"sender" => &mut self.sender,
            b"reply-to" => &mut self.reply_to,
            b"to" => &mut self.to,
            b"cc" => &mut self.cc,
            b"bcc" => &mut self.bcc,
            _ => return,
        };
        let found = address::parse(value, limits::ADDRESSES.saturating_sub(self.addresses));
        self.addresses += found.len();
        list.extend(found);
    }

    /// How many addresses there are.
    pub(crate) fn address_count(&self) -> usize {
        self.addresses
    }

    /// Counts addresses of other envelopes towards [`limits::ADDRESSES`].
    pub(crate) fn with_used_addresses(used: usize) -> Self {
        Self {
            addresses: used,
            ..Self::default()
        }
    }

    /// The parenthesized list, as it follows `ENVELOPE `.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.append_wire(&mut out);
        out
    }

    pub(crate) fn append_wire(&self, out: &mut Vec<u8>) {
        out.push(b'(');
        wire::optional(out, self.date.as_deref());
        out.push(b' ');
        match &self.subject {
            Some(subject) => wire::prose(out, subject),
            None => out.extend_from_slice(b"NIL"),
        }
        let or_from = |list: &'_ Vec<Address>| {
            if list.is_empty() {
                self.from.clone()
            } else {
                list.clone()
            }
        };
        for list in [
            &self.from,
            &or_from(&self.sender),
            &or_from(&self.reply_to),
            &self.to,
            &self.cc,
            &self.bcc,
        ] {
            out.push(b' ');
            append_addresses(out, list);
        }
        for text in [&self.in_reply_to, &self.message_id] {
            out.push(b' ');
            wire::optional(out, text.as_deref());
        }
        out.push(b')');
    }
}

fn append_addresses(out: &mut Vec<u8>, list: &[Address]) {
    if list.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for address in list {
        out.push(b'(');
        match &address.name {
            Some(name) => wire::prose(out, name),
            None => out.extend_from_slice(b"NIL"),
        }
        for text in [&address.route, &address.mailbox, &address.domain] {
            out.push(b' ');
            match text {
                Some(text) => wire::string(out, text),
                None => out.extend_from_slice(b"NIL"),
            }
        }
        out.push(b')');
    }
    out.push(b')');
}
