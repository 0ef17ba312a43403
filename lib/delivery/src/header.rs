//! One field out of a header, for log lines. What clients see of headers is the business of `message`.

use std::io::{BufRead, BufReader, Read};

/// Most bytes of a value that are kept.
const MAX_VALUE: usize = 4096;
/// Most bytes of one line that are looked at together; the rest of a longer one counts as lines of their own.
const MAX_LINE: u64 = 16 * 1024;

/// Value of the first field called `name`, in any case: unfolded, blanks around it removed.
pub(crate) fn field(message: impl Read, name: &str) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(message);
    let mut value: Option<Vec<u8>> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .ok()?;
        let text = line.trim_ascii_end();
        if read == 0 || text.is_empty() {
            return finish(value);
        }
        let continues = text.first().is_some_and(u8::is_ascii_whitespace);
        match &mut value {
            Some(found) if continues => {
                found.push(b' ');
                found.extend_from_slice(text.trim_ascii_start());
                found.truncate(MAX_VALUE);
            }
            Some(_) => return finish(value),
            None => value = start(text, name),
        }
    }
}

/// The value on a line that begins the field `name`.
fn start(line: &[u8], name: &str) -> Option<Vec<u8>> {
    let (head, tail) = line.split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    let mut value = tail
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start()
        .to_vec();
    value.truncate(MAX_VALUE);
    Some(value)
}

fn finish(value: Option<Vec<u8>>) -> Option<Vec<u8>> {
    value.map(|value| value.trim_ascii_start().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(message: &[u8], name: &str) -> Option<String> {
        field(message, name).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn first_field_unfolded() {
        let message = b"X: a\r\nMessage-ID:\r\n <1@x>\r\nMessage-ID: <2@x>\r\nsubject : a\r\n\tb \r\n\r\nTo: me\r\n";
        assert_eq!(find(message, "message-id").unwrap(), "<1@x>");
        assert_eq!(find(message, "Subject").unwrap(), "a b");
        assert_eq!(find(message, "x").unwrap(), "a");
        assert_eq!(find(message, "To"), None, "the body is no header");
        assert_eq!(find(message, "Message"), None);
    }

    #[test]
    fn every_truncation_and_strange_headers() {
        let message = b"a:b\nMessage-ID: <1@x>\n  y\nz";
        for length in 0..message.len() {
            let _ = find(&message[..length], "Message-ID");
        }
        assert_eq!(find(b"Message-ID: <1@x>", "Message-ID").unwrap(), "<1@x>");
        assert_eq!(find(b" Message-ID: <1@x>\r\n", "Message-ID"), None);
        assert_eq!(find(b"", "Message-ID"), None);
        let long = [
            b"X: ".as_slice(),
            &[b'x'; 100_000],
            b"\nMessage-ID: <1@x>\n",
        ]
        .concat();
        assert_eq!(find(&long, "Message-ID").unwrap(), "<1@x>");
        assert_eq!(find(&long, "X").unwrap().len(), MAX_VALUE);
    }
}
