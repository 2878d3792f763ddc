//! Schemas of the types that read files and events, with how their values are read.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Value, json};

use crate::ingest::event_keys;

fn generator() -> SchemaGenerator {
    let inline = |settings: &mut SchemaSettings| settings.inline_subschemas = true;
    SchemaSettings::draft2020_12().with(inline).into_generator()
}

/// Schema of a map in a YAML file.
pub(crate) fn yaml_schema<T: JsonSchema>() -> Value {
    let mut schema = T::json_schema(&mut generator()).to_value();
    as_read(&mut schema, true);
    schema
}

/// Schema of one event or a list of them: each kind with its keys.
pub(crate) fn event_schema() -> Value {
    let generator = &mut generator();
    let common = event_keys::CommonKeys::json_schema(generator).to_value();
    let kinds = event_keys::KINDS.iter().map(|kind| {
        let mut event = (kind.schema)(generator).to_value();
        if event.get("required").is_none() {
            event["required"] = json!([]);
        }
        for (name, key) in common["properties"].as_object().into_iter().flatten() {
            event["properties"][name] = key.clone();
        }
        event["properties"]["kind"] = json!({"const": kind.name, "description": "Event kind."});
        if let Some(required) = event["required"].as_array_mut() {
            required.push(json!("kind"));
        }
        as_read(&mut event, false);
        event
    });
    let kinds: Vec<Value> = kinds.collect();
    json!({
        "$defs": {"event": {"oneOf": kinds}},
        "oneOf": [{"$ref": "#/$defs/event"}, {"type": "array", "items": {"$ref": "#/$defs/event"}}],
    })
}

/// Adds to a schema how its values are read: a key without a value counts as left out, and in YAML
/// a number or a word for true or false is text where text is expected.
fn as_read(schema: &mut Value, is_yaml: bool) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(|part| as_read(part, is_yaml)),
        Value::Object(map) => {
            map.iter_mut()
                .filter(|(key, _)| !matches!(key.as_str(), "if" | "then" | "else"))
                .for_each(|(_, part)| as_read(part, is_yaml));
            if let Some(Value::String(doc)) = map.get_mut("description") {
                *doc = doc.replace('\n', " ");
            }
            let any = ["enum", "const", "pattern", "minLength"];
            let is_text = map.get("type") == Some(&json!("string"));
            if is_yaml && is_text && !any.iter().any(|limit| map.contains_key(*limit)) {
                map.insert("type".to_owned(), json!(["string", "number", "boolean"]));
            }
            let required = map.get("required").cloned().unwrap_or_default();
            let is_required = |key: &str| {
                let mut names = required.as_array().into_iter().flatten();
                names.any(|name| name == key)
            };
            if let Some(Value::Object(keys)) = map.get_mut("properties") {
                for (_, schema) in keys.iter_mut().filter(|(key, _)| !is_required(key)) {
                    nullable(schema);
                }
            }
        }
        _ => {}
    }
}

/// Lets a schema accept null, too.
fn nullable(schema: &mut Value) {
    for choices in ["enum", "oneOf", "anyOf"] {
        let null = if choices == "enum" {
            Value::Null
        } else {
            json!({"type": "null"})
        };
        if let Some(choices) = schema.get_mut(choices).and_then(Value::as_array_mut)
            && !choices.contains(&null)
        {
            choices.push(null);
        }
    }
    match schema.get_mut("type") {
        Some(Value::Array(types)) if types.contains(&json!("null")) => {}
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(one) => *one = json!([one.take(), "null"]),
        None => {}
    }
}
