//! `%{if;left;operator;right;yes;no}`.

use super::{Error, Lookup, Template, parse};

/// Two texts, and what decides between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    left: Template,
    operator: String,
    right: Template,
    yes: Template,
    no: Template,
}

impl Choice {
    /// Reads the parts after `if;`.
    pub(super) fn parse(parts: &str, depth: usize) -> Result<Self, Error> {
        let wrong = || Error::Condition(parts.to_owned());
        let split = split(parts);
        let [left, operator, right, yes, no] = split.as_slice() else {
            return Err(wrong());
        };
        compare("", operator, "").ok_or_else(wrong)?;
        let read = |part: &str| parse::template(part, depth.saturating_add(1));
        Ok(Self {
            left: read(left)?,
            operator: operator.clone(),
            right: read(right)?,
            yes: read(yes)?,
            no: read(no)?,
        })
    }

    /// The text that counts. Only that one is expanded.
    pub(super) fn template(&self, lookup: &Lookup<'_>) -> Result<&Template, Error> {
        let (left, right) = (self.left.expand(lookup)?, self.right.expand(lookup)?);
        match compare(&left, &self.operator, &right) {
            Some(true) => Ok(&self.yes),
            _ => Ok(&self.no),
        }
    }

    pub(super) fn names(&self) -> Vec<&str> {
        [&self.left, &self.right, &self.yes, &self.no]
            .into_iter()
            .flat_map(Template::names)
            .collect()
    }
}

/// None for an operator that does not exist. `~` (regular expressions) is not offered.
fn compare(left: &str, operator: &str, right: &str) -> Option<bool> {
    let numbers = || {
        (
            left.parse::<i64>().unwrap_or_default(),
            right.parse::<i64>().unwrap_or_default(),
        )
    };
    Some(match operator {
        "eq" => left == right,
        "ne" => left != right,
        "lt" => left < right,
        "le" => left <= right,
        "gt" => left > right,
        "ge" => left >= right,
        "==" => numbers().0 == numbers().1,
        "!=" => numbers().0 != numbers().1,
        "<" => numbers().0 < numbers().1,
        "<=" => numbers().0 <= numbers().1,
        ">" => numbers().0 > numbers().1,
        ">=" => numbers().0 >= numbers().1,
        "*" => crate::wildcard::matches(right.as_bytes(), left.as_bytes()),
        "!*" => !crate::wildcard::matches(right.as_bytes(), left.as_bytes()),
        _ => return None,
    })
}

/// The parts between `;`, those in braces and those after a backslash left alone.
fn split(parts: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut depth = 0_usize;
    let mut letters = parts.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ';' if depth == 0 => {
                all.push(String::new());
                continue;
            }
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let escaped = if letter == '\\' { letters.next() } else { None };
        if let Some(last) = all.last_mut() {
            last.push(escaped.unwrap_or(letter));
        }
    }
    all
}
