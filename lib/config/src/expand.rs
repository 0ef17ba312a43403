//! `%u`, `%{user}`, `%1.2Hd`: variables in settings, in Dovecot 2.3's language. The one engine for all of them.
//!
//! A variable is `%`, then optionally an offset and a width, modifiers, and a letter or a name in braces:
//!
//! ```text
//! %u %{user}     the value                     %3u %.3u %2.3u  width 3 at offset 0, the same, width 3 at offset 2
//! %Lu %Uu        lower and upper case          %-2.2u %2.-1u   offset from the end; all but the last
//! %Hu %Nu        hash as hex; with %8.16Nu: modulo 16, 8 digits
//! %Mu %Ru %Tu    MD5 as hex, reversed, trimmed %Xu %Du %Eu     number as hex, dots as ,dc=, quotes escaped
//! %08u           filled up with zeros          %{md5:user}     MD5 as hex
//! %%             a percent sign                %{if;a;eq;b;yes;no}  one of two texts
//! ```

mod condition;
mod hash;
mod md5;
mod modifier;
mod parse;

use condition::Choice;
use modifier::Modifiers;

/// Longest result, bytes; a setting that needs more is a mistake.
pub const MAX: usize = 64 << 10;

/// Why a template cannot be read or expanded: a mistake in the configuration, not in a user's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither the caller nor this module knows this name.
    #[error("Unknown variable '%{0}'")]
    Unknown(String),
    /// The variable has no value for this user or connection.
    #[error("variable %{0} has no value")]
    Missing(String),
    /// `%{` without `}`.
    #[error("Missing }} after %{{{0}")]
    Unterminated(String),
    /// An offset or width beyond all sense.
    #[error("Number too large in %{0}")]
    Number(String),
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

/// Who gives values: asked for long names (`user`, `passdb:field`, …) and for the letters that have none.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A text with variables, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String, Modifiers),
    Choice(Box<Choice>, Modifiers),
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

/// Replaces the variables in `template`: [`Template::parse`] and [`Template::expand`].
///
/// # Errors
/// [`Error`] names what is wrong with the template.
pub fn expand(template: &str, lookup: &Lookup<'_>) -> Result<String, Error> {
    Template::parse(template)?.expand(lookup)
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

impl Template {
    /// Reads a text with variables.
    ///
    /// # Errors
    /// [`Error::Unterminated`], [`Error::Number`], [`Error::Condition`], [`Error::Depth`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::template(text, 0)
    }

    /// Puts the values in. `%{hostname}`, `%{pid}` and `%{env:X}` are known without `lookup`.
    ///
    /// A value is put in as it is and never read again: a user named `%{env:PATH}` is that text and nothing else.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Missing`], [`Error::TooLong`].
    pub fn expand(&self, lookup: &Lookup<'_>) -> Result<String, Error> {
        let whole = self.expand_with(lookup, &Some)?;
        Ok(whole.unwrap_or_default())
    }

    /// Puts values into a path. A slash in a value becomes `_`, so that a user name cannot climb; `None`: a value is
    /// nothing, `.` or `..`, which names no file of anybody.
    ///
    /// # Errors
    /// As [`Self::expand`].
    pub fn expand_path(&self, lookup: &Lookup<'_>) -> Result<Option<String>, Error> {
        self.expand_with(lookup, &|value| match value.as_str() {
            "" | "." | ".." => None,
            _ => Some(value.replace('/', "_")),
        })
    }

    /// True when nothing is put in: the result is always the same.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The names of all variables, long where they have a long name.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(_) => {}
                Part::Variable(name, _) => names.push(name.as_str()),
                Part::Choice(choice, _) => names.extend(choice.names()),
            }
        }
        names
    }

    fn expand_with(
        &self,
        lookup: &Lookup<'_>,
        clean: &dyn Fn(String) -> Option<String>,
    ) -> Result<Option<String>, Error> {
        let mut text = String::new();
        for part in &self.parts {
            let more = match part {
                Part::Text(part) => Some(part.clone()),
                Part::Variable(name, modifiers) => clean(modifiers.apply(value(name, lookup)?)),
                Part::Choice(choice, modifiers) => {
                    let chosen = choice.template(lookup)?.expand_with(lookup, clean)?;
                    chosen.map(|chosen| modifiers.apply(chosen))
                }
            };
            let Some(more) = more else {
                return Ok(None);
            };
            text.push_str(&more);
            if text.len() > MAX {
                return Err(Error::TooLong);
            }
        }
        Ok(Some(text))
    }
}

fn value(name: &str, lookup: &Lookup<'_>) -> Result<String, Error> {
    let is_known = SHORT.iter().any(|(_, long)| *long == name);
    lookup(name).or_else(|| general(name)).ok_or_else(|| {
        let name = name.to_owned();
        if is_known {
            Error::Missing(name)
        } else {
            Error::Unknown(name)
        }
    })
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
