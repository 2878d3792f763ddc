//! Generates a Markdown postmortem from an incident: facts with their sources, and open questions.
//!
//! It never states a cause or a lesson; those are left to the people in the meeting.

mod contributors;
pub(crate) mod draft_input;
mod event_text;
pub(crate) mod file_name;
mod impact;
pub(crate) mod merge;
mod references;
pub(crate) mod sections;
mod template_context;
mod timeline;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use self::draft_input::DraftInput;

/// Default template, also the starting point for custom ones.
const DEFAULT_TEMPLATE: &str = include_str!("default.md.jinja");

/// Renders the draft with the default template.
#[must_use]
pub(crate) fn render(draft: &DraftInput) -> String {
    let view = template_context::TemplateContext::new(draft);
    // The template is part of the program, so this cannot fail on foreign text; the title is better
    // than a panic all the same.
    fill(&view).unwrap_or_else(|fault| format!("# {}\n\n{fault}\n", view.title))
}

fn fill(view: &template_context::TemplateContext) -> Result<String, String> {
    let mut environment = Environment::new();
    let whole_lines = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    environment.set_syntax(whole_lines.map_err(|error| error.to_string())?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The name's ending keeps HTML escaping off: the values are escaped for Markdown already.
    environment
        .render_named_str("postmortem.md", DEFAULT_TEMPLATE, Serde(view))
        .map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests;
