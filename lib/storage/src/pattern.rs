//! LIST patterns: `*` matches anything, `%` anything but the separator. RFC 3501 §6.3.8.

/// Does `name` match? Time is bounded by the product of both lengths, whatever the pattern.
#[must_use]
pub fn matches(pattern: &str, name: &str, separator: char) -> bool {
    // INBOX is the same in any case, as a whole name and as the first level.
    let pattern = inbox_upper(pattern, separator);
    let name: Vec<char> = name.chars().collect();
    // reachable[i]: the pattern so far can match the first i characters.
    let mut reachable = vec![false; name.len() + 1];
    if let Some(start) = reachable.first_mut() {
        *start = true;
    }
    for wanted in pattern.chars() {
        reachable = step(wanted, &name, &reachable, separator);
    }
    reachable.last().copied().unwrap_or(false)
}

fn step(wanted: char, name: &[char], reachable: &[bool], separator: char) -> Vec<bool> {
    let mut next = Vec::with_capacity(reachable.len());
    let mut before = false;
    for (at, &here) in reachable.iter().enumerate() {
        let previous = at.checked_sub(1).and_then(|previous| name.get(previous));
        let now = match (wanted, previous) {
            ('*', _) => here || before,
            ('%', Some(&character)) => here || (before && character != separator),
            ('%', None) => here,
            (literal, Some(&character)) => {
                literal == character
                    && at.checked_sub(1).and_then(|p| reachable.get(p)) == Some(&true)
            }
            (_, None) => false,
        };
        next.push(now);
        before = now;
    }
    next
}

fn inbox_upper(pattern: &str, separator: char) -> String {
    match pattern.split_at_checked(5) {
        Some((first, rest))
            if first.eq_ignore_ascii_case("INBOX")
                && (rest.is_empty() || rest.starts_with([separator, '*', '%'])) =>
        {
            format!("INBOX{rest}")
        }
        _ => pattern.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn as_rfc_3501_says() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a/b", false),
            ("%", "a", true),
            ("%/%", "a/b", true),
            ("a%", "abc", true),
            ("a%", "ab/c", false),
            ("a*c", "ab/c", true),
            ("", "", true),
            ("", "a", false),
            ("inbox", "INBOX", true),
            ("InBoX/%", "INBOX/a", true),
            ("inboxes", "INBOXES", false),
            ("%b%", "abc", true),
            ("*/c", "a/b/c", true),
            ("%/c", "a/b/c", false),
            ("ü%", "über", true),
        ] {
            assert_eq!(matches(pattern, name, '/'), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn hostile_patterns_take_no_time() {
        let pattern = "*%".repeat(500) + "x";
        assert!(!matches(&pattern, &"a".repeat(1000), '/'));
    }
}
