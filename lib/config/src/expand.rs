//! `%u`, `%{user}`, `%1.2Hd`: variables in settings such as `mail_location` and `login_log_format_elements`.
//!
//! A variable is `%`, then optionally an offset and a width, modifiers, and a letter or a name in braces:
//!
//! ```text
//! %u %{user}     the value                     %3u %-3u %2.3u  width 3 at offset 0, the last 3, width 3 at offset 2
//! %Lu %Uu        lower and upper case          %Hu %Nu         hash as hex; with %8.16Nu: modulo 16, 8 digits
//! %Mu %Ru %Tu    MD5 as hex, reversed, trimmed %Xu %Du %Eu     number as hex, dots as ,dc=, quotes escaped
//! %%             a percent sign                %{if;a;eq;b;yes;no}  one of two texts
//! ```

mod condition;
mod md5;
mod modifier;

use modifier::Modifiers;

/// Longest result, bytes.
pub const MAX: usize = 8192;

/// Why a template cannot be expanded: a mistake in the configuration, not in a user's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither the caller nor this module knows this name.
    #[error("Unknown variable '%{0}'")]
    Unknown(String),
    /// The variable has no value for this user or connection.
    #[error("variable %{0} has no value")]
    Missing(String),
    /// The result is longer than [`MAX`].
    #[error("the expanded value is too long")]
    TooLong,
    /// `%{if;…}` that is not complete, or with an operator that does not exist.
    #[error("Invalid condition: {0}")]
    Condition(String),
    /// Braces within braces within braces …
    #[error("Too many nested braces")]
    Depth,
}

/// One-letter names and what they are short for; other letters are asked for as they are.
const SHORT: [(&str, &str); 13] = [
    ("u", "user"),
    ("n", "username"),
    ("d", "domain"),
    ("h", "home"),
    ("s", "service"),
    ("l", "lip"),
    ("r", "rip"),
    ("a", "lport"),
    ("b", "rport"),
    ("p", "pid"),
    ("w", "password"),
    ("c", "secured"),
    ("k", "cert"),
];

/// Deepest nesting of `%{if;…}`.
const MAX_DEPTH: usize = 8;

/// Replaces the variables in `template`. `lookup` is asked for long names (`user`, `username`, `domain`, …)
/// and for the letters that have none. `%{hostname}`, `%{pid}` and `%{env:X}` are known without it.
///
/// A value is put in as it is and never read again: a user named `%{env:PATH}` is that text and nothing else.
///
/// # Errors
/// [`Error`] names what is wrong with the template.
pub fn expand(template: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Error> {
    expand_at(template, lookup, 0)
}

/// `user`, `username` and `domain` of a user name; None for other names.
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

fn expand_at(
    template: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Depth);
    }
    let mut result = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('%') {
        result.push_str(literal);
        let (modifiers, after) = Modifiers::parse(after);
        let (name, after) = name(after)?;
        result.push_str(&value(name, &modifiers, lookup, depth)?);
        if result.len() > MAX {
            return Err(Error::TooLong);
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// The letter or the name in braces, and what follows it.
fn name(text: &str) -> Result<(&str, &str), Error> {
    if let Some(inner) = text.strip_prefix('{') {
        let end = closing_brace(inner).ok_or_else(|| Error::Unknown("{".to_owned()))?;
        let (name, after) = inner.split_at_checked(end).unwrap_or((inner, ""));
        return Ok((name, after.strip_prefix('}').unwrap_or(after)));
    }
    let end = text.chars().next().map_or(0, char::len_utf8);
    Ok(text.split_at_checked(end).unwrap_or((text, "")))
}

/// The place of the brace that closes the one before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, letter) in text.char_indices() {
        match letter {
            '{' => depth = depth.saturating_add(1),
            '}' if depth == 0 => return Some(place),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn value(
    name: &str,
    modifiers: &Modifiers,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, Error> {
    let value = match name {
        "" => return Ok(String::new()),
        "%" => return Ok("%".to_owned()),
        _ => match name.strip_prefix("if;") {
            Some(parts) => condition::choose(parts, &|part| {
                expand_at(part, lookup, depth.saturating_add(1))
            })?,
            None => known(name, lookup)?,
        },
    };
    Ok(modifiers.apply(value))
}

fn known(name: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Error> {
    let long = SHORT
        .iter()
        .find(|(letter, _)| *letter == name)
        .map(|(_, long)| *long);
    let missing = || match long {
        Some(long) => Error::Missing(long.to_owned()),
        None => Error::Unknown(name.to_owned()),
    };
    let asked = long.unwrap_or(name);
    lookup(asked).or_else(|| general(asked)).ok_or_else(missing)
}

/// What can be known without the caller.
fn general(name: &str) -> Option<String> {
    match name {
        "pid" => Some(std::process::id().to_string()),
        "hostname" => Some(
            rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
        ),
        _ => name
            .strip_prefix("env:")
            .map(|variable| std::env::var(variable).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
