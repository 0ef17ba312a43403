//! Physical lines become logical lines, logical lines become statements.

/// One statement of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Nothing: an empty line or a comment.
    Nothing,
    /// `key = value`.
    Assign {
        /// Left side.
        key: String,
        /// Right side.
        value: RawValue,
    },
    /// `kind name {`.
    Begin {
        /// `service`, `protocol`, …
        kind: String,
        /// Empty without one; quotes are gone.
        name: String,
    },
    /// `}`.
    End,
    /// `!include pattern` or `!include_try pattern`.
    Include {
        /// A path, perhaps with `*`, `?` and `[…]`.
        pattern: String,
        /// Which of the two.
        must_exist: Presence,
    },
}

/// The right side of an assignment as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawValue {
    /// In quotes: exactly this.
    Quoted(String),
    /// `<path`: the file's content.
    File(String),
    /// Anything else; may name variables.
    Plain(String),
}

/// Must an included file be there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// `!include`.
    Required,
    /// `!include_try`.
    Optional,
}

/// How a comment began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comment {
    /// After a space, or not at all.
    Clear,
    /// In the middle of a word: perhaps it was no comment.
    Ambiguous,
}

/// What came of one more physical line.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// The line goes on (`\` at its end).
    More,
    /// A logical line without comment and surrounding white space.
    Whole {
        /// The line.
        line: String,
        /// How its comment began.
        ambiguous: Comment,
    },
}

/// Puts lines that end with `\` together.
#[derive(Default)]
pub struct Joiner {
    before: String,
}

impl Joiner {
    /// One more physical line.
    pub fn add(&mut self, line: &str) -> Joined {
        let line = line.trim_matches(is_white);
        let (line, ambiguous) = without_comment(line);
        let line = line.trim_end_matches(is_white);
        if let Some(part) = line.strip_suffix('\\') {
            self.before.push_str(part.trim_end_matches(is_white));
            self.before.push(' ');
            return Joined::More;
        }
        let before = std::mem::take(&mut self.before);
        // As in Dovecot, nothing is left of a line that an empty one should continue.
        let line = if line.is_empty() {
            String::new()
        } else {
            (before + line).trim_start_matches(is_white).to_owned()
        };
        Joined::Whole { line, ambiguous }
    }

    /// What a last line with `\` left behind.
    pub fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.before);
        let rest = rest.trim_end_matches(is_white);
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

fn is_white(letter: char) -> bool {
    letter == ' ' || letter == '\t' || letter == '\r'
}

/// Cuts a comment off: `#` outside of quotes. An unclosed quote means that there is none.
fn without_comment(line: &str) -> (&str, Comment) {
    let mut letters = line.char_indices();
    let mut previous = ' ';
    while let Some((place, letter)) = letters.next() {
        match letter {
            '#' => {
                let clear = if is_white(previous) {
                    Comment::Clear
                } else {
                    Comment::Ambiguous
                };
                return (line.get(..place).unwrap_or(line), clear);
            }
            '"' | '\'' => skip_quoted(&mut letters, letter),
            _ => {}
        }
        previous = letter;
    }
    (line, Comment::Clear)
}

fn skip_quoted(letters: &mut std::str::CharIndices<'_>, quote: char) {
    while let Some((_, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            _ if letter == quote => return,
            _ => {}
        }
    }
}

impl Statement {
    /// Reads one logical line; the error is one line for the administrator, in Dovecot's words.
    pub fn parse(line: &str) -> Result<Self, String> {
        if line.is_empty() {
            return Ok(Self::Nothing);
        }
        if let Some(rest) = line.strip_prefix('}') {
            return if rest.is_empty() {
                Ok(Self::End)
            } else {
                Err("Garbage after '}'".to_owned())
            };
        }
        let end = line
            .find(|letter| is_white(letter) || letter == '=')
            .unwrap_or(line.len());
        let (key, rest) = line.split_at_checked(end).unwrap_or((line, ""));
        let rest = rest.trim_start_matches(is_white);
        match (key, rest.strip_prefix('=')) {
            ("", _) => Err("Expecting a setting's name before '='".to_owned()),
            (_, Some(value)) => Ok(Self::Assign {
                key: key.to_owned(),
                value: RawValue::parse(value),
            }),
            ("!include", None) => include(rest, Presence::Required),
            ("!include_try", None) => include(rest, Presence::Optional),
            (_, None) => begin(key, rest),
        }
    }
}

fn include(pattern: &str, must_exist: Presence) -> Result<Statement, String> {
    match pattern {
        "" => Err("!include needs a path".to_owned()),
        _ => Ok(Statement::Include {
            pattern: unquoted(pattern),
            must_exist,
        }),
    }
}

/// `kind name {`: the rest after the kind.
fn begin(kind: &str, rest: &str) -> Result<Statement, String> {
    let (name, rest) = section_name(rest);
    match rest.trim_start_matches(is_white).strip_prefix('{') {
        None => Err("Expecting '{'".to_owned()),
        Some("") => Ok(Statement::Begin {
            kind: kind.to_owned(),
            name,
        }),
        Some(_) => Err("Garbage after '{'".to_owned()),
    }
}

/// A name in quotes or without spaces, and what follows.
fn section_name(rest: &str) -> (String, &str) {
    if let Some(inner) = rest.strip_prefix('"') {
        let mut letters = inner.char_indices();
        skip_quoted(&mut letters, '"');
        let after = letters.as_str();
        let quoted = inner.len().checked_sub(after.len().saturating_add(1));
        let name = quoted.and_then(|end| inner.get(..end)).unwrap_or(inner);
        return (unescaped(name), after);
    }
    if rest.starts_with('{') {
        return (String::new(), rest);
    }
    let end = rest.find(is_white).unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    (name.to_owned(), after)
}

impl RawValue {
    fn parse(text: &str) -> Self {
        let text = text.trim_matches(is_white);
        if let Some(path) = text.strip_prefix('<') {
            return Self::File(path.trim_start_matches(is_white).to_owned());
        }
        match quoted(text) {
            Some(inner) => Self::Quoted(unescaped(inner)),
            None => Self::Plain(text.to_owned()),
        }
    }
}

/// What stands between two equal quotes at both ends.
fn quoted(text: &str) -> Option<&str> {
    let between = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    between('"').or_else(|| between('\''))
}

fn unquoted(text: &str) -> String {
    quoted(text).map_or_else(|| text.to_owned(), unescaped)
}

/// Without the backslashes before other characters; one at the end is nothing.
fn unescaped(text: &str) -> String {
    let mut letters = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let letter = if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        };
        plain.extend(letter);
    }
    plain
}

#[cfg(test)]
mod tests;
