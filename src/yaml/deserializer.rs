//! Serde deserializer over the node tree; errors carry the innermost position.

use std::iter::Enumerate;
use std::slice;

use serde::de::value::{BorrowedStrDeserializer, U64Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::YamlError;
use super::node::{Key, Node, Value};
use super::scalar::SPANNED;

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Int(value) => Unexpected::Signed(*value),
            Value::Float(value) => Unexpected::Float(*value),
            Value::String(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = YamlError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, YamlError> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::List(entries) => visitor.visit_seq(Entries {
                entries: entries.iter().enumerate(),
            }),
            Value::Map(entries) => visitor.visit_map(Fields {
                entries: entries.iter().enumerate(),
                value: None,
            }),
        }
        .map_err(|error: YamlError| error.or_at(self.position()))
    }

    /// A number or bool where text is expected is read as written: `code: 500` in a map of labels.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, YamlError> {
        match &self.value {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => visitor
                .visit_borrowed_str(&self.raw)
                .map_err(|error: YamlError| error.or_at(self.position())),
            Value::Null | Value::String(_) | Value::List(_) | Value::Map(_) => {
                self.deserialize_any(visitor)
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, YamlError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, YamlError> {
        match &self.value {
            Value::Null => visitor.visit_none(),
            Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Map(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, YamlError> {
        visitor
            .visit_newtype_struct(self)
            .map_err(|error: YamlError| error.or_at(self.position()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, YamlError> {
        if name == SPANNED {
            return visitor
                .visit_seq(WithPlace {
                    node: self,
                    step: 0,
                })
                .map_err(|error: YamlError| error.or_at(self.position()));
        }
        match &self.value {
            // A derived struct would also accept a list, field by field, which is never intended in settings.
            Value::Map(_) => self.deserialize_any(visitor),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => Err(YamlError::at(
                self.position(),
                format!("expected a map, found {}", self.describe()),
            )),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, YamlError> {
        match &self.value {
            Value::String(text) => visitor
                .visit_enum(Word(text))
                .map_err(|error: YamlError| error.or_at(self.position())),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_) => {
                let words = known
                    .iter()
                    .map(|word| format!("`{word}`"))
                    .collect::<Vec<_>>()
                    .join(", ");
                Err(YamlError::at(
                    self.position(),
                    format!("expected one of {words}, found {}", self.describe()),
                ))
            }
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, YamlError> {
        match self.value {
            Value::Int(value) if value < 0 => {
                let error: YamlError = serde::de::Error::invalid_value(
                    self.unexpected(),
                    &"a number that is not negative",
                );
                Err(error.or_at(self.position()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, YamlError> {
        self.deserialize_u64(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// The entries of a list.
struct Entries<'de> {
    entries: Enumerate<slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Entries<'de> {
    type Error = YamlError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, YamlError> {
        let Some((place, node)) = self.entries.next() else {
            return Ok(None);
        };
        seed.deserialize(node)
            .map(Some)
            .map_err(|error| error.or_at(node.position()).within(place))
    }
}

/// The entries of a map.
struct Fields<'de> {
    entries: Enumerate<slice::Iter<'de, (Key, Node)>>,
    value: Option<(usize, &'de Node)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = YamlError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, YamlError> {
        let Some((place, (key, node))) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((place, node));
        let name: BorrowedStrDeserializer<'de, YamlError> = BorrowedStrDeserializer::new(&key.name);
        seed.deserialize(name)
            .map(Some)
            .map_err(|error| error.or_at(key.position()).within(place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, YamlError> {
        match self.value.take() {
            Some((place, node)) => seed
                .deserialize(node)
                .map_err(|error| error.or_at(node.position()).within(place)),
            None => Err(serde::de::Error::custom(
                "a value was asked for before its key",
            )),
        }
    }
}

/// Map access for [`super::scalar::Spanned`]: line, column, the text as written, the value.
struct WithPlace<'de> {
    node: &'de Node,
    step: u8,
}

impl<'de> SeqAccess<'de> for WithPlace<'de> {
    type Error = YamlError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, YamlError> {
        self.step += 1;
        let number = |value: u64| -> U64Deserializer<YamlError> { value.into_deserializer() };
        match self.step {
            1 => seed.deserialize(number(self.node.line)).map(Some),
            2 => seed.deserialize(number(self.node.column)).map(Some),
            3 => seed
                .deserialize(BorrowedStrDeserializer::new(&self.node.raw))
                .map(Some),
            4 => seed.deserialize(self.node).map(Some),
            _ => Ok(None),
        }
    }
}

/// A variant without content.
struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = YamlError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), YamlError> {
        let name: BorrowedStrDeserializer<'de, YamlError> = BorrowedStrDeserializer::new(self.0);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = YamlError;

    fn unit_variant(self) -> Result<(), YamlError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        _seed: T,
    ) -> Result<T::Value, YamlError> {
        Err(serde::de::Error::custom("this word needs a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        _visitor: V,
    ) -> Result<V::Value, YamlError> {
        Err(serde::de::Error::custom("this word needs a list"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, YamlError> {
        Err(serde::de::Error::custom("this word needs a map"))
    }
}
