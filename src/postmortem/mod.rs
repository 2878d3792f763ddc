//! From an incident to its Markdown postmortem: what is known, each fact with its source, and questions for the rest.
//!
//! No cause and no lesson is ever written here; those are for the people who talk it through.

mod contributors;
pub(crate) mod escape;
mod event_text;
pub(crate) mod file_name;
pub(crate) mod merge;
pub(crate) mod sections;
mod template_context;
mod timeline;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use crate::model::directory::Who;
use crate::model::incident::Incident;
use crate::model::meeting::Meeting;
use crate::model::on_call::Duty;
use crate::model::plot::Plot;
use crate::model::postmortem::Postmortem;
use crate::model::settings::Person;

/// The template used where the settings name none; also the one to start one's own from.
pub(crate) const DEFAULT_TEMPLATE: &str = include_str!("default.md.jinja");

/// Steps a user's template may take, and as many again for each row of the timeline: a loop without end fails instead of hanging.
const FUEL: u64 = 200_000;
const FUEL_PER_ROW: u64 = 2_000;

/// What a draft is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// Incidents that began with it, look like one with it, and wait for this postmortem.
    pub bundled: &'a [&'a Incident],
    /// Its postmortem.
    pub postmortem: &'a Postmortem,
    /// Who is who.
    pub who: &'a Who,
    /// Ids of the owners of the services; the first is named as lead until somebody else takes it.
    pub owners: &'a [String],
    /// Who leads the meeting; `None`: one is wanted, or there is none.
    pub facilitator: Option<&'a Person>,
    /// The meeting, once there is one.
    pub meeting: Option<&'a Meeting>,
    /// How people reach the pages; sources without an address of their own are linked there.
    pub external_url: &'a str,
    /// How people are called.
    pub names: Names,
    /// Its conditions as they are drawn, in files beside the draft.
    pub plots: &'a [&'a Plot],
    /// Who was on call for its services when it was detected, where their calendars are named.
    pub on_call: &'a [Duty],
}

/// How people are called in a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// By name.
    Full,
    /// By role: `responder 1`, `owner 1`, `stakeholder 1`. The facilitator, who did not respond, is named in either case.
    Role,
}

/// The draft by the default template.
#[must_use]
pub(crate) fn render(draft: &Draft) -> String {
    let view = template_context::View::new(draft);
    // The template is part of the program, so this cannot fail on what people send; the title is better than a panic all the same.
    fill(DEFAULT_TEMPLATE, &view, None)
        .unwrap_or_else(|fault| format!("# {}\n\n{fault}\n", view.title))
}

/// The draft by a template of the user's. What it may name is what [`DEFAULT_TEMPLATE`] names; every value is safe to stand in Markdown.
///
/// # Errors
///
/// The template's fault, with its line: text that does not parse, a name that does not exist, or more steps than a draft can need.
/// The caller falls back to [`render`] and says so.
pub(crate) fn render_with(template: &str, draft: &Draft) -> Result<String, String> {
    let view = template_context::View::new(draft);
    let fuel = FUEL.saturating_add(FUEL_PER_ROW.saturating_mul(view.timeline.len() as u64));
    fill(&template.replace("\r\n", "\n"), &view, Some(fuel))
}

fn fill(
    template: &str,
    view: &template_context::View,
    fuel: Option<u64>,
) -> Result<String, String> {
    let mut environment = Environment::new();
    let whole_lines = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    environment.set_syntax(whole_lines.map_err(|error| error.to_string())?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(fuel);
    // The name's ending keeps HTML escaping off: the values are escaped for Markdown already.
    environment
        .render_named_str("postmortem.md", template, Serde(view))
        .map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests;
