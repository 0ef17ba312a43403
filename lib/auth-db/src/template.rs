//! `%` variables in settings of passdbs and userdbs: `/var/mail/%d/%n`, `%Lu`, `%{domain}`, `%2.256Hu`.
//!
//! A [`Template`] is read once, when the configuration is; an unknown variable is an error then. Values are inserted
//! as they are and never expanded again: a `%` in a user name is a `%`.

mod hash;
mod parse;

use std::fmt;

pub use parse::Error;

/// Longest text that an expansion may have, bytes; a setting that needs more is a mistake.
pub const MAX_EXPANDED: usize = 64 * 1024;

/// A text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// One variable: its name, what is done with its value, and which part of that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: Name,
    modifiers: Vec<Modifier>,
    /// Bytes to skip; from the end where negative.
    offset: i32,
    /// Bytes to take, 0: all; where negative, all but so many at the end.
    width: i32,
    /// Fill up with zeros to `width` (`%08n`).
    zero: bool,
}

/// What can be inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `%u`, the whole user name.
    User,
    /// `%n`, what comes before `@`.
    Username,
    /// `%d`, what comes after `@`.
    Domain,
    /// `%s`, `imap`, `lmtp`, …
    Service,
    /// `%l`, our address.
    LocalIp,
    /// `%r`, the client's address.
    RemoteIp,
    /// `%a`, our port.
    LocalPort,
    /// `%b`, the client's port.
    RemotePort,
    /// `%h`, the home directory as far as it is known.
    Home,
    /// `%m`, the SASL mechanism.
    Mech,
    /// `%c`, `secured` on TLS and within the host, else nothing.
    Secured,
    /// `%p`, our process id.
    Pid,
    /// `%{session}`.
    Session,
    /// `%{auth_user}`: whose password was checked; with a master user, that one.
    AuthUser,
    /// `%{login_user}`: as whom a master user logs in.
    LoginUser,
    /// `%{orig_user}`: as the client typed it.
    OriginalUser,
    /// `%{master_user}`.
    MasterUser,
    /// `%{passdb:field}`.
    Passdb(String),
    /// `%{userdb:field}`.
    Userdb(String),
}

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Modifier {
    Lower,
    Upper,
    Escape,
    Hex,
    Reverse,
    Trim,
    /// Dovecot's old hash; width and offset are modulus and digits.
    OldHash,
    /// The first four bytes of MD5, likewise.
    NewHash,
    /// The whole MD5, in hexadecimal.
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// Where values come from.
pub trait Values {
    /// The value; `None` inserts nothing.
    fn value(&self, name: &Name) -> Option<String>;
}

impl Template {
    /// Reads a text with variables.
    ///
    /// # Errors
    /// Says which variable is unknown or malformed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::parse(text).map(|parts| Self { parts })
    }

    /// Inserts the values.
    #[must_use]
    pub fn expand(&self, values: &dyn Values) -> String {
        self.expand_with(values, Some).unwrap_or_default()
    }

    /// Inserts values into a path. A slash in a value becomes `_`, so that a user name cannot climb; `None`: a value is
    /// nothing, `.` or `..`, which names no file of anybody.
    #[must_use]
    pub fn expand_path(&self, values: &dyn Values) -> Option<String> {
        self.expand_with(values, |value| match value.as_str() {
            "" | "." | ".." => None,
            _ => Some(value.replace('/', "_")),
        })
    }

    /// True when nothing is inserted: the expansion is always the same.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        !self
            .parts
            .iter()
            .any(|part| matches!(part, Part::Variable(_)))
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(&variable.name),
            Part::Text(_) => None,
        })
    }

    fn expand_with(
        &self,
        values: &dyn Values,
        clean: impl Fn(String) -> Option<String>,
    ) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(variable) => text.push_str(&clean(variable.value(values))?),
            }
            if text.len() > MAX_EXPANDED {
                text.truncate(text.floor_char_boundary(MAX_EXPANDED));
                break;
            }
        }
        Some(text)
    }
}

impl Variable {
    fn value(&self, values: &dyn Values) -> String {
        let mut value = values.value(&self.name).unwrap_or_default();
        let mut cut = true;
        for modifier in &self.modifiers {
            value = match modifier {
                Modifier::Lower => value.to_ascii_lowercase(),
                Modifier::Upper => value.to_ascii_uppercase(),
                Modifier::Escape => escape(&value),
                Modifier::Hex => hash::hex_number(&value),
                Modifier::Reverse => value.chars().rev().collect(),
                Modifier::Trim => value.trim_end().to_owned(),
                Modifier::OldHash => hash::old(&value, self.modulus(), self.digits()),
                Modifier::NewHash => hash::new(&value, self.modulus(), self.digits()),
                Modifier::Md5 => hash::md5(&value),
                Modifier::Sha1 => hash::sha1(&value),
                Modifier::Sha256 => hash::sha256(&value),
                Modifier::Sha512 => hash::sha512(&value),
            };
            cut &= !matches!(modifier, Modifier::OldHash | Modifier::NewHash);
        }
        if cut { self.cut(&value) } else { value }
    }

    fn modulus(&self) -> u32 {
        self.width.unsigned_abs()
    }

    fn digits(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(0)
    }

    /// Takes `width` bytes from `offset` on, at boundaries of characters.
    fn cut(&self, value: &str) -> String {
        let distance = |number: i32| usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
        let start = match self.offset {
            0.. => distance(self.offset).min(value.len()),
            _ => value.len().saturating_sub(distance(self.offset)),
        };
        let rest = value
            .get(value.ceil_char_boundary(start)..)
            .unwrap_or_default();
        let end = match self.width {
            0 => rest.len(),
            // With a leading zero the width is the least, not the most.
            1.. if self.zero => rest.len(),
            1.. => distance(self.width).min(rest.len()),
            _ => rest.len().saturating_sub(distance(self.width)),
        };
        let taken = rest
            .get(..rest.floor_char_boundary(end))
            .unwrap_or_default();
        let fill = if self.zero {
            distance(self.width.max(0)).saturating_sub(taken.len())
        } else {
            0
        };
        format!("{}{taken}", "0".repeat(fill))
    }
}

/// Backslashes before quotes and backslashes.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '"' | '\'' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match parse::LONG.iter().find(|(_, name)| name == self) {
            Some((text, _)) => out.write_str(text),
            None => write!(out, "{self:?}"),
        }
    }
}

#[cfg(test)]
mod tests;
