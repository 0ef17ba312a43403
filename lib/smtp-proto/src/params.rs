//! Parameters of MAIL and RCPT. RFC 5321 §4.1.2 `Mail-parameters`, RFC 1870 (SIZE), RFC 6152 (BODY), RFC 3461 §4.2 (ORCPT).

use crate::address::Address;
use crate::scan::Scan;

/// What a sender says about a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParams {
    /// `SIZE=`: estimate of the message's size in bytes.
    pub size: Option<u64>,
    /// `BODY=`.
    pub body: Option<Body>,
}

/// `BODY=`: which bytes the message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// ASCII.
    SevenBit,
    /// Any byte, in lines.
    EightBitMime,
}

/// What a sender says about a recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RcptParams {
    /// `ORCPT=rfc822;`: the address before anybody rewrote it. `None` also for one that is no address.
    pub original: Option<Address>,
}

/// Why parameters were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// Not `keyword` or `keyword=value`.
    #[error("Invalid parameter syntax")]
    Syntax,
    /// A keyword that was not offered, RFC 5321 §4.1.1.11.
    #[error("Unsupported parameters")]
    Unsupported,
    /// `BODY=` something else, for example BINARYMIME.
    #[error("Unsupported mail BODY type")]
    UnsupportedBody,
    /// Given twice.
    #[error("Duplicate parameter")]
    Duplicate,
    /// A keyword that needs a value, or a value that the keyword cannot have.
    #[error("Invalid parameter value")]
    Value,
}

impl MailParams {
    pub(crate) fn parse(text: &str) -> Result<Self, ParamError> {
        let mut params = Self::default();
        for (keyword, value) in each(text)? {
            if keyword.eq_ignore_ascii_case("SIZE") {
                set(&mut params.size, size(value)?)?;
            } else if keyword.eq_ignore_ascii_case("BODY") {
                set(&mut params.body, body(value)?)?;
            } else {
                return Err(ParamError::Unsupported);
            }
        }
        Ok(params)
    }
}

impl RcptParams {
    pub(crate) fn parse(text: &str) -> Result<Self, ParamError> {
        let mut original = None;
        for (keyword, value) in each(text)? {
            if !keyword.eq_ignore_ascii_case("ORCPT") {
                return Err(ParamError::Unsupported);
            }
            set(&mut original, original_recipient(value)?)?;
        }
        Ok(Self {
            original: original.flatten(),
        })
    }
}

/// Splits parameters and checks their characters.
fn each(text: &str) -> Result<Vec<(&str, Option<&str>)>, ParamError> {
    let parameters = text.split(' ').filter(|parameter| !parameter.is_empty());
    parameters
        .map(|parameter| keyword_and_value(parameter).ok_or(ParamError::Syntax))
        .collect()
}

/// `esmtp-keyword ["=" esmtp-value]`.
fn keyword_and_value(parameter: &str) -> Option<(&str, Option<&str>)> {
    let mut scan = Scan::new(parameter);
    let keyword = scan.while_in(|character| character.is_ascii_alphanumeric() || character == '-');
    if keyword.is_empty() || keyword.starts_with('-') {
        return None;
    }
    if scan.is_at_end() {
        return Some((keyword, None));
    }
    scan.take('=')?;
    let value = scan.while_in(|character| matches!(character, '!'..='<' | '>'..='~'));
    scan.is_at_end().then_some((keyword, Some(value)))
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), ParamError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParamError::Duplicate),
    }
}

/// `1*20DIGIT`, RFC 1870 §3.
fn size(value: Option<&str>) -> Result<u64, ParamError> {
    let digits =
        value.filter(|text| text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or(ParamError::Value)
}

fn body(value: Option<&str>) -> Result<Body, ParamError> {
    let value = value.ok_or(ParamError::Value)?;
    if value.eq_ignore_ascii_case("7BIT") {
        Ok(Body::SevenBit)
    } else if value.eq_ignore_ascii_case("8BITMIME") {
        Ok(Body::EightBitMime)
    } else {
        Err(ParamError::UnsupportedBody)
    }
}

/// `rfc822;xtext`. An address type or text that we cannot read is no error: the parameter only informs.
fn original_recipient(value: Option<&str>) -> Result<Option<Address>, ParamError> {
    let (kind, xtext) = value
        .and_then(|value| value.split_once(';'))
        .ok_or(ParamError::Value)?;
    let text = decode_xtext(xtext).ok_or(ParamError::Value)?;
    if !kind.eq_ignore_ascii_case("rfc822") {
        return Ok(None);
    }
    let mut scan = Scan::new(&text);
    let address = Address::scan(&mut scan).ok();
    Ok(address.filter(|_| scan.is_at_end()))
}

/// RFC 3461 §4: `+` and two upper-case hexadecimal digits stand for a byte. Bytes that are no UTF-8 become U+FFFD.
fn decode_xtext(text: &str) -> Option<String> {
    let mut scan = Scan::new(text);
    let mut bytes = Vec::with_capacity(text.len());
    while let Some(character) = scan.next() {
        let byte = match character {
            '+' => hex(scan.next()?)? << 4 | hex(scan.next()?)?,
            other => u8::try_from(other).ok()?,
        };
        bytes.push(byte);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: char) -> Option<u8> {
    u8::try_from(digit.to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail() {
        let all = MailParams {
            size: Some(100),
            body: Some(Body::EightBitMime),
        };
        assert_eq!(MailParams::parse("size=100 BODY=8bitmime"), Ok(all));
        assert_eq!(MailParams::parse(""), Ok(MailParams::default()));
        for (text, error) in [
            ("SIZE", ParamError::Value),
            ("SIZE=", ParamError::Value),
            ("SIZE=-1", ParamError::Value),
            ("SIZE=99999999999999999999", ParamError::Value),
            ("SIZE=000000000000000000001", ParamError::Value),
            ("SIZE=1 SIZE=1", ParamError::Duplicate),
            ("BODY=BINARYMIME", ParamError::UnsupportedBody),
            ("BODY", ParamError::Value),
            ("AUTH=<>", ParamError::Unsupported),
            ("SMTPUTF8", ParamError::Unsupported),
            ("=x", ParamError::Syntax),
            ("-X", ParamError::Syntax),
            ("X=a=b", ParamError::Syntax),
            ("X=ä", ParamError::Syntax),
        ] {
            assert_eq!(MailParams::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn rcpt() {
        let original = |text| {
            RcptParams::parse(text).map(|params| params.original.map(|address| address.to_string()))
        };
        assert_eq!(original("ORCPT=rfc822;a+2Bb@c"), Ok(Some("a+b@c".into())));
        assert_eq!(original("orcpt=RFC822;a@c"), Ok(Some("a@c".into())));
        assert_eq!(original("ORCPT=x400;a"), Ok(None));
        assert_eq!(original("ORCPT=rfc822;a+0D+0AX:y"), Ok(None));
        assert_eq!(original("ORCPT=rfc822;+FF"), Ok(None));
        assert_eq!(original("ORCPT=rfc822;+2"), Err(ParamError::Value));
        assert_eq!(original("ORCPT=rfc822;+zz"), Err(ParamError::Value));
        assert_eq!(original("ORCPT=rfc822"), Err(ParamError::Value));
        assert_eq!(original("ORCPT=a;b ORCPT=a;b"), Err(ParamError::Duplicate));
        assert_eq!(original("NOTIFY=NEVER"), Err(ParamError::Unsupported));
    }
}
