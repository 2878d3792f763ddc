//! Schema of `map:` of a source: the known keys, with expressions as text.

use serde_json::{Map, Value, json};

use crate::ingest::generic;

/// Keys that hold a map of names to expressions.
const NESTED: [&str; 4] = ["labels", "annotations", "links", "actor"];

/// One rule, or a list of them, for events of this schema.
pub(crate) fn schema(events: &Value) -> Value {
    let rule = rule(events);
    let rules = json!({"type": "array", "minItems": 1, "items": rule});
    json!({"oneOf": [rule, rules, {"type": "null"}]})
}

fn rule(events: &Value) -> Value {
    let text = json!({"type": ["string", "number", "boolean"]});
    let properties = generic::compile::keys().into_iter().map(|key| {
        let mut shape = if NESTED.contains(&key) {
            json!({"oneOf": [text, {"type": "object", "additionalProperties": text}]})
        } else {
            text.clone()
        };
        shape["description"] = json!(doc(events, key));
        (key.to_owned(), shape)
    });
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": properties.collect::<Map<_, _>>(),
        "patternProperties": {"^(labels|annotations|links|actor)[.].": text},
        "additionalProperties": false,
    })
}

/// One-line description of the value of an expression.
fn doc(events: &Value, key: &str) -> String {
    match key {
        "each" => "CEL list of items; each is read separately as `item`. By default the body is the only item.".to_owned(),
        "when" => "CEL condition for an item to count; other items are ignored silently.".to_owned(),
        "kind" => "CEL for the event kind; by default an alert. Null ignores the item.".to_owned(),
        _ => {
            let kinds = events["$defs"]["event"]["oneOf"].as_array().into_iter().flatten();
            let mut docs = kinds.filter_map(|kind| kind["properties"][key]["description"].as_str());
            format!("CEL. {}", docs.next().unwrap_or("As for POST /api/v1/events."))
        }
    }
}
