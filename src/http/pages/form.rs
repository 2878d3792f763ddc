//! Form fields as the JSON body of the API.

use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) type FormFields = BTreeMap<String, String>;

/// Converts form fields to a JSON body: drops blank ones, adds the UTC zone to times, and renames
/// `when` to `at`.
pub(crate) fn json_body(posted: &FormFields) -> Vec<u8> {
    let mut body: BTreeMap<&str, Value> = BTreeMap::new();
    let zoned = |value: &str| {
        if value.len() == 16 {
            format!("{value}:00Z")
        } else {
            format!("{}Z", value.trim_end_matches('Z'))
        }
    };
    for (name, value) in posted.iter().filter(|(_, value)| !value.trim().is_empty()) {
        match name.as_str() {
            "when" => body.insert("at", json!(zoned(value))),
            "from" | "to" => body.insert(name, json!(zoned(value))),
            name => body.insert(name, json!(value)),
        };
    }
    serde_json::to_vec(&body).unwrap_or_default()
}
