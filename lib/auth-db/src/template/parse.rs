//! Reads `%[offset.]width<modifiers>variable` as Dovecot 2.3's `var_expand()` does.

use super::{Modifier, Name, Part, Variable};

/// Why a text with variables makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such variable here.
    #[error("Unknown variable %{0}")]
    Unknown(String),
    /// `%{` without `}`.
    #[error("Missing }} after %{{{0}")]
    Unterminated(String),
    /// `%` at the end.
    #[error("%% at the end: write %%%% for a percent sign")]
    Incomplete,
    /// An offset or width beyond all sense.
    #[error("Number too large in %{0}")]
    Number(String),
}

/// Largest offset, width or modulus.
const MAX_NUMBER: i32 = 65_535;

/// Variables by letter.
const SHORT: &[(char, Name)] = &[
    ('u', Name::User),
    ('n', Name::Username),
    ('d', Name::Domain),
    ('s', Name::Service),
    ('l', Name::LocalIp),
    ('r', Name::RemoteIp),
    ('a', Name::LocalPort),
    ('b', Name::RemotePort),
    ('h', Name::Home),
    ('m', Name::Mech),
    ('c', Name::Secured),
    ('p', Name::Pid),
];

/// Variables by word.
pub(super) const LONG: &[(&str, Name)] = &[
    ("user", Name::User),
    ("username", Name::Username),
    ("domain", Name::Domain),
    ("service", Name::Service),
    ("lip", Name::LocalIp),
    ("rip", Name::RemoteIp),
    ("real_lip", Name::LocalIp),
    ("real_rip", Name::RemoteIp),
    ("lport", Name::LocalPort),
    ("rport", Name::RemotePort),
    ("real_lport", Name::LocalPort),
    ("real_rport", Name::RemotePort),
    ("home", Name::Home),
    ("mech", Name::Mech),
    ("secured", Name::Secured),
    ("pid", Name::Pid),
    ("session", Name::Session),
    ("auth_user", Name::AuthUser),
    ("login_user", Name::LoginUser),
    ("orig_user", Name::OriginalUser),
    ("master_user", Name::MasterUser),
];

/// Modifiers by letter.
const MODIFIERS: &[(char, Modifier)] = &[
    ('L', Modifier::Lower),
    ('U', Modifier::Upper),
    ('E', Modifier::Escape),
    ('X', Modifier::Hex),
    ('R', Modifier::Reverse),
    ('T', Modifier::Trim),
    ('H', Modifier::OldHash),
    ('N', Modifier::NewHash),
    ('M', Modifier::Md5),
];

/// Hashes by word: `%{sha256:user}`.
const HASHES: &[(&str, Modifier)] = &[
    ("md5", Modifier::Md5),
    ("sha1", Modifier::Sha1),
    ("sha256", Modifier::Sha256),
    ("sha512", Modifier::Sha512),
];

pub(super) fn parse(text: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        push_text(&mut parts, before);
        if let Some(after) = after.strip_prefix('%') {
            push_text(&mut parts, "%");
            rest = after;
        } else {
            let (variable, after) = variable(after)?;
            parts.push(Part::Variable(variable));
            rest = after;
        }
    }
    push_text(&mut parts, rest);
    Ok(parts)
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => before.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// What follows a `%`, and the rest.
fn variable(text: &str) -> Result<(Variable, &str), Error> {
    let (first, rest) = number(text, text)?;
    let zero = text.starts_with('0') && !rest.starts_with('.');
    let (offset, width, rest) = match (first, rest.strip_prefix('.')) {
        (offset, Some(after)) => {
            let (width, rest) = number(after, text)?;
            (offset.unwrap_or(0), width.unwrap_or(0), rest)
        }
        // A sign belongs to offsets: Dovecot reads `%-3n` as `%3n`.
        (Some(width), None) => (0, width.abs(), rest),
        (None, None) => (0, 0, rest),
    };
    let mut modifiers = Vec::new();
    let mut rest = rest;
    loop {
        let letter = rest.chars().next().ok_or(Error::Incomplete)?;
        let Some((_, modifier)) = MODIFIERS.iter().find(|(known, _)| *known == letter) else {
            break;
        };
        modifiers.push(*modifier);
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    let (name, rest) = name(rest, &mut modifiers)?;
    Ok((
        Variable {
            name,
            modifiers,
            offset,
            width,
            zero,
        },
        rest,
    ))
}

/// A number at the beginning, if there is one. `whole` is for the error.
fn number<'a>(text: &'a str, whole: &str) -> Result<(Option<i32>, &'a str), Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let len = digits
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(digits.len());
    if len == 0 {
        return Ok((None, text));
    }
    let end = text.len() - digits.len() + len;
    let value = text.get(..end).and_then(|text| text.parse::<i32>().ok());
    match value.filter(|value| value.abs() <= MAX_NUMBER) {
        Some(value) => Ok((Some(value), text.get(end..).unwrap_or_default())),
        None => Err(Error::Number(shown(whole))),
    }
}

/// A letter, or a word in braces, whose hash adds a modifier.
fn name<'a>(text: &'a str, modifiers: &mut Vec<Modifier>) -> Result<(Name, &'a str), Error> {
    let Some(braced) = text.strip_prefix('{') else {
        let letter = text.chars().next().ok_or(Error::Incomplete)?;
        let found = SHORT.iter().find(|(known, _)| *known == letter);
        let (_, name) = found.ok_or_else(|| Error::Unknown(letter.to_string()))?;
        return Ok((
            name.clone(),
            text.get(letter.len_utf8()..).unwrap_or_default(),
        ));
    };
    let (word, rest) = braced
        .split_once('}')
        .ok_or_else(|| Error::Unterminated(shown(braced)))?;
    let unknown = || Error::Unknown(format!("{{{}}}", shown(word)));
    let name = match word.split_once(':') {
        None => by_word(word).ok_or_else(unknown)?,
        Some(("passdb", field)) => Name::Passdb(field.to_owned()),
        Some(("userdb", field)) => Name::Userdb(field.to_owned()),
        Some((hash, field)) => {
            let (_, hash) = HASHES
                .iter()
                .find(|(known, _)| *known == hash)
                .ok_or_else(unknown)?;
            modifiers.insert(0, *hash);
            by_word(field).ok_or_else(unknown)?
        }
    };
    Ok((name, rest))
}

/// A word, or inside of braces a letter too: `%{u}` has always worked.
fn by_word(word: &str) -> Option<Name> {
    let mut letters = word.chars();
    let short = match (letters.next(), letters.next()) {
        (Some(letter), None) => SHORT
            .iter()
            .find(|(known, _)| *known == letter)
            .map(|(_, name)| name),
        _ => None,
    };
    let long = || {
        LONG.iter()
            .find(|(known, _)| *known == word)
            .map(|(_, name)| name)
    };
    short.or_else(long).cloned()
}

/// The beginning of a text, for an error message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
