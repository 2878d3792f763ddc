//! `afterword schema`: JSON Schema (draft 2020-12) of the file formats, derived from the types that
//! read them.

mod criteria_page;
mod derived;
mod mapping;

use clap::ValueEnum;
use serde_json::{Value, json};

use self::derived::{event_schema, yaml_schema};
use super::output;
use crate::config::parse::SettingsKeys;
use crate::rules::criterion::CriterionEntry;
use crate::rules::parse::RuleFileKeys;
use crate::rules::scenario::ScenarioFileKeys;

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
        Of::Rules => ("Rules of Afterword", yaml_schema::<RuleFileKeys>()),
        Of::Config => ("Settings of Afterword", yaml_schema::<SettingsKeys>()),
        Of::Event => ("Events for POST /api/v1/events", event_schema()),
        Of::Criteria => ("A criterion of Afterword", yaml_schema::<CriterionEntry>()),
        Of::Scenario => ("Scenarios of Afterword", yaml_schema::<ScenarioFileKeys>()),
    };
    if matches!(of, Of::Rules | Of::Config) {
        // A file of comments only is an empty document.
        schema["type"] = json!(["object", "null"]);
    }
    if matches!(of, Of::Config) {
        let source = &mut schema["properties"]["sources"]["items"]["properties"];
        let doc = source["map"]["description"].take();
        source["map"] = mapping::schema(&event_schema());
        source["map"]["description"] = doc;
    }
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(title);
    schema
}

#[cfg(test)]
mod tests;
