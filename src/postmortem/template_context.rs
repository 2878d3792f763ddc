//! Variables available to templates. Every value is escaped already.

use serde::Serialize;

use super::contributors::Contributors;
use super::draft_input::DraftInput;
use super::file_name::plot_file_name;
use super::impact::impact;
use super::references::incident_page;
use super::sections;
use super::timeline::{TimelineRow, timeline};
use crate::model::event::Fact;
use crate::model::plot::Plot;
use crate::model::postmortem::PostmortemStatus;
use crate::model::verdict::Outcome;
use crate::plot;
use crate::wording::markdown;

const BLAMELESS: &str = "We assume that every person made the correct decision at every point, given the information available to them at the time.";

/// Template variables of a draft.
#[derive(Debug, Serialize)]
pub(crate) struct TemplateContext {
    /// Lines between the `---`.
    pub(crate) front_matter: String,
    /// Title.
    pub(crate) title: String,
    /// Start date, or the date of the first event where the start is unknown.
    date: String,
    /// Status of the document.
    status: &'static str,
    /// Opening sentence on blamelessness.
    blameless: &'static str,
    /// Reason for the postmortem.
    why: Vec<String>,
    /// Duration of the impact.
    impact: Vec<String>,
    /// First events and the changes before them.
    trigger: Vec<String>,
    /// True when a change before the start is known.
    changes_known: bool,
    /// Actions, mitigation and resolution.
    resolution: Vec<String>,
    /// Detection.
    detection: Vec<String>,
    /// Timeline rows with `time`, `what` and `source`.
    pub(crate) timeline: Vec<TimelineRow>,
    /// Alerts that share a timeline row, one by one.
    merged: Vec<String>,
    /// Links to supporting information.
    supporting: Vec<String>,
    /// Plots of conditions, each with `name`, `file`, `words` and `table`.
    pictures: Vec<Picture>,
}

/// Plot of a condition over time.
#[derive(Debug, Serialize)]
struct Picture {
    /// Name of the condition.
    name: String,
    /// File of the plot, beside the draft.
    file: String,
    /// Text description of the plot.
    words: String,
    /// Values as a Markdown table.
    table: String,
}

/// Plots stored beside the draft.
fn pictures(draft: &DraftInput) -> Vec<Picture> {
    let picture = |plot: &&Plot| Picture {
        name: markdown::escape(&plot.condition),
        file: plot_file_name(&draft.postmortem.file, &plot.condition),
        words: markdown::escape(&plot::describe(plot)),
        table: plot::markdown(&plot::table(plot)),
    };
    draft.plots.iter().map(picture).collect()
}

impl TemplateContext {
    /// Builds the variables from the input.
    pub(crate) fn new(draft: &DraftInput) -> Self {
        let called = Contributors::new(draft);
        let incident = draft.incident;
        let (timeline, merged) = timeline(draft, &called);
        // Planned work may have been announced long before.
        let members = incident
            .members
            .iter()
            .filter(|member| !matches!(member.event.fact, Fact::Maintenance(_)));
        let first = members.map(|member| member.event.occurred_at).min();
        let date = incident
            .milestones
            .began
            .as_ref()
            .map(|began| began.at)
            .or(first)
            .unwrap_or(draft.postmortem.opened_at);
        Self {
            front_matter: front_matter(draft, &called),
            title: markdown::escape(title(draft)),
            date: date.format("%Y-%m-%d").to_string(),
            status: match draft.postmortem.status {
                PostmortemStatus::Draft => "Draft",
                PostmortemStatus::InDiscussion => "In discussion",
                PostmortemStatus::Completed => "Completed",
                PostmortemStatus::Declined => "Declined",
            },
            blameless: BLAMELESS,
            why: sections::why(draft, &called),
            impact: impact(draft),
            trigger: sections::trigger(draft, &called),
            changes_known: sections::changes(draft).next().is_some(),
            resolution: sections::resolution(draft, &called),
            detection: sections::detection(draft, &called),
            timeline,
            merged,
            supporting: sections::supporting(draft),
            pictures: pictures(draft),
        }
    }
}

fn title<'a>(draft: &DraftInput<'a>) -> &'a str {
    [&draft.postmortem.title, &draft.incident.title]
        .into_iter()
        .find(|title| !markdown::one_line(title).is_empty())
        .map_or("Incident", String::as_str)
}

/// Renders YAML front matter with one line per key. Every text is quoted, so none can end the front
/// matter or add a key.
fn front_matter(draft: &DraftInput, called: &Contributors) -> String {
    let incident = draft.incident;
    let list = |names: &[&str]| {
        format!(
            "[{}]",
            names
                .iter()
                .map(|name| markdown::yaml_string(name))
                .collect::<Vec<_>>()
                .join(", ")
        )
    };
    let optional =
        |name: Option<&str>| name.map_or_else(|| "null".to_owned(), markdown::yaml_string);
    let mut criteria: Vec<&str> = incident
        .announced
        .iter()
        .flat_map(|announced| &announced.criteria)
        .map(String::as_str)
        .collect();
    for verdict in incident
        .verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Met && !verdict.shadow)
    {
        if !criteria.contains(&verdict.criterion.as_str()) {
            criteria.push(&verdict.criterion);
        }
    }
    let services: Vec<&str> = incident.services.iter().map(String::as_str).collect();
    let meeting = draft
        .meeting
        .filter(|meeting| !meeting.cancelled)
        .map(|meeting| meeting.starts_at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let pages = [
        (
            "Postmortem",
            format!(
                "{}/postmortems/{}",
                draft.external_url.trim_end_matches('/'),
                draft.postmortem.id
            ),
        ),
        ("Incident", incident_page(draft)),
    ];
    let links: Vec<_> = pages
        .iter()
        .filter(|(_, url)| markdown::link_target(url).is_some())
        .map(|(title, url)| format!("{{title: {title}, url: {}}}", markdown::yaml_string(url)))
        .collect();
    [
        format!("id: {}", markdown::yaml_string(&draft.postmortem.id.0)),
        format!("incident: {}", markdown::yaml_string(&incident.id.0)),
        format!("services: {}", list(&services)),
        format!("severity: {}", incident.severity.word()),
        format!("criteria: {}", list(&criteria)),
        format!("lead: {}", optional(called.lead().as_deref())),
        format!(
            "facilitator: {}",
            optional(draft.facilitator.map(|person| person.name.as_str()))
        ),
        format!("meeting: {}", optional(meeting.as_deref())),
        format!("links: [{}]", links.join(", ")),
    ]
    .join("\n")
}
