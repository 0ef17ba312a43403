//! Values of IMAP responses, of what came and of what is expected.

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A word without quotes: `NIL`, `12`, `BODY[HEADER.FIELDS (TO)]`, `\Seen`.
    Atom(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    /// In parentheses.
    List(Vec<Value>),
}

impl Value {
    /// An atom in capitals; nothing else is a keyword.
    pub fn keyword(&self) -> Option<String> {
        match self {
            Value::Atom(atom) => Some(atom.to_ascii_uppercase()),
            _ => None,
        }
    }
}

/// Reads the values of a line; `literals` are what its `{n}` hold. `None` where it is not made of values.
pub fn parse(line: &str, literals: &[Vec<u8>]) -> Option<Vec<Value>> {
    let mut reader = Reader {
        rest: line,
        literals: literals.iter(),
    };
    let values = reader.values()?;
    reader.rest.is_empty().then_some(values)
}

struct Reader<'a> {
    rest: &'a str,
    literals: std::slice::Iter<'a, Vec<u8>>,
}

impl<'a> Reader<'a> {
    fn values(&mut self) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches(' ');
            if self.rest.is_empty() || self.rest.starts_with(')') {
                return Some(values);
            }
            values.push(self.value()?);
        }
    }

    fn value(&mut self) -> Option<Value> {
        if let Some(rest) = self.rest.strip_prefix('(') {
            self.rest = rest;
            let values = self.values()?;
            self.rest = self.rest.strip_prefix(')')?;
            return Some(Value::List(values));
        }
        if let Some(rest) = self.rest.strip_prefix('"') {
            self.rest = rest;
            return self.quoted();
        }
        if let Some((count, rest)) = self
            .rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            && count.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.rest = rest;
            return self.literals.next().cloned().map(Value::Text);
        }
        self.atom()
    }

    /// In what is expected, control characters are written as `\r`, `\n` and `\xHH`.
    fn quoted(&mut self) -> Option<Value> {
        let mut end = None;
        let mut escaped = false;
        for (at, character) in self.rest.char_indices() {
            match character {
                '"' if !escaped => {
                    end = Some(at);
                    break;
                }
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        let (inner, rest) = self.rest.split_at(end?);
        self.rest = rest.strip_prefix('"')?;
        Some(Value::Text(unescape(inner)))
    }

    /// Up to a space or parenthesis that is not in brackets.
    fn atom(&mut self) -> Option<Value> {
        let mut depth = 0_u32;
        let end = self
            .rest
            .char_indices()
            .find(|&(_, character)| {
                match character {
                    '[' => depth += 1,
                    ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0 && matches!(character, ' ' | '(' | ')' | '"')
            })
            .map_or(self.rest.len(), |(at, _)| at);
        let (atom, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!atom.is_empty()).then(|| Value::Atom(atom.to_owned()))
    }
}

/// `\r \n \t \0 \xHH`, and any other character after a backslash for itself.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            bytes.extend(character.to_string().into_bytes());
            continue;
        }
        match rest.next() {
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('0') => bytes.push(0),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.extend(u8::from_str_radix(&digits, 16));
            }
            Some(other) => bytes.extend(other.to_string().into_bytes()),
            None => bytes.push(b'\\'),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(text: &str) -> Value {
        Value::Atom(text.to_owned())
    }

    #[test]
    fn a_fetch_response() {
        let line = "1 FETCH (BODY[HEADER.FIELDS (TO \"A\")]<0> {3} FLAGS (\\Seen) X \"a\\\"b\")";
        let values = parse(line, &[b"t:x".to_vec()]).expect("values");
        let items = vec![
            atom("BODY[HEADER.FIELDS (TO \"A\")]<0>"),
            Value::Text(b"t:x".to_vec()),
            atom("FLAGS"),
            Value::List(vec![atom("\\Seen")]),
            atom("X"),
            Value::Text(b"a\"b".to_vec()),
        ];
        assert_eq!(values, [atom("1"), atom("FETCH"), Value::List(items)]);
    }

    #[test]
    fn what_is_not_data() {
        assert_eq!(parse("OK (not closed", &[]), None);
        assert_eq!(parse("closed)", &[]), None);
        assert_eq!(parse("\"open", &[]), None);
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("a\\r\\n\\x00\\\\"), b"a\r\n\0\\");
    }
}
