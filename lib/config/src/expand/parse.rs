//! Reads `%[offset.]width<modifiers>variable` as Dovecot 2.3's `var_expand()` does.

use super::condition::Choice;
use super::modifier::{Modifier, Modifiers};
use super::{Error, Part, SHORT, Template};

/// Largest offset, width or modulus.
const MAX_NUMBER: i32 = 65_535;
/// Deepest nesting of `%{if;…}`.
const MAX_DEPTH: usize = 8;

pub(super) fn template(text: &str, depth: usize) -> Result<Template, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Depth);
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        push_text(&mut parts, before);
        let (mut modifiers, after) = modifiers(after)?;
        let (name, after) = name(after)?;
        match name {
            "" => {}
            "%" => push_text(&mut parts, "%"),
            _ => match name.strip_prefix("if;") {
                Some(condition) => {
                    let choice = Box::new(Choice::parse(condition, depth)?);
                    parts.push(Part::Choice(choice, modifiers));
                }
                None => {
                    let name = modifiers.hashed(name);
                    parts.push(Part::Variable(long(name).to_owned(), modifiers));
                }
            },
        }
        rest = after;
    }
    push_text(&mut parts, rest);
    Ok(Template { parts })
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => before.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// What a letter is short for.
fn long(name: &str) -> &str {
    let found = SHORT.iter().find(|(letter, _)| *letter == name);
    found.map_or(name, |(_, long)| *long)
}

/// What stands between `%` and the name, and the rest.
fn modifiers(text: &str) -> Result<(Modifiers, &str), Error> {
    let mut modifiers = Modifiers::default();
    let (first, rest) = number(text, text)?;
    modifiers.zero = text.starts_with('0') && !rest.starts_with('.');
    let mut rest = match (first, rest.strip_prefix('.')) {
        (offset, Some(after)) => {
            let (width, rest) = number(after, text)?;
            (modifiers.offset, modifiers.width) = (offset.unwrap_or(0), width.unwrap_or(0));
            rest
        }
        (width, None) => {
            // A sign belongs to offsets: Dovecot reads `%-3n` as `%3n`.
            modifiers.width = width.unwrap_or(0).abs();
            rest
        }
    };
    while let Some(letter) = rest.chars().next()
        && let Some(modifier) = Modifier::of_letter(letter)
    {
        modifiers.each.push(modifier);
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    Ok((modifiers, rest))
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
    let end = text.len().saturating_sub(digits.len()).saturating_add(len);
    let value = text.get(..end).and_then(|text| text.parse::<i32>().ok());
    match value.filter(|value| value.abs() <= MAX_NUMBER) {
        Some(value) => Ok((Some(value), text.get(end..).unwrap_or_default())),
        None => Err(Error::Number(shown(whole))),
    }
}

/// The letter or the name in braces, and what follows it.
fn name(text: &str) -> Result<(&str, &str), Error> {
    if let Some(inner) = text.strip_prefix('{') {
        let end = closing_brace(inner).ok_or_else(|| Error::Unterminated(shown(inner)))?;
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

/// The beginning of a text, for an error message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
