//! `hdr.NAME`, and what can be done with its value.

use message::words;

use super::reader::{Reader, Trouble};
use crate::failure::Failure;

/// A header field.
#[derive(Debug, PartialEq, Eq)]
pub struct HeaderField {
    name: String,
    form: Form,
}

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it stands there.
    Raw,
    /// Encoded words decoded.
    Utf8,
    /// Each address alone.
    Address,
    /// Each address's name alone.
    AddressName,
    /// The same, decoded.
    AddressNameUtf8,
}

impl HeaderField {
    /// `subject`, `from.utf8`, `to.address` …
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let (name, filter) = text.split_once('.').unwrap_or((text, ""));
        let form = match filter {
            "" => Form::Raw,
            "utf8" => Form::Utf8,
            "address" => Form::Address,
            "address_name" => Form::AddressName,
            "address_name.utf8" => Form::AddressNameUtf8,
            _ => {
                return Err(Failure::Temporary(format!(
                    "Unknown header filter: {filter}"
                )));
            }
        };
        Ok(Self {
            name: name.to_owned(),
            form,
        })
    }

    /// Of all fields of this name, a line each.
    pub fn value(&self, mail: &mut Reader<'_>) -> Result<Vec<u8>, Trouble> {
        let values = mail.fields(self.name.as_bytes())?;
        if self.form == Form::Utf8 {
            let decoded: Vec<String> = values.iter().map(|value| words::decode(value)).collect();
            return Ok(decoded.join("\n").into_bytes());
        }
        let value = values.join(&b'\n');
        Ok(match self.form {
            Form::Raw | Form::Utf8 => value,
            form => addresses(&value, form),
        })
    }
}

fn addresses(value: &[u8], form: Form) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = message::parse_addresses(value, usize::MAX)
        .into_iter()
        .map(|address| match form {
            Form::Address => {
                let mut line = address.mailbox.unwrap_or_default();
                if let Some(domain) = address.domain {
                    line.push(b'@');
                    line.extend(domain);
                }
                line
            }
            Form::AddressNameUtf8 => words::decode(&address.name.unwrap_or_default()).into_bytes(),
            _ => address.name.unwrap_or_default(),
        })
        .collect();
    lines.join(&b'\n')
}
