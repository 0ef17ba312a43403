//! %-variables in values: `maildir:~/Maildir/%d/%n`, `%Lu`, `%2.1n`, `%{user}`.
//!
//! Each value is put in as it is and never read again: a user named `%{env:PATH}` is that text and
//! nothing else. The result is bounded by [`MAX`], so that no width or template grows without end.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// Longest result, bytes.
pub const MAX: usize = 8192;

/// Why a template cannot be expanded: a mistake in the configuration, not in a user's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such variable here.
    #[error("unknown variable %{0}")]
    Unknown(String),
    /// The variable has no value for this user or connection.
    #[error("variable %{0} has no value")]
    Missing(String),
    /// `%{` without `}`, or `%` at the end.
    #[error("unfinished variable")]
    Unfinished,
    /// The result is longer than [`MAX`].
    #[error("the expanded value is too long")]
    TooLong,
}

/// One-letter names and what they are short for.
const SHORT: [(char, &str); 13] = [
    ('u', "user"),
    ('n', "username"),
    ('d', "domain"),
    ('h', "home"),
    ('s', "service"),
    ('l', "lip"),
    ('r', "rip"),
    ('a', "lport"),
    ('b', "rport"),
    ('p', "pid"),
    ('w', "password"),
    ('c', "secured"),
    ('k', "cert"),
];

/// Expands `template`; `lookup` knows variables by their long names (`user`, `username`, `domain`,
/// …).
///
/// # Errors
/// [`Error`] names what is wrong with the template.
pub fn expand(template: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Error> {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
        } else if chars.next_if_eq(&'%').is_some() {
            out.push('%');
        } else {
            let variable = Variable::parse(&mut chars)?;
            out.push_str(&variable.value(lookup)?);
        }
        if out.len() > MAX {
            return Err(Error::TooLong);
        }
    }
    Ok(out)
}

/// `user`, `username` and `domain` of a user name; other names go on to `other`.
#[must_use]
pub fn of_user(user: &str, name: &str) -> Option<String> {
    let (local, domain) = user.split_once('@').unwrap_or((user, ""));
    match name {
        "user" => Some(user.to_owned()),
        "username" => Some(local.to_owned()),
        "domain" => Some(domain.to_owned()),
        _ => None,
    }
}

struct Variable {
    name: Cow<'static, str>,
    modifiers: Vec<char>,
    offset: isize,
    width: Option<usize>,
}

impl Variable {
    fn parse(chars: &mut Peekable<Chars<'_>>) -> Result<Self, Error> {
        let (offset, width) = range(chars);
        let mut modifiers = Vec::new();
        while let Some(modifier) = chars.next_if(|c| matches!(c, 'L' | 'U' | 'R' | 'T')) {
            modifiers.push(modifier);
        }
        let name = match chars.next().ok_or(Error::Unfinished)? {
            '{' => long_name(chars)?,
            short => {
                let known = SHORT.iter().find(|(letter, _)| *letter == short);
                Cow::Borrowed(known.ok_or_else(|| Error::Unknown(short.to_string()))?.1)
            }
        };
        Ok(Self {
            name,
            modifiers,
            offset,
            width,
        })
    }

    fn value(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Error> {
        let mut value = lookup(&self.name).ok_or_else(|| Error::Missing(self.name.to_string()))?;
        for modifier in &self.modifiers {
            value = match modifier {
                'L' => value.to_lowercase(),
                'U' => value.to_uppercase(),
                'R' => value.chars().rev().collect(),
                _ => value.trim_end().to_owned(),
            };
        }
        Ok(self.cut(&value))
    }

    /// `%2.1n`: one character from offset 2; a negative offset counts from the end.
    fn cut(&self, value: &str) -> String {
        let length = value.chars().count();
        let skip = if self.offset < 0 {
            length.saturating_sub(self.offset.unsigned_abs())
        } else {
            self.offset.unsigned_abs()
        };
        value
            .chars()
            .skip(skip)
            .take(self.width.unwrap_or(usize::MAX))
            .collect()
    }
}

/// `[offset.][width]`; numbers too long for any value count as the longest.
fn range(chars: &mut Peekable<Chars<'_>>) -> (isize, Option<usize>) {
    let negative = chars.next_if_eq(&'-').is_some();
    let first = number(chars);
    if chars.next_if_eq(&'.').is_some() {
        let offset = isize::try_from(first.unwrap_or(0)).unwrap_or(isize::MAX);
        return (if negative { -offset } else { offset }, number(chars));
    }
    (0, first)
}

fn number(chars: &mut Peekable<Chars<'_>>) -> Option<usize> {
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        value = Some(
            value
                .unwrap_or(0_usize)
                .saturating_mul(10)
                .saturating_add(digit as usize)
                .min(MAX),
        );
    }
    value
}

fn long_name(chars: &mut Peekable<Chars<'_>>) -> Result<Cow<'static, str>, Error> {
    let mut name = String::new();
    loop {
        match chars.next().ok_or(Error::Unfinished)? {
            '}' => return Ok(Cow::Owned(name)),
            c => name.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(template: &str, user: &str) -> Result<String, Error> {
        expand(template, &|name| of_user(user, name))
    }

    #[test]
    fn the_parts_of_a_user() {
        assert_eq!(
            run("/x/%d/%n:%u", "Joe@Example.org").unwrap(),
            "/x/Example.org/Joe:Joe@Example.org"
        );
        assert_eq!(run("%Ld/%1n/%Un%%", "joe@EX").unwrap(), "ex/j/JOE%");
        assert_eq!(run("%{user}|%2.1n|%-2.2n", "joey").unwrap(), "joey|e|ey");
        assert_eq!(run("[%d]", "joe").unwrap(), "[]");
    }

    #[test]
    fn a_value_is_not_read_again() {
        assert_eq!(
            run("%u", "%99999999u%{env:PATH}").unwrap(),
            "%99999999u%{env:PATH}"
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(run("%q", "x"), Err(Error::Unknown("q".to_owned())));
        assert_eq!(run("%h", "x"), Err(Error::Missing("home".to_owned())));
        assert_eq!(run("%", "x"), Err(Error::Unfinished));
        assert_eq!(run("%{user", "x"), Err(Error::Unfinished));
        assert_eq!(
            run(&"%u".repeat(100), &"x".repeat(255)),
            Err(Error::TooLong)
        );
        assert_eq!(run("%99999999999999999999999u", "x").unwrap(), "x");
    }
}
