//! Schema of `map:` of a source: the known keys, with expressions as text.

use serde_json::{Map, Value, json};

use super::event;
use crate::ingest::generic;

/// Keys that hold a map of names to expressions.
const NESTED: [&str; 4] = ["labels", "annotations", "links", "actor"];

/// One rule, or a list of them.
pub(crate) fn shape() -> Value {
    let rule = rule();
    json!({"oneOf": [rule, {"type": "array", "minItems": 1, "items": rule}]})
}

fn rule() -> Value {
    let text = json!({"type": ["string", "number", "boolean"]});
    let properties = generic::compile::keys().into_iter().map(|key| {
        let mut shape = if NESTED.contains(&key) {
            json!({"oneOf": [text, {"type": "object", "additionalProperties": text}]})
        } else {
            text.clone()
        };
        shape["description"] = json!(doc(key));
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
fn doc(key: &str) -> String {
    match key {
        "each" => "CEL list of items; each is read separately as `item`. By default the body is the only item.".to_owned(),
        "when" => "CEL condition for an item to count; other items are ignored silently.".to_owned(),
        "kind" => "CEL for the event kind; by default an alert. Null ignores the item.".to_owned(),
        _ => {
            let known = event::EVENT.iter().find(|(_, known)| known.name == key);
            format!("CEL. {}", known.map_or("As for POST /api/v1/events.", |(_, known)| known.doc))
        }
    }
}
