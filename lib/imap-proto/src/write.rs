//! Words of responses. Every function appends to a buffer; none can be made to break a line by what it writes.

use std::io::Write as _;

use crate::date::DateTime;

/// Longest string that is quoted; longer ones go out as literals.
const MAX_QUOTED: usize = 4096;

/// An atom where that is possible, else quoted, else a literal. RFC 3501 §9 `astring`.
pub fn astring(out: &mut Vec<u8>, bytes: &[u8]) {
    let atom = !bytes.is_empty() && bytes.iter().all(|byte| is_astring_char(*byte));
    if atom && !bytes.eq_ignore_ascii_case(b"NIL") {
        out.extend_from_slice(bytes);
    } else {
        string(out, bytes);
    }
}

/// Quoted, or a literal if quotes cannot hold the bytes. RFC 3501 §9 `string`.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    let quotable = bytes.len() <= MAX_QUOTED && bytes.iter().all(|byte| is_quotable(*byte));
    if !quotable {
        return literal(out, bytes);
    }
    out.push(b'"');
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// NIL or a string.
pub fn nstring(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => string(out, bytes),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `{n}` and the bytes. RFC 3501 §4.3 has no NUL in literals: it becomes 0x80, as in Dovecot.
pub fn literal(out: &mut Vec<u8>, bytes: &[u8]) {
    literal_size(out, bytes.len() as u64);
    out.extend(
        bytes
            .iter()
            .map(|byte| if *byte == 0 { 0x80 } else { *byte }),
    );
}

/// The `{n}` and line end in front of `size` bytes that the caller writes itself.
pub fn literal_size(out: &mut Vec<u8>, size: u64) {
    text(out, format_args!("{{{size}}}\r\n"));
}

/// `(item item …)`
pub fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'(');
    for (index, element) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        item(out, element);
    }
    out.push(b')');
}

/// `(\Seen keyword …)`, from names that are flags already.
pub fn flags<'a>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>) {
    list(out, names, |out, name| {
        out.extend_from_slice(name.as_bytes())
    });
}

/// `"17-Jul-1996 02:44:25 -0700"`
pub fn internal_date(out: &mut Vec<u8>, when: DateTime) {
    text(out, format_args!("\"{when}\""));
}

/// Ranges as in COPYUID: `1:3,7`. RFC 4315 §4.
pub fn uid_set(out: &mut Vec<u8>, uids: impl IntoIterator<Item = u32>) {
    let mut uids = uids.into_iter().peekable();
    let mut separator = "";
    while let Some(first) = uids.next() {
        let mut last = first;
        while let Some(next) = uids.next_if(|next| Some(*next) == last.checked_add(1)) {
            last = next;
        }
        match first == last {
            true => text(out, format_args!("{separator}{first}")),
            false => text(out, format_args!("{separator}{first}:{last}")),
        }
        separator = ",";
    }
}

/// Human-readable text of a response: control and 8-bit bytes become `?`. RFC 3501 §9 `text`.
pub fn human(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().map(|byte| {
        if matches!(byte, b' '..=b'~') {
            byte
        } else {
            b'?'
        }
    }));
}

fn text(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(arguments);
}

fn is_astring_char(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

fn is_quotable(byte: u8) -> bool {
    byte < 0x80 && !matches!(byte, 0 | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_shortest_form_that_holds() {
        assert_eq!(written(|out| astring(out, b"INBOX")), "INBOX");
        assert_eq!(written(|out| astring(out, b"")), "\"\"");
        assert_eq!(written(|out| astring(out, b"nil")), "\"nil\"");
        assert_eq!(written(|out| astring(out, b"a b\"c\\")), "\"a b\\\"c\\\\\"");
        assert_eq!(written(|out| astring(out, b"a\r\nb")), "{4}\r\na\r\nb");
        assert_eq!(written(|out| nstring(out, None)), "NIL");
    }

    #[test]
    fn uid_sets_are_ranges() {
        assert_eq!(
            written(|out| uid_set(out, [1, 2, 3, 7, 9, 10])),
            "1:3,7,9:10"
        );
        assert_eq!(written(|out| uid_set(out, [u32::MAX])), "4294967295");
        assert_eq!(written(|out| uid_set(out, [])), "");
    }

    #[test]
    fn human_text_stays_on_its_line() {
        assert_eq!(written(|out| human(out, "a\r\nb\u{e4}")), "a??b??");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes in proptest::collection::vec(1u8.., 0..40)) {
            let mut out = Vec::new();
            astring(&mut out, &bytes);
            let mut args = Args::new(&out);
            let word = args.astring().unwrap();
            prop_assert_eq!(word.as_ref(), bytes.as_slice());
            prop_assert!(args.is_empty());
        }
    }
}
