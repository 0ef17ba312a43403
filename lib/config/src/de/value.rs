//! One value becomes one field. Units must fit: a size is no plain number, a secret is no plain text.

use std::borrow::Cow;

use serde::de::value::{SeqDeserializer, StringDeserializer, U32Deserializer, U64Deserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::Mismatch;
use crate::value::Value;

/// A setting's value.
pub(super) struct ValueDe<'s>(pub Cow<'s, Value>);

impl ValueDe<'_> {
    fn is_empty(&self) -> bool {
        match &*self.0 {
            Value::Text(text) | Value::User(text, _) => text.is_empty(),
            Value::List(words) => words.is_empty(),
            Value::Groups(groups) => groups.is_empty(),
            Value::Secret(secret) => secret.is_empty(),
            _ => false,
        }
    }

    fn number(&self) -> Result<u64, Mismatch> {
        match &*self.0 {
            Value::Number(number) => Ok(*number),
            Value::Size(_) => Err(mismatch("a size: use config::Size")),
            Value::Seconds(_) => Err(mismatch("a time: use config::Seconds")),
            Value::Millis(_) => Err(mismatch("a time: use config::Millis")),
            _ => Err(mismatch("not a number")),
        }
    }

    fn text(self) -> Result<String, Mismatch> {
        match self.0.into_owned() {
            Value::Text(text) | Value::User(text, _) => Ok(text),
            Value::List(words) => Ok(words.join(" ")),
            Value::Groups(groups) => Ok(groups
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
                .join(" ")),
            Value::Secret(_) => Err(mismatch("secret: use config::Secret")),
            _ => Err(mismatch("not a text")),
        }
    }
}

fn mismatch(text: &str) -> Mismatch {
    Mismatch(format!("the setting is {text}"))
}

/// The `u64` inside of a unit's newtype.
fn unit<'de, V: Visitor<'de>>(visitor: V, number: u64) -> Result<V::Value, Mismatch> {
    visitor.visit_newtype_struct(U64Deserializer::new(number))
}

fn id<'de, V: Visitor<'de>>(visitor: V, name: &str, id: Option<u32>) -> Result<V::Value, Mismatch> {
    let id = id.ok_or_else(|| Mismatch(format!("{name:?} has no number on this host")))?;
    visitor.visit_newtype_struct(U32Deserializer::new(id))
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.visit_u64(self.number()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for ValueDe<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &*self.0 {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(_) | Value::Size(_) | Value::Seconds(_) | Value::Millis(_) => {
                visitor.visit_u64(self.number()?)
            }
            _ => visitor.visit_string(self.text()?),
        }
    }

    numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.is_empty() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match (name, &*self.0) {
            ("Size", Value::Size(number))
            | ("Seconds", Value::Seconds(number))
            | ("Millis", Value::Millis(number)) => unit(visitor, *number),
            ("Size" | "Seconds" | "Millis", _) => {
                Err(Mismatch(format!("the setting is no {name}")))
            }
            ("Secret", Value::Secret(secret)) => {
                visitor.visit_newtype_struct(StringDeserializer::new(secret.reveal().to_owned()))
            }
            ("Secret", _) => Err(mismatch("not secret: use String")),
            ("UserId", Value::User(name, number)) => id(visitor, name, *number),
            ("GroupId", Value::Groups(groups)) => match groups.as_slice() {
                [(name, number)] => id(visitor, name, *number),
                _ => Err(mismatch("not one group")),
            },
            ("UserId" | "GroupId", _) => Err(Mismatch(format!("the setting is no {name}"))),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.into_owned() {
            Value::List(words) => visitor.visit_seq(SeqDeserializer::new(words.into_iter())),
            Value::Groups(groups) => {
                let each = groups
                    .into_iter()
                    .map(|group| ValueDe(Cow::Owned(Value::Groups(vec![group]))));
                visitor.visit_seq(SeqDeserializer::new(each))
            }
            _ => Err(mismatch("not a list")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &str,
        _variants: &[&str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let word: StringDeserializer<Mismatch> = StringDeserializer::new(self.text()?);
        visitor.visit_enum(word)
    }

    forward_to_deserialize_any! {
        bool f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, 's> IntoDeserializer<'de, Mismatch> for ValueDe<'s> {
    type Deserializer = ValueDe<'s>;

    fn into_deserializer(self) -> Self {
        self
    }
}
