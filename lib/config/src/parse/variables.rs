//! `$name` in a value: the value of another setting at this place of the file.

/// A value with its variables replaced, twice: as it is printed and as it counts.
#[derive(Debug, PartialEq, Eq)]
pub struct Expanded {
    /// Only `$key` itself is replaced.
    pub raw: String,
    /// All are.
    pub full: String,
    /// Those that stand for nothing; they are left as they are.
    pub unknown: Vec<String>,
}

/// Replaces `$name` at the beginning of a word; elsewhere `$` is a letter like others.
pub fn expand(key: &str, value: &str, lookup: impl Fn(&str) -> Option<String>) -> Expanded {
    let mut expanded = Expanded {
        raw: String::new(),
        full: String::new(),
        unknown: Vec::new(),
    };
    // Dovecot keeps several spaces only where there is nothing to replace.
    let replaced = value.contains('$');
    let words = value
        .split(' ')
        .filter(|word| !(replaced && word.is_empty()));
    for (number, word) in words.enumerate() {
        if number > 0 {
            expanded.raw.push(' ');
            expanded.full.push(' ');
        }
        let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) else {
            expanded.raw.push_str(word);
            expanded.full.push_str(word);
            continue;
        };
        let text = lookup(name).unwrap_or_else(|| {
            expanded.unknown.push(name.to_owned());
            word.to_owned()
        });
        expanded
            .raw
            .push_str(if name == key { &text } else { word });
        expanded.full.push_str(&text);
    }
    expanded
}

fn is_name(name: &str) -> bool {
    name.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_variables() {
        let lookup = |name: &str| (name == "mail_plugins" || name == "x").then(|| "a b".to_owned());
        let expand = |value: &str| expand("mail_plugins", value, lookup);
        let both = |raw: &str, full: &str| Expanded {
            raw: raw.to_owned(),
            full: full.to_owned(),
            unknown: Vec::new(),
        };
        assert_eq!(expand("$mail_plugins c"), both("a b c", "a b c"));
        assert_eq!(expand("c $x"), both("c $x", "c a b"));
        assert_eq!(expand("mbox:$x"), both("mbox:$x", "mbox:$x"));
        assert_eq!(expand("a  $x   c"), both("a $x c", "a a b c"));
        assert_eq!(expand("a  b"), both("a  b", "a  b"));
        assert_eq!(expand("%$: %s $"), both("%$: %s $", "%$: %s $"));
        let unknown = expand("$y z");
        assert_eq!(
            (unknown.full.as_str(), unknown.unknown),
            ("$y z", vec!["y".to_owned()])
        );
    }
}
