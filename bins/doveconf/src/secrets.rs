//! Passwords and keys in what is printed for others to read, as Dovecot's doveconf finds them.

/// Instead of a whole value.
const WHOLE: &str = "# hidden, use -P to show it";
/// Instead of a part of it.
const PART: &str = "#hidden_use-P_to_show#";

/// Words after which the next `=` has something secret.
const WORDS: [&str; 3] = ["key", "secret", "pass"];
/// Addresses that may hold a user and a password before `@`.
const SCHEMES: [&str; 3] = ["http://", "https://", "ftp://"];

/// The text of a setting without what should stay secret. None: there is nothing of the kind in it.
pub fn hidden(name: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let ends = ["_password", "_key", "_nonce"];
    if name == "ssl_dh" || ends.iter().any(|end| name.ends_with(end)) {
        return Some(WHOLE.to_owned());
    }
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = next(rest, shown.chars().next_back()) {
        shown.push_str(before);
        shown.push_str(PART);
        rest = after;
    }
    (!shown.is_empty()).then(|| shown + rest)
}

/// Is this what [`hidden`] gave?
pub fn is_hidden(text: &str) -> bool {
    text.starts_with(WHOLE) || text.contains(PART)
}

/// What stands before the first secret, and after it. `previous`: the letter before `text`.
fn next(text: &str, previous: Option<char>) -> Option<(&str, &str)> {
    let mut previous = previous;
    for (at, letter) in text.char_indices() {
        let starts = previous.is_none_or(|letter| !letter.is_ascii_alphanumeric());
        previous = Some(letter);
        let Some(rest) = text.get(at..).filter(|_| starts) else {
            continue;
        };
        if let Some((kept, after)) = word(rest).or_else(|| address(rest)) {
            let before = text.get(..at.saturating_add(kept))?;
            return Some((before, after));
        }
    }
    None
}

/// `key…=secret`: how long what is shown is, and what follows the secret.
fn word(text: &str) -> Option<(usize, &str)> {
    let known = WORDS.iter().find(|word| text.starts_with(**word))?;
    let equals = text.get(known.len()..)?.find('=')?;
    let between = text.get(known.len()..known.len().saturating_add(equals))?;
    if between.trim_end_matches(' ').contains(' ') {
        return None;
    }
    let kept = known.len().saturating_add(equals).saturating_add(1);
    let secret = text.get(kept..)?;
    let end = secret.find([' ', ';']).unwrap_or(secret.len());
    Some((kept, secret.get(end..)?))
}

/// `http://secret@host`: as [`word`].
fn address(text: &str) -> Option<(usize, &str)> {
    let scheme = SCHEMES.iter().find(|scheme| text.starts_with(**scheme))?;
    let after = text.get(scheme.len()..)?;
    let end = after.find(['@', '/', ' '])?;
    let rest = after.get(end..)?;
    rest.starts_with('@').then_some((scheme.len(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_where_dovecot_finds_them() {
        for (text, shown) in [
            ("my_key=1 x", "my_key=# x"),
            ("host=x,pass=y,z", "host=x,pass=#"),
            ("x/key=2;pass=4", "x/key=#;pass=#"),
            ("key =x", "key =#"),
            ("pass=\"a b\" c", "pass=# b\" c"),
            ("https://user:pw@host/x", "https://#@host/x"),
            ("ftp://u:p@h/ ftp://a", "ftp://#@h/ ftp://a"),
        ] {
            let expected = shown.replace('#', PART);
            assert_eq!(hidden("a", text), Some(expected), "{text}");
        }
        for text in [
            "nonsecret=1",
            "password:abc",
            "http://host/a@b",
            "ldap://u:p@h",
            "keyword",
            "/etc/passwd blocking=yes",
            "key blocking = yes",
        ] {
            assert_eq!(hidden("a", text), None, "{text}");
        }
        assert_eq!(hidden("ssl_key", "</x").as_deref(), Some(WHOLE));
        assert_eq!(hidden("ssl_key", ""), None);
    }
}
