//! From an incident to its Markdown postmortem: what is known, each fact with its source, and questions for the rest.
//!
//! No cause and no lesson is ever written here; those are for the people who talk it through.

mod contributors;
pub(crate) mod draft_input;
mod event_text;
pub(crate) mod file_name;
pub(crate) mod merge;
mod references;
pub(crate) mod sections;
mod template_context;
mod timeline;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use self::draft_input::DraftInput;

/// The template used where the settings name none; also the one to start one's own from.
const DEFAULT_TEMPLATE: &str = include_str!("default.md.jinja");

/// The draft by the default template.
#[must_use]
pub(crate) fn render(draft: &DraftInput) -> String {
    let view = template_context::TemplateContext::new(draft);
    // The template is part of the program, so this cannot fail on what people send; the title is better than a panic all the same.
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
