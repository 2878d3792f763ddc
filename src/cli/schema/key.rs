//! Keys of a map, the shapes of their values, and the JSON Schema of both.

use serde_json::{Map, Value, json};

/// A key of a map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SchemaKey {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Default value as JSON; `None` if the key is required.
    pub(crate) default: Option<&'static str>,
    /// One-line description.
    pub(crate) doc: &'static str,
}

/// Shape of the value of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A string and nothing else.
    String,
    /// Text; YAML's numbers and words for true and false are taken as they are written.
    Text,
    /// `30m`, `1h30m`, `7d`; `0`.
    Duration,
    /// A positive duration, or this word.
    DurationOr(&'static str),
    /// An integer with a minimum.
    Whole(i64),
    /// An integer in a range.
    Between(i64, i64),
    /// A number in a range.
    Number(f64, f64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of text.
    Texts,
    /// A string, or a map of these keys.
    TextOr(&'static [SchemaKey]),
    /// A string or a list of text.
    TextOrTexts,
    /// Names with strings.
    Strings,
    /// Names with text.
    NamedTexts,
    /// Names with one of these words each.
    NamedWords(&'static [&'static str]),
    /// A map.
    Map(&'static [SchemaKey]),
    /// A list of maps.
    List(&'static [SchemaKey]),
    /// This word, or a map.
    WordOr(&'static str, &'static [SchemaKey]),
    /// One of these words, or a map.
    WordsOr(&'static [&'static str], &'static [SchemaKey]),
    /// A string, or a map.
    StringOr(&'static [SchemaKey]),
    /// The schema that the function gives.
    Custom(fn() -> Value),
}

/// A required key.
pub(crate) const fn required(name: &'static str, shape: Shape, doc: &'static str) -> SchemaKey {
    SchemaKey {
        name,
        shape,
        default: None,
        doc,
    }
}

/// An optional key with its default.
pub(crate) const fn optional(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    doc: &'static str,
) -> SchemaKey {
    SchemaKey {
        name,
        shape,
        default: Some(default),
        doc,
    }
}

/// A map with these keys and no others.
pub(crate) fn map<'a>(keys: impl IntoIterator<Item = &'a SchemaKey>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys {
        properties.insert(key.name.to_owned(), value(key));
        if key.default.is_none() {
            required.push(key.name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// The value of a key, with its meaning and default. A key without a value counts as left out.
fn value(key: &SchemaKey) -> Value {
    let mut schema = shape(key.shape);
    if let Some(default) = key.default {
        nullable(&mut schema);
        schema["default"] = serde_json::from_str(default).unwrap_or_default();
    }
    schema["description"] = json!(key.doc);
    schema
}

fn nullable(schema: &mut Value) {
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.push(json!({"type": "null"}));
    }
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(one) => *one = json!([one.take(), "null"]),
        None => {}
    }
}

fn shape(shape: Shape) -> Value {
    let text = || json!({"type": ["string", "number", "boolean"]});
    match shape {
        Shape::String => json!({"type": "string"}),
        Shape::Text => text(),
        Shape::Duration => json!({
            "type": ["string", "integer"],
            "pattern": "^(0|(?=.)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$",
            "minimum": 0,
            "maximum": 0,
            "examples": ["90s", "30m", "1h30m", "7d"],
        }),
        Shape::DurationOr(word) => json!({
            "type": "string",
            "pattern": format!("^({word}|(?=.*[1-9])([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$"),
            "examples": ["2h", "1d", word],
        }),
        Shape::Whole(least) => json!({"type": "integer", "minimum": least}),
        Shape::Between(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Shape::Number(least, most) if most.is_finite() => {
            json!({"type": "number", "minimum": least, "maximum": most})
        }
        Shape::Number(least, _) if least.is_finite() => json!({"type": "number", "minimum": least}),
        Shape::Number(..) => json!({"type": "number"}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Texts => json!({"type": "array", "items": text()}),
        Shape::TextOr(keys) => json!({"oneOf": [{"type": "string"}, map(keys)]}),
        Shape::TextOrTexts => {
            json!({"oneOf": [{"type": "string"}, {"type": "array", "items": text()}]})
        }
        Shape::Strings => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Shape::NamedTexts => json!({"type": "object", "additionalProperties": text()}),
        Shape::NamedWords(words) => {
            json!({"type": "object", "additionalProperties": {"enum": words}})
        }
        Shape::Map(keys) => map(keys),
        Shape::List(keys) => json!({"type": "array", "items": map(keys)}),
        Shape::WordsOr(words, keys) => json!({"oneOf": [{"enum": words}, map(keys)]}),
        Shape::WordOr(word, keys) => json!({"oneOf": [{"const": word}, map(keys)]}),
        Shape::Custom(schema) => schema(),
        Shape::StringOr(keys) => json!({"oneOf": [{"type": "string"}, map(keys)]}),
    }
}

/// Key of this name for an event kind: its own entry before the one for all kinds.
pub(crate) fn of_kind(
    keys: &'static [(&'static str, SchemaKey)],
    kind: &str,
    name: &str,
) -> Option<&'static SchemaKey> {
    let find = |wanted: &str| {
        keys.iter()
            .find(|(of, key)| *of == wanted && key.name == name)
            .map(|(_, key)| key)
    };
    find(kind).or_else(|| find(""))
}
