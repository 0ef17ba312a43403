//! Settings become a service's struct: a serde deserializer that looks up just the fields that are asked for.

mod value;

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::effective::{self, Effective};
use crate::snapshot::Compiled;
use crate::table::{self, Naming, Section};
use value::ValueDe;

/// Why a struct can't be filled.
#[derive(Debug)]
pub(crate) struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

/// The global settings.
pub(crate) struct Root<'r, 's>(pub &'r Effective<'s>);

impl<'de> Deserializer<'de> for Root<'_, '_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch(
            "settings are a struct with named fields, without #[serde(flatten)]".to_owned(),
        ))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Fields {
            names: fields.iter(),
            current: None,
            source: &self,
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// Where the fields of a struct come from.
trait Source {
    /// The field's value goes to `seed`.
    fn field<'de, S: DeserializeSeed<'de>>(
        &self,
        name: &'static str,
        seed: S,
    ) -> Result<S::Value, Mismatch>;
}

impl Source for Root<'_, '_> {
    fn field<'de, S: DeserializeSeed<'de>>(
        &self,
        name: &'static str,
        seed: S,
    ) -> Result<S::Value, Mismatch> {
        let about = |error: Mismatch| Mismatch(format!("{name}: {error}"));
        let Some(section) = table::SECTIONS.iter().find(|section| section.name == name) else {
            let value = self.0.value(name).map_err(Mismatch)?;
            return seed.deserialize(ValueDe(value)).map_err(about);
        };
        if section.naming == Naming::Free {
            let pairs = self.0.plugin(section).map_err(Mismatch)?;
            return seed
                .deserialize(Pairs(
                    pairs
                        .into_iter()
                        .map(|(key, value)| (key, ValueDe(Cow::Owned(value))))
                        .collect(),
                ))
                .map_err(about);
        }
        let blocks = self.0.sections(section).map_err(Mismatch)?;
        let blocks = blocks.into_iter().map(|block| BlockDe { section, block });
        seed.deserialize(SeqDeserializer::new(blocks))
            .map_err(about)
    }
}

/// One section.
struct BlockDe<'s> {
    section: &'static Section,
    block: Cow<'s, Compiled>,
}

impl Source for BlockDe<'_> {
    fn field<'de, S: DeserializeSeed<'de>>(
        &self,
        name: &'static str,
        seed: S,
    ) -> Result<S::Value, Mismatch> {
        let about = |error: Mismatch| Mismatch(format!("{} {{ {name}: {error}", self.section.name));
        if name == "name" {
            return seed
                .deserialize(StringDeserializer::new(self.block.name.clone()))
                .map_err(about);
        }
        if let Some(section) = self
            .section
            .sections
            .iter()
            .find(|section| section.name == name)
        {
            let blocks = self
                .block
                .blocks
                .iter()
                .filter(|block| block.section == name);
            let blocks = blocks.map(|block| BlockDe {
                section,
                block: Cow::Borrowed(block),
            });
            return seed
                .deserialize(SeqDeserializer::new(blocks))
                .map_err(about);
        }
        let setting = self
            .section
            .settings
            .iter()
            .find(|setting| setting.name == name);
        let setting = setting.ok_or_else(|| {
            Mismatch(format!(
                "there is no setting {} {{ {name}",
                self.section.name
            ))
        })?;
        let value = match self.block.values.get(name) {
            Some(value) => Cow::Borrowed(value),
            None => effective::default(setting, setting.default).map_err(Mismatch)?,
        };
        seed.deserialize(ValueDe(value)).map_err(about)
    }
}

impl<'de> Deserializer<'de> for BlockDe<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch(
            "a section is a struct with named fields".to_owned(),
        ))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Fields {
            names: fields.iter(),
            current: None,
            source: &self,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Mismatch> for BlockDe<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Hands the fields of a struct over, one by one.
struct Fields<'r, S> {
    names: std::slice::Iter<'static, &'static str>,
    current: Option<&'static str>,
    source: &'r S,
}

impl<'de, S: Source> MapAccess<'de> for Fields<'_, S> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        self.current = self.names.next().copied();
        let Some(name) = self.current else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mismatch> {
        let name = self
            .current
            .ok_or_else(|| Mismatch("a value without a field".to_owned()))?;
        self.source.field(name, seed)
    }
}

/// `plugin { … }` as a map.
struct Pairs(Vec<(String, ValueDe<'static>)>);

impl<'de> Deserializer<'de> for Pairs {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(de::value::MapDeserializer::new(self.0.into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
