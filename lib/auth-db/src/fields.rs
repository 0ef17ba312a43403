//! Fields that databases return: names with values, in the order they came, each name once.

use config::expand::{Error, Template};

use crate::context::{Context, template};

/// Named values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Is there such a field, whatever its value?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a field; an older value is gone.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Removes a field and hands its value over.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// No fields at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl IntoIterator for Fields {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Fields of a setting or of a line in a file: `uid=1000 home=/mail/%u nologin`. Expanded for each user.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldTemplates(Vec<(String, Template)>);

impl FieldTemplates {
    /// Reads words between spaces; a word without `=` is a field with nothing in it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let field = |word: &str| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            Ok((name.to_owned(), template(value)?))
        };
        text.split_ascii_whitespace()
            .map(field)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Takes the field `name` out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Template> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Inserts values.
    pub(crate) fn expand(&self, context: &Context<'_>) -> Vec<(String, String)> {
        self.0
            .iter()
            .map(|(name, value)| (name.clone(), context.expand(value)))
            .collect()
    }
}
