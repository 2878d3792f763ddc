//! Form fields as the JSON body of the API.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::format::terms::with_full_stop;
use crate::ingest::error::{IngestFault, MemberFault};

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

/// A fault of a form in the words of the form. `labels` has the label of each field.
pub(crate) fn form_fault(fault: &IngestFault, labels: &[(&str, &str)]) -> String {
    let IngestFault::Field(MemberFault { path, message, .. }) = fault else {
        return fault.to_string();
    };
    let label = |field: &str| {
        let known = labels.iter().find(|(name, _)| *name == field);
        known.map_or_else(|| field.to_owned(), |(_, label)| (*label).to_owned())
    };
    if message.starts_with("missing.") || message.starts_with("blank.") {
        return format!("{}: please fill this in.", label(path));
    }
    if message.starts_with("not a time.") {
        return format!("{}: this is not a valid time.", label(path));
    }
    let mut message = with_full_stop(message);
    for (name, label) in labels {
        message = message.replace(&format!("`{name}`"), &format!("“{label}”"));
    }
    format!("{}: {message}", label(path))
}

#[cfg(test)]
mod tests {
    use super::form_fault;
    use crate::ingest::error::{IngestFault, MemberFault};

    #[test]
    fn fault_of_a_form_speaks_of_its_labels() {
        let labels = [
            ("service", "Service"),
            ("from", "From (UTC)"),
            ("to", "To (UTC)"),
        ];
        for (path, message, shown) in [
            (
                "service",
                "missing. Name the affected service, or the `incident`",
                "Service: please fill this in.",
            ),
            (
                "from",
                "not a time. Write it as RFC 3339",
                "From (UTC): this is not a valid time.",
            ),
            (
                "to",
                "must not be before `from`; equal times cancel the work",
                "To (UTC): must not be before “From (UTC)”; equal times cancel the work.",
            ),
        ] {
            let fault = IngestFault::Field(MemberFault {
                index: None,
                path: path.to_owned(),
                message: message.to_owned(),
            });
            assert_eq!(form_fault(&fault, &labels), shown);
        }
    }
}
