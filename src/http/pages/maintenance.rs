//! `GET /maintenance`: planned work, which never counts as degradation, and a form to tell of more.

use askama::Template;

use super::{Tab, show};
use crate::app::people::maintenance::Planned;
use crate::model::time::Time;

/// What the page shows. Fields of `POST /maintenance`: `service`, `from`, `to` (UTC), `why`.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Now.
    pub(crate) now: Time,
    /// What is planned, in order of time.
    pub(crate) planned: Vec<Planned>,
    /// Names to choose from.
    pub(crate) services: Vec<String>,
    /// What was entered before, when the form comes back.
    pub(crate) entered: Entered,
    /// What is missing, and what to do.
    pub(crate) fault: Option<String>,
}

/// What a person entered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entered {
    /// What is done.
    pub(crate) why: String,
    /// The service.
    pub(crate) service: String,
    /// When it begins, as `YYYY-MM-DDTHH:MM` in UTC.
    pub(crate) from: String,
    /// When it is over.
    pub(crate) to: String,
}

#[derive(Template)]
#[template(path = "http/pages/maintenance.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View,
}

impl Page<'_> {
    /// Whether people can still say that it ends earlier: what the settings name is changed there.
    fn can_end(&self, work: &Planned) -> bool {
        work.source == "people" && work.to > self.view.now
    }

    /// When it ends if a person says so now: what has not begun is called off.
    fn end(&self, work: &Planned) -> Time {
        self.view.now.max(work.from)
    }
}

/// The page.
pub(crate) fn render(view: &View) -> String {
    show(&Page {
        tab: Tab::Elsewhere,
        view,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::{Entered, Planned, Time, View, render};

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn planned(source: &str, from: &str, to: &str) -> Planned {
        Planned {
            service: Some("checkout".to_owned()),
            from: at(from),
            to: at(to),
            why: "<b>new disks".to_owned(),
            source: source.to_owned(),
        }
    }

    fn view(planned: Vec<Planned>) -> View {
        View {
            now: at("2026-11-23T12:00:00Z"),
            planned,
            services: Vec::new(),
            entered: Entered::default(),
            fault: None,
        }
    }

    #[test]
    fn only_what_people_told_of_and_is_not_over_can_be_ended_here() {
        let ahead = planned("people", "2026-11-24T22:00:00Z", "2026-11-25T02:00:00Z");
        let html = render(&view(vec![ahead]));
        assert!(
            html.contains("name=\"to\" value=\"2026-11-24T22:00:00Z\"")
                && html.contains("Call it off"),
            "{html}"
        );
        assert!(!html.contains("<b>new"));
        let running = planned("people", "2026-11-23T11:00:00Z", "2026-11-23T13:00:00Z");
        let html = render(&view(vec![running]));
        assert!(
            html.contains("name=\"to\" value=\"2026-11-23T12:00:00Z\"")
                && html.contains("It is over now"),
            "{html}"
        );
        let over = planned("people", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z");
        let elsewhere = planned("settings", "2026-11-24T22:00:00Z", "2026-11-25T02:00:00Z");
        assert!(!render(&view(vec![over, elsewhere])).contains("name=\"to\" value"));
    }
}
