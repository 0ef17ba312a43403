//! Strings of IMAP responses, as Dovecot chooses between NIL, quoted and literal. RFC 3501 §4.3.

/// With more characters to escape, a literal is shorter.
const ESCAPED: usize = 4;

/// A quoted string, or a literal where quoting cannot say it (8-bit, CR, LF; NUL becomes U+FFFD).
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    let escaped = text
        .iter()
        .filter(|&&byte| matches!(byte, b'"' | b'\\'))
        .count();
    if escaped > ESCAPED
        || text
            .iter()
            .any(|&byte| matches!(byte, 0 | b'\r' | b'\n' | 0x80..))
    {
        return literal(out, text.iter().copied());
    }
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// [`string`] without the line ends of folding; line ends that fold nothing become a space.
pub(crate) fn unfolded(out: &mut Vec<u8>, text: &[u8]) {
    let mut plain = Vec::with_capacity(text.len());
    let mut after_line_end = false;
    for &byte in text {
        let line_end = byte == b'\n' || byte == b'\r';
        if !line_end {
            if after_line_end && byte != b' ' && byte != b'\t' {
                plain.push(b' ');
            }
            plain.push(byte);
        }
        after_line_end = line_end;
    }
    string(out, &plain);
}

/// NIL or [`unfolded`].
pub(crate) fn optional(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => unfolded(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// A text that people read: white space is reduced to single spaces; whatever is not plain becomes a literal.
pub(crate) fn prose(out: &mut Vec<u8>, text: &[u8]) {
    let mut reduced = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' if reduced.is_empty() || reduced.ends_with(b" ") => {}
            b' ' | b'\t' | b'\r' | b'\n' => reduced.push(b' '),
            _ => reduced.push(byte),
        }
    }
    if reduced.ends_with(b" ") {
        reduced.pop();
    }
    let plain = reduced.len() == text.len()
        && !text
            .iter()
            .any(|&byte| matches!(byte, 0 | b'\t' | b'\r' | b'\n' | b'"' | b'\\' | 0x80..));
    if plain || reduced.is_empty() {
        out.push(b'"');
        out.extend_from_slice(&reduced);
        out.push(b'"');
    } else {
        literal(out, reduced.into_iter());
    }
}

fn literal(out: &mut Vec<u8>, text: impl Iterator<Item = u8>) {
    let mut bytes = Vec::with_capacity(text.size_hint().0);
    for byte in text {
        match byte {
            0 => bytes.extend_from_slice("\u{fffd}".as_bytes()),
            _ => bytes.push(byte),
        }
    }
    out.extend_from_slice(format!("{{{}}}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(&bytes);
}
