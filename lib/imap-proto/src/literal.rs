//! The `{n}` and `{n+}` at the end of a line: does a literal follow? RFC 3501 §4.3, RFC 7888.

/// Does the client wait for `+ ` before it sends the bytes of a literal?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// `{n}`: the client waits for our go-ahead.
    Waits,
    /// `{n+}`: the bytes are already on their way.
    Sends,
}

/// What the end of a line says about the bytes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// No literal: the command ends here.
    End,
    /// A literal of `size` bytes follows; its `{` is at `at` in the line.
    Literal { size: u64, sync: Sync, at: usize },
    /// It looks like `{n+}`, but stands where no literal may stand, or its number is none. The client may send bytes
    /// that must not be read as commands, and nobody knows how many.
    Ambiguous,
}

/// Judges a line without its line end. `after_literal`: the line continues a command behind a literal.
pub(crate) fn tail(line: &[u8]) -> Tail {
    let Some(open) = last_brace(line) else {
        return Tail::End;
    };
    let (before, spec) = line.split_at(open);
    let parsed = parse(spec);
    let well_placed =
        matches!(before.last(), Some(b' ' | b'(' | b'[')) && !ends_inside_quotes(before);
    match parsed {
        Some((size, sync)) if well_placed => Tail::Literal {
            size,
            sync,
            at: open,
        },
        Some((_, Sync::Waits)) => Tail::End,
        Some((_, Sync::Sends)) => Tail::Ambiguous,
        None if is_oversized(spec) => Tail::Ambiguous,
        None => Tail::End,
    }
}

/// Reads `{n}` or `{n+}` that takes up all of `spec`.
pub(crate) fn parse(spec: &[u8]) -> Option<(u64, Sync)> {
    let inner = spec.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let (digits, sync) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, Sync::Sends),
        None => (inner, Sync::Waits),
    };
    Some((number(digits)?, sync))
}

/// An unsigned decimal number of at least one digit; `None` on overflow.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Where the last `{` is, if the line ends in `}`.
fn last_brace(line: &[u8]) -> Option<usize> {
    if line.last() != Some(&b'}') {
        return None;
    }
    line.iter().rposition(|byte| *byte == b'{')
}

/// `{99999999999999999999+}`: all digits and a plus, but no number that fits.
fn is_oversized(spec: &[u8]) -> bool {
    spec.strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"+}"))
        .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

fn ends_inside_quotes(bytes: &[u8]) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_at_the_end_of_a_line() {
        assert_eq!(
            tail(b"a LOGIN {5}"),
            Tail::Literal {
                size: 5,
                sync: Sync::Waits,
                at: 8
            }
        );
        assert_eq!(
            tail(b"a LOGIN {5+}"),
            Tail::Literal {
                size: 5,
                sync: Sync::Sends,
                at: 8
            }
        );
        assert_eq!(
            tail(b"a LOGIN \"x\" {0}"),
            Tail::Literal {
                size: 0,
                sync: Sync::Waits,
                at: 12
            }
        );
        assert_eq!(
            tail(b"a FETCH 1 BODY[HEADER.FIELDS ({3}"),
            Tail::Literal {
                size: 3,
                sync: Sync::Waits,
                at: 30
            }
        );
    }

    #[test]
    fn what_is_no_literal_is_never_asked_for() {
        for spec in [
            "{-1}",
            "{+5}",
            "{ 5}",
            "{5 }",
            "{0x5}",
            "{}",
            "{+}",
            "{99999999999999999999}",
            "{5}}",
        ] {
            assert_eq!(
                tail(format!("a LOGIN {spec}").as_bytes()),
                Tail::End,
                "{spec}"
            );
        }
        assert_eq!(tail(b"a LOGIN \"x {5}"), Tail::End);
        assert_eq!(tail(b"a LOGIN x{5}"), Tail::End);
        assert_eq!(tail(b"{5}"), Tail::End);
    }

    #[test]
    fn bytes_of_unknown_number_are_ambiguous() {
        for line in [
            "a LOGIN {99999999999999999999+}",
            "a LOGIN \"x {5+}",
            "a LOGIN x{5+}",
            "{5+}",
        ] {
            assert_eq!(tail(line.as_bytes()), Tail::Ambiguous, "{line}");
        }
    }
}
