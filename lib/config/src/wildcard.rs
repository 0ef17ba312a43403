//! Patterns with `*`, `?` and `[…]`: file names in `!include`, users in `doveadm`.

/// Does `name` match? Linear in the product of both lengths: only the last `*` is ever retried.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut next) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = at {
            retry = Some((rest, next));
            at = rest;
            continue;
        }
        if next.is_empty() {
            return at.is_empty();
        }
        if let (Some(rest), [_, after @ ..]) = (one(at, next), next) {
            (at, next) = (rest, after);
            continue;
        }
        let Some((after_star, [_, later @ ..])) = retry else {
            return false;
        };
        retry = Some((after_star, later));
        (at, next) = (after_star, later);
    }
}

/// Matches the first byte of `name`; the rest of the pattern when it does.
fn one<'a>(pattern: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (&first, rest) = pattern.split_first()?;
    let &byte = name.first()?;
    match first {
        b'?' => Some(rest),
        b'[' => bracket(rest, byte),
        _ => (first == byte).then_some(rest),
    }
}

/// `abc]`, `a-z]`, `!abc]`; the rest after the bracket when `byte` is in the set.
fn bracket(set: &[u8], byte: u8) -> Option<&[u8]> {
    let end = set
        .iter()
        .skip(1)
        .position(|&letter| letter == b']')?
        .saturating_add(1);
    let (set, rest) = set.split_at_checked(end)?;
    let (negated, mut set) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let mut contains = false;
    while let Some((&low, after)) = set.split_first() {
        let (high, after) = match after {
            [b'-', high, after @ ..] => (*high, after),
            _ => (low, after),
        };
        contains |= (low..=high).contains(&byte);
        set = after;
    }
    (contains != negated).then(|| rest.get(1..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_a_shell() {
        let matches = |pattern: &str, name: &str| matches(pattern.as_bytes(), name.as_bytes());
        for (pattern, name) in [
            ("*.conf", "a.conf"),
            ("*.conf", "a.conf.conf"),
            ("1?-*", "10-x"),
            ("[a-c]x", "bx"),
            ("[!a]", "b"),
            ("*", ""),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.conf", "a.conf~"),
            ("1?-*", "1-x"),
            ("[a-c]x", "dx"),
            ("[!a]", "a"),
            ("[", "["),
            ("", "a"),
            ("?", ""),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
