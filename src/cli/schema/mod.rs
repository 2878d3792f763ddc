//! `afterword schema`: JSON Schema (draft 2020-12) of the file formats, generated from tables of
//! keys. Tests keep the tables and the parsers in agreement on keys, words and defaults.

mod config;
mod criteria_page;
mod event;
mod key;
mod mapping;
mod rules;
mod scenario;
mod source;

use clap::ValueEnum;
use serde_json::{Value, json};

use self::key::map;
use super::output;

/// File format that has a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Of {
    /// Rule files, rules/*.yaml.
    Rules,
    /// The settings, afterword.yaml.
    Config,
    /// The body of POST /api/v1/events.
    Event,
    /// Scenario files, rules/*.test.yaml.
    Scenario,
    /// The reference of criteria, as Markdown: docs/criteria.md.
    Criteria,
}

pub(crate) fn print(of: Of) -> u8 {
    match of {
        Of::Criteria => output::say(criteria_page::page().trim_end()),
        _ => output::say(&output::json(&schema(of))),
    }
    0
}

/// Schema of a file format.
fn schema(of: Of) -> Value {
    let (title, mut schema) = match of {
        Of::Rules => ("Rules of Afterword", map(rules::KEYS)),
        Of::Config => ("Settings of Afterword", map(config::KEYS)),
        Of::Event => ("Events for POST /api/v1/events", event::schema()),
        Of::Criteria => ("A criterion of Afterword", map(rules::CRITERION)),
        Of::Scenario => ("Scenarios of Afterword", map(scenario::KEYS)),
    };
    if matches!(of, Of::Rules | Of::Config) {
        // A file of comments only is an empty document.
        schema["type"] = json!(["object", "null"]);
    }
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(title);
    schema
}

#[cfg(test)]
mod tests;
