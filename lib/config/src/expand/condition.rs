//! `%{if;left;operator;right;yes;no}`.

use super::Error;

/// Evaluates the parts after `if;`. Only the chosen text is expanded.
pub(super) fn choose(
    parts: &str,
    expand: &dyn Fn(&str) -> Result<String, Error>,
) -> Result<String, Error> {
    let wrong = || Error::Condition(parts.to_owned());
    let split = split(parts);
    let [left, operator, right, yes, no] = split.as_slice() else {
        return Err(wrong());
    };
    let (left, right) = (expand(left)?, expand(right)?);
    let holds = compare(&left, operator, &right).ok_or_else(wrong)?;
    expand(if holds { yes } else { no })
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
