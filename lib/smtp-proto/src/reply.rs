//! Replies. RFC 5321 §4.2, RFC 2034 (enhanced status codes).

use std::fmt;

/// Longest reply line in bytes, with CRLF. RFC 5321 §4.5.3.1.5.
const MAX_LINE: usize = 512;

/// Enhanced status code `class.subject.detail`, RFC 3463.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl fmt::Display for Enhanced {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One reply of one or more lines. Its `Display` is what goes to the client, CRLF included.
///
/// Whatever text it is made of, each line is printable ASCII and has at most 512 bytes: nothing can be injected by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    lines: Vec<String>,
}

impl Reply {
    /// A reply of one line with an enhanced status code.
    pub fn new(code: u16, enhanced: Enhanced, text: &str) -> Self {
        Self {
            code,
            enhanced: Some(enhanced),
            lines: vec![text.to_owned()],
        }
    }

    /// A reply without enhanced status code: greeting, LHLO and 354 have none. RFC 2034 §4.
    pub fn plain<'a>(code: u16, lines: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            code,
            enhanced: None,
            lines: lines.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The reply code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// True for 500, 501, 502, 503 and 555: what a client that speaks LMTP does not provoke.
    pub fn blames_client(&self) -> bool {
        matches!(self.code, 500..=503 | 555)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.lines.len().saturating_sub(1);
        for (index, text) in self.lines.iter().enumerate() {
            let mut line = format!("{}{}", self.code, if index == last { ' ' } else { '-' });
            if let Some(enhanced) = self.enhanced {
                line.push_str(&format!("{enhanced} "));
            }
            line.extend(text.chars().map(|character| {
                if matches!(character, ' '..='~') {
                    character
                } else {
                    '?'
                }
            }));
            line.truncate(MAX_LINE - 2);
            write!(out, "{line}\r\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_many() {
        assert_eq!(
            Reply::new(250, Enhanced(2, 1, 0), "OK").to_string(),
            "250 2.1.0 OK\r\n"
        );
        assert_eq!(
            Reply::plain(250, ["host", "8BITMIME", "PIPELINING"]).to_string(),
            "250-host\r\n250-8BITMIME\r\n250 PIPELINING\r\n"
        );
        assert_eq!(Reply::plain(354, ["OK"]).to_string(), "354 OK\r\n");
    }

    #[test]
    fn nothing_is_injected() {
        let reply = Reply::new(550, Enhanced(5, 1, 1), "<a\r\n250 b\0ä>").to_string();
        assert_eq!(reply, "550 5.1.1 <a??250 b??>\r\n");
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(
            Reply::new(550, Enhanced(5, 1, 1), &"x".repeat(70_000))
                .to_string()
                .len(),
            512
        );
    }
}
