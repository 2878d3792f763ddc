//! `map:` of a source, as far as a schema can say what it is: which keys there are, and that expressions are text.

use serde_json::{Map, Value, json};

use super::event;
use crate::ingest::generic;

/// Keys below which names stand.
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

/// One line on what an expression gives.
fn doc(key: &str) -> String {
    match key {
        "each" => "CEL that gives a list, of which each member is read for itself as `item`; left out, the body is the one.".to_owned(),
        "when" => "CEL that says whether a member counts; others are left out quietly.".to_owned(),
        "kind" => "CEL that gives what kind of event it is; left out, an alert. Null: none.".to_owned(),
        _ => {
            let known = event::EVENT.iter().find(|(_, known)| known.name == key);
            format!("CEL that gives: {}", known.map_or("as for POST /api/v1/events.", |(_, known)| known.doc))
        }
    }
}
