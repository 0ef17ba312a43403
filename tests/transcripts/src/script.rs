//! Reads a transcript; the syntax is told in `lib.rs`.

use crate::data::unescape;

/// A whole file.
#[derive(Debug, Default)]
pub struct Script {
    /// For failed tests: `imap/close`.
    pub name: String,
    /// What is there before the first word.
    pub setup: Setup,
    /// What is said, in turns.
    pub steps: Vec<Step>,
}

/// What is there before the first word.
#[derive(Debug, Default)]
pub struct Setup {
    /// The one server that does as it should, where the other does not.
    pub only: Option<String>,
    /// Home directory of tests/fixtures.
    pub fixture: Option<String>,
    /// Empty mailboxes.
    pub mailboxes: Vec<String>,
    /// Messages.
    pub mail: Vec<Mail>,
    /// Nobody logs in by itself, and the greeting is expected by the script.
    pub preauth: bool,
    /// Where clients connect from.
    pub from: Option<String>,
    /// 143 if not said.
    pub port: Option<u16>,
    /// Sessions of the second user.
    pub second_user: Vec<u8>,
}

/// A message in a mailbox.
#[derive(Debug, Default)]
pub struct Mail {
    pub mailbox: String,
    /// In mail/.
    pub file: String,
    /// As they stand in the file.
    pub flags: Vec<String>,
}

/// A line of the file, after set-up.
#[derive(Debug)]
pub struct Step {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub session: u8,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// Bytes from the client, before names are filled in.
    Say(String),
    /// The same without CRLF, and with escapes.
    Raw(String),
    /// Bytes as they are, counted by `{#}` in the command before.
    Literal(Vec<u8>),
    /// A line from the server.
    Expect(Expect, String),
    Tls,
    Close,
    Deliver(String),
    /// Seconds in which nobody says anything.
    Wait(u64),
}

/// How strictly a line is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Among the untagged responses, in any order.
    Must,
    /// After every line of this kind that stands before it.
    Next,
    May,
}

impl Script {
    /// Panics with the line that cannot be read.
    pub fn parse(name: &str, text: &str) -> Script {
        let mut script = Script {
            name: name.to_owned(),
            ..Script::default()
        };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            script
                .line(number, line)
                .unwrap_or_else(|| panic!("{name}:{number}: cannot be read: {line}"));
        }
        script.count_literals();
        script
    }

    fn line(&mut self, line: usize, text: &str) -> Option<()> {
        if let Some((key, value)) = text.split_once(": ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase())
        {
            return self.set_up(key, value);
        }
        // Editors drop spaces at the ends of lines: what follows the mark may be nothing.
        let end = text.find([':', '~', '>', '?', ' ']).unwrap_or(text.len());
        let (mark, rest) = text.split_at(end);
        let (kind, session) = mark.split_at(1);
        let session = if session.is_empty() {
            1
        } else {
            session.parse().ok()?
        };
        let sign = rest.chars().next()?;
        let rest = rest.get(1..)?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let what = match (kind, sign) {
            ("C", ':') => What::Say(format!("{rest}\r\n")),
            ("C", '~') => What::Raw(rest.to_owned()),
            ("L", ':') => What::Literal(format!("{rest}\r\n").into_bytes()),
            ("L", '~') => What::Literal(unescape(rest)),
            ("S", ':') => What::Expect(Expect::Must, rest.to_owned()),
            ("S", '>') => What::Expect(Expect::Next, rest.to_owned()),
            ("S", '?') => What::Expect(Expect::May, rest.to_owned()),
            ("!", ' ') => match rest.split_once(' ') {
                None if rest == "tls" => What::Tls,
                None if rest == "close" => What::Close,
                Some(("deliver", file)) => What::Deliver(file.to_owned()),
                Some(("wait", seconds)) => What::Wait(seconds.parse().ok()?),
                _ => return None,
            },
            _ => return None,
        };
        self.steps.push(Step {
            line,
            session,
            what,
        });
        Some(())
    }

    fn set_up(&mut self, key: &str, value: &str) -> Option<()> {
        let mut words = value.split(' ').map(str::to_owned);
        match key {
            "only" => self.setup.only = Some(value.to_owned()),
            "fixture" => self.setup.fixture = Some(value.to_owned()),
            "mailbox" => self.setup.mailboxes.push(value.to_owned()),
            "mail" => self.setup.mail.push(Mail {
                mailbox: words.next()?,
                file: words.next()?,
                flags: words.collect(),
            }),
            "session" if value == "preauth" => self.setup.preauth = true,
            "from" => self.setup.from = Some(value.to_owned()),
            "port" => self.setup.port = Some(value.parse().ok()?),
            "as" => {
                let session = words.next()?.parse().ok()?;
                (words.next()? == "user2").then(|| self.setup.second_user.push(session))?;
            }
            _ => return None,
        }
        Some(())
    }

    /// `{#}` and `{#+}` become the size of the literal lines that follow.
    fn count_literals(&mut self) {
        let mut size = 0;
        for step in self.steps.iter_mut().rev() {
            match &mut step.what {
                What::Literal(bytes) => size += bytes.len(),
                What::Say(text) => {
                    for mark in ["{#}", "{#+}"] {
                        *text = text.replace(mark, &mark.replace('#', &size.to_string()));
                    }
                    size = 0;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script() {
        let script = Script::parse(
            "x",
            "# Why.\nmail: INBOX plain.eml \\Seen\nC: a APPEND INBOX {#}\nS: + ...\nL: one\nL~ two\nC:\n\
             S> * 1 EXPUNGE\nC2~ a\\r\\n\n!2 close\n",
        );
        assert_eq!(script.setup.mail.len(), 1);
        let said: Vec<String> = script
            .steps
            .iter()
            .map(|step| format!("{} {:?}", step.session, step.what))
            .collect();
        assert_eq!(
            said,
            [
                "1 Say(\"a APPEND INBOX {8}\\r\\n\")",
                "1 Expect(Must, \"+ ...\")",
                "1 Literal([111, 110, 101, 13, 10])",
                "1 Literal([116, 119, 111])",
                "1 Say(\"\\r\\n\")",
                "1 Expect(Next, \"* 1 EXPUNGE\")",
                "2 Raw(\"a\\\\r\\\\n\")",
                "2 Close",
            ]
        );
    }
}
