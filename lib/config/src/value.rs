//! A checked value: read from text by its kind, kept in snapshots, printed as `doveconf` does.

use serde::{Deserialize, Serialize};

use crate::table::Kind;
use crate::types::Secret;
use crate::units::{self, Precision};

/// A value whose kind was checked. Names of users and groups carry their numbers once compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A number, a port or a mode.
    Number(u64),
    /// Bytes.
    Size(u64),
    /// Whole seconds.
    Seconds(u64),
    /// Milliseconds.
    Millis(u64),
    /// Text; also enums and networks, which were checked.
    Text(String),
    /// Words.
    List(Vec<String>),
    /// Never printed.
    Secret(Secret),
    /// A user: text and number.
    User(String, Option<u32>),
    /// Groups: texts and numbers.
    Groups(Vec<(String, Option<u32>)>),
}

impl Value {
    /// Reads `text`; the error is one line for the administrator, in Dovecot's words.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        Ok(match kind {
            Kind::Bool => Self::Bool(units::parse_bool(text)?),
            Kind::Number => Self::Number(units::parse_number(text)?),
            Kind::Mode => Self::Number(units::parse_mode(text)?),
            Kind::Port => Self::Number(units::parse_port(text)?),
            Kind::Size => Self::Size(units::parse_size(text)?),
            Kind::Seconds => Self::Seconds(units::parse_time(text, Precision::Seconds)?),
            Kind::Millis => Self::Millis(units::parse_time(text, Precision::Millis)?),
            // Networks are checked with the configuration as a whole: wrong ones can be printed.
            Kind::Text | Kind::Networks => Self::Text(text.to_owned()),
            Kind::Enum(words) if words.contains(&text) => Self::Text(text.to_owned()),
            Kind::Enum(words) => {
                return Err(format!(
                    "Invalid value: {text} (use one of: {})",
                    words.join(", ")
                ));
            }
            Kind::List => Self::List(text.split_whitespace().map(str::to_owned).collect()),
            Kind::Secret => Self::Secret(Secret::new(text.to_owned())),
            Kind::User => Self::User(text.to_owned(), text.parse().ok()),
            Kind::Group | Kind::Groups => Self::Groups(
                words(text)
                    .map(|word| (word.to_owned(), word.parse().ok()))
                    .collect(),
            ),
        })
    }

    /// The text that `doveconf` prints for a value of this kind. Lists and plain texts print as they were written.
    pub fn show(kind: Kind, text: &str) -> String {
        match Self::parse(kind, text) {
            Ok(Self::Bool(true)) => "yes".to_owned(),
            Ok(Self::Bool(false)) => "no".to_owned(),
            Ok(Self::Number(mode)) if kind == Kind::Mode => format!("0{mode:o}"),
            Ok(Self::Number(number)) => number.to_string(),
            Ok(Self::Size(bytes)) => units::show_size(bytes),
            Ok(Self::Seconds(seconds)) => units::show_seconds(seconds),
            Ok(Self::Millis(millis)) => units::show_millis(millis),
            _ => text.to_owned(),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '\t']).filter(|word| !word.is_empty())
}
