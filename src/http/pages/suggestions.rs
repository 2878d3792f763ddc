//! `GET /suggestions`: what waits for a person's answer.

use askama::Template;

use super::review;
use super::review::{Form, Invitation};
use super::{Notice, Tab, show};
use crate::http::format;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;

/// What the page shows.
pub(crate) struct View<'a> {
    /// The time at which it is looked at.
    pub(crate) now: Time,
    /// Suggestions not yet answered, oldest first.
    pub(crate) waiting: Vec<Suggestion<'a>>,
    /// Suggestions put off.
    pub(crate) snoozed: Vec<Suggestion<'a>>,
    /// A word at the top.
    pub(crate) notice: Option<Notice>,
}

/// One suggestion.
pub(crate) struct Suggestion<'a> {
    /// The incident.
    pub(crate) incident: &'a Incident,
    /// How many others wait with it for one answer.
    pub(crate) bundled: usize,
    /// What accepting would call, where a slot was found.
    pub(crate) invitation: Option<Invitation>,
}

#[derive(Template)]
#[template(path = "http/pages/suggestions.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
}

impl Suggestion<'_> {
    fn form(&self) -> Option<Form> {
        review::form(self.incident, self.invitation.as_ref())
    }
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    show(&Page {
        tab: Tab::Suggestions,
        view,
    })
}

#[cfg(test)]
mod tests {
    use super::{Suggestion, View, render};
    use crate::http::pages::sample;

    #[test]
    fn each_suggestion_has_its_sentence_and_its_answers() {
        let incident = sample::incident();
        let waiting = vec![Suggestion {
            incident: &incident,
            bundled: 29,
            invitation: Some(sample::invitation()),
        }];
        let html = render(&View {
            now: sample::at(7200),
            waiting,
            snoozed: Vec::new(),
            notice: None,
        });
        for wanted in [
            "Checkout was degraded for 47m in one stretch; 30m is enough.",
            "Accept: invite 6 people, Tue 10:00",
            "name=\"revision\" value=\"7\"",
            "name=\"answer\" value=\"dismiss\"",
            "value=\"already_covered\"",
            "value=\"next_working_day\"",
            "These 30 look like one",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }

    #[test]
    fn nothing_waiting_is_said_calmly() {
        let html = render(&View {
            now: sample::at(0),
            waiting: Vec::new(),
            snoozed: Vec::new(),
            notice: None,
        });
        assert!(html.contains("Nothing waits for an answer."), "{html}");
    }
}
