//! `/suggestions`: suggestions that wait for an answer.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Html;

use crate::app::App;
use crate::http::api::suggestions::{SuggestionQuery, Suggestions, leads, pending_and_snoozed};
use crate::http::format::{badge, terms, time};
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Notice, Tab, render_template};
use crate::http::pages::review::{ProposedMeeting, ReviewForm, proposed_meeting, review_form};
use crate::http::paging::{self, older};
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;

/// Data of the page.
pub(crate) struct SuggestionsView<'a> {
    /// Current time.
    pub(crate) now: Time,
    /// Unanswered suggestions, oldest first.
    pub(crate) waiting: Vec<SuggestionCard<'a>>,
    /// Snoozed suggestions.
    pub(crate) snoozed: Vec<SuggestionCard<'a>>,
    /// Link to older ones, if there are more.
    pub(crate) older: Option<String>,
    /// Notice at the top.
    pub(crate) notice: Option<Notice>,
}

/// Suggestion.
pub(crate) struct SuggestionCard<'a> {
    pub(crate) incident: &'a Incident,
    /// Number of incidents bundled with it.
    pub(crate) bundled: usize,
    /// Meeting that accepting would schedule, if a slot was found.
    pub(crate) invitation: Option<ProposedMeeting>,
}

#[derive(Template)]
#[template(path = "http/pages/suggestions.html")]
struct SuggestionsTemplate<'a> {
    tab: Tab,
    view: &'a SuggestionsView<'a>,
}

impl SuggestionCard<'_> {
    fn form(&self) -> Option<ReviewForm> {
        review_form(self.incident, self.invitation.as_ref())
    }
}

/// Renders the page.
pub(crate) fn render(view: &SuggestionsView<'_>) -> String {
    render_template(&SuggestionsTemplate {
        tab: Tab::Suggestions,
        view,
    })
}

pub(crate) async fn page(
    State(app): State<Arc<App>>,
    Query(query): Query<SuggestionQuery>,
) -> PageResult {
    let after = paging::after(query.after.as_deref())?;
    let Suggestions {
        waiting,
        snoozed,
        next,
    } = pending_and_snoozed(&app, after).await?;
    let now = app.core.now();
    let in_bundle = |incident: &Incident| {
        waiting
            .iter()
            .filter(|other| other.bundle.as_ref() == Some(&incident.id))
            .count()
    };
    let show = |incident| SuggestionCard {
        incident,
        bundled: in_bundle(incident),
        invitation: proposed_meeting(&app, incident),
    };
    let view = SuggestionsView {
        now,
        waiting: leads(&waiting).map(show).collect(),
        snoozed: snoozed.iter().map(show).collect(),
        older: next.map(|next| older("/suggestions", &next)),
        notice: None,
    };
    Ok(Html(render(&view)))
}

#[cfg(test)]
mod tests {
    use super::{SuggestionCard, SuggestionsView, render};
    use crate::http::pages::sample;

    #[test]
    fn each_suggestion_has_its_sentence_and_its_answers() {
        let incident = sample::model::incident();
        let waiting = vec![SuggestionCard {
            incident: &incident,
            bundled: 29,
            invitation: Some(sample::model::invitation()),
        }];
        let html = render(&SuggestionsView {
            now: sample::model::at(7200),
            waiting,
            snoozed: Vec::new(),
            older: None,
            notice: None,
        });
        for wanted in [
            "Checkout was degraded for 47m without a break (threshold 30m).",
            "Accept: invite 6 people, Tue 10:00",
            "name=\"revision\" value=\"7\"",
            "name=\"answer\" value=\"dismiss\"",
            "value=\"already_covered\"",
            "value=\"next_working_day\"",
            "Bundled with 29 other incidents",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }

    #[test]
    fn empty_list_says_no_suggestions_are_waiting() {
        let html = render(&SuggestionsView {
            now: sample::model::at(0),
            waiting: Vec::new(),
            snoozed: Vec::new(),
            older: None,
            notice: None,
        });
        assert!(html.contains("No suggestions are waiting."), "{html}");
    }
}
