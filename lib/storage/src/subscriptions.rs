//! The `subscriptions` file. FORMATS.md §6.3.
//!
//! ```text
//! V\t2\n\n                version 2; then one mailbox per line:
//! Level\tLevel\n          levels separated by TAB, in storage encoding, tab-escaped
//! ```
//! Version 1, read only, has one name per line with the layout's separator. Order is the order of
//! subscription. Lines that we cannot read are kept.

const HEADER: &[u8] = b"V\t2\n\n";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// Levels of a name, in storage encoding.
    Name(Vec<String>),
    /// Not ours to understand.
    Other(Vec<u8>),
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    lines: Vec<Line>,
}

impl Subscriptions {
    /// Reads either version; `separator` is that of version 1.
    #[must_use]
    pub fn decode(bytes: &[u8], separator: char) -> Self {
        let (body, version_2) = match bytes.strip_prefix(b"V\t2\n") {
            Some(body) => (body, true),
            None => (bytes, false),
        };
        let lines = body.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        let decode = |line: &[u8]| match std::str::from_utf8(line) {
            Ok(text) if version_2 => Line::Name(text.split('\t').map(unescape).collect()),
            Ok(text) => Line::Name(text.split(separator).map(str::to_owned).collect()),
            Err(_) => Line::Other(line.to_vec()),
        };
        Self {
            lines: lines.map(decode).collect(),
        }
    }

    /// The file's bytes, in version 2.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for line in &self.lines {
            match line {
                Line::Name(levels) => {
                    let levels: Vec<String> = levels.iter().map(|level| escape(level)).collect();
                    bytes.extend_from_slice(levels.join("\t").as_bytes());
                }
                Line::Other(line) => bytes.extend_from_slice(line),
            }
            bytes.push(b'\n');
        }
        bytes
    }

    /// Levels of each name, in storage encoding, in the order of subscription.
    pub fn names(&self) -> impl Iterator<Item = &[String]> {
        self.lines.iter().filter_map(|line| match line {
            Line::Name(levels) => Some(levels.as_slice()),
            Line::Other(_) => None,
        })
    }

    /// Adds a name; tells whether it is new.
    pub fn add(&mut self, levels: &[String]) -> bool {
        let new = self.names().all(|name| name != levels);
        if new {
            self.lines.push(Line::Name(levels.to_vec()));
        }
        new
    }

    /// Takes a name out; tells whether it was there.
    pub fn remove(&mut self, levels: &[String]) -> bool {
        let before = self.lines.len();
        self.lines
            .retain(|line| !matches!(line, Line::Name(name) if name == levels));
        self.lines.len() < before
    }
}

const ESCAPES: [(char, char); 5] = [
    ('\0', '0'),
    ('\x01', '1'),
    ('\t', 't'),
    ('\r', 'r'),
    ('\n', 'n'),
];

fn escape(level: &str) -> String {
    let mut escaped = String::with_capacity(level.len());
    for character in level.chars() {
        match ESCAPES.iter().find(|&&(plain, _)| plain == character) {
            Some(&(_, code)) => escaped.extend(['\x01', code]),
            None => escaped.push(character),
        }
    }
    escaped
}

fn unescape(level: &str) -> String {
    let mut plain = String::with_capacity(level.len());
    let mut characters = level.chars();
    while let Some(character) = characters.next() {
        if character != '\x01' {
            plain.push(character);
            continue;
        }
        let code = characters.next();
        plain.extend(code.map(|code| {
            ESCAPES
                .iter()
                .find(|&&(_, known)| known == code)
                .map_or(code, |&(plain, _)| plain)
        }));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOVECOTS: &[u8] = b"V\t2\n\nINBOX\nSub\nSub\tDeep\tLeaf\nEntw&APw-rfe\n";

    #[test]
    fn version_2_both_ways() {
        let file = Subscriptions::decode(DOVECOTS, '.');
        assert_eq!(file.names().nth(2).unwrap(), ["Sub", "Deep", "Leaf"]);
        assert_eq!(file.encode(), DOVECOTS);
    }

    #[test]
    fn version_1_becomes_2() {
        let file = Subscriptions::decode(b"INBOX\nSub.Deep.Leaf\n", '.');
        assert_eq!(file.encode(), b"V\t2\n\nINBOX\nSub\tDeep\tLeaf\n");
    }

    #[test]
    fn escapes_and_foreign_bytes_stay() {
        let odd = b"V\t2\n\na\x01tb\x011\tc\n\xff\xfe\n";
        let file = Subscriptions::decode(odd, '.');
        assert_eq!(file.names().next().unwrap(), ["a\tb\x01", "c"]);
        assert_eq!(file.encode(), odd);
    }

    #[test]
    fn any_bytes_are_a_file() {
        bolero::check!().for_each(|bytes: &[u8]| {
            for separator in ['.', '/'] {
                let file = Subscriptions::decode(bytes, separator);
                let again = Subscriptions::decode(&file.encode(), separator);
                assert!(again.names().eq(file.names()));
            }
        });
    }

    #[test]
    fn add_and_remove_once() {
        let mut file = Subscriptions::default();
        let name = vec!["A".to_owned(), "B".to_owned()];
        assert!(file.add(&name) && !file.add(&name));
        assert!(file.remove(&name) && !file.remove(&name));
        assert_eq!(file.encode(), HEADER);
    }

    #[test]
    fn every_truncation_is_an_answer() {
        for end in 0..DOVECOTS.len() {
            let _ = Subscriptions::decode(&DOVECOTS[..end], '/').encode();
        }
    }
}
