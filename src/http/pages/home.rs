//! `GET /`: what is watched now, what was read from it, and what that is enough for.

use askama::Template;

use super::{Notice, Tab, show};
use crate::app::people::on_call::Shown;
use crate::http::format;
use crate::model::event::{AlertStatus, Event, Fact, Severity};
use crate::model::incident::Incident;
use crate::model::labels::LabelSet;
use crate::model::settings::LabelNames;
use crate::model::time::Time;
use crate::model::verdict::{Decision, Outcome, Verdict};

/// What the page shows.
pub(crate) struct View<'a> {
    /// The time at which it is looked at.
    pub(crate) now: Time,
    /// How people and senders reach this service, without a slash at the end.
    pub(crate) address: &'a str,
    /// The alert that came last, with what was read from it.
    pub(crate) last_alert: Option<LastAlert>,
    /// Each criterion of the rules, and whether what is sent can meet it.
    pub(crate) criteria: Vec<Reach>,
    /// Incidents that are not closed, newest first.
    pub(crate) open: Vec<&'a Incident>,
    /// The incident that came closest to a criterion without meeting it.
    pub(crate) closest: Option<Closest<'a>>,
    /// Correlation keys of alerts without a service.
    pub(crate) unassigned: Vec<Unassigned>,
    /// Names to choose from.
    pub(crate) services: Vec<String>,
    /// Who sends.
    pub(crate) sources: Vec<SourceSeen>,
    /// Who is on call for the services that name a calendar.
    pub(crate) on_call: Vec<Shown>,
    /// A word at the top.
    pub(crate) notice: Option<Notice>,
}

/// The last alert and how it was understood.
#[derive(Debug, Clone)]
pub(crate) struct LastAlert {
    /// Its name.
    pub(crate) name: String,
    /// On or off.
    pub(crate) status: AlertStatus,
    /// The source that sent it.
    pub(crate) source: String,
    /// When it was so, by its source.
    pub(crate) at: Time,
    /// The service, as understood.
    pub(crate) service: Option<String>,
    /// The label that gave the service.
    pub(crate) service_label: Option<String>,
    /// The severity, as understood.
    pub(crate) severity: Severity,
    /// The label that gave the severity, and its value there.
    pub(crate) severity_label: Option<(String, String)>,
}

impl LastAlert {
    /// Reads back from an alert which of `names` gave its service and severity; `None` for any other event.
    pub(crate) fn read(event: &Event, names: &LabelNames) -> Option<Self> {
        let Fact::Alert(alert) = &event.fact else {
            return None;
        };
        let service_label = event.service.as_ref().and_then(|service| {
            names
                .service
                .iter()
                .find(|name| alert.labels.get(name) == Some(service))
                .cloned()
        });
        Some(Self {
            name: alert.name.to_string(),
            status: alert.status,
            source: event.source.to_string(),
            at: event.occurred_at,
            service: event.service.as_deref().map(str::to_owned),
            service_label,
            severity: alert.severity,
            severity_label: present(&alert.labels, &names.severity),
        })
    }
}

/// The first of `names` that the labels have, with its value.
fn present(labels: &LabelSet, names: &[String]) -> Option<(String, String)> {
    names
        .iter()
        .find_map(|name| Some((name.clone(), labels.get(name)?.to_owned())))
}

/// Whether a criterion can be met with what is being sent.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// Its name in the rules.
    pub(crate) criterion: String,
    /// What it leads to.
    pub(crate) decision: Decision,
    /// Only records what it would lead to.
    pub(crate) shadow: bool,
    /// True when what it needs is being sent.
    pub(crate) possible: bool,
    /// Why, or what is missing.
    pub(crate) why: String,
}

/// An incident that came close to a criterion.
pub(crate) struct Closest<'a> {
    /// The incident.
    pub(crate) incident: &'a Incident,
    /// The verdict that was closest to being met.
    pub(crate) verdict: &'a Verdict,
}

/// The incident and verdict with the greatest part of what it takes, among those not met. Shadow criteria do not count.
pub(crate) fn closest<'a>(
    incidents: impl IntoIterator<Item = &'a Incident>,
) -> Option<Closest<'a>> {
    incidents
        .into_iter()
        .filter(|incident| incident.decision == Decision::None)
        .flat_map(|incident| {
            incident
                .verdicts
                .iter()
                .map(move |verdict| Closest { incident, verdict })
        })
        .filter(|close| {
            !close.verdict.shadow && close.verdict.outcome != Outcome::Met && part(close) > 0.0
        })
        .max_by(|a, b| part(a).total_cmp(&part(b)))
}

fn part(close: &Closest<'_>) -> f64 {
    format::closeness(close.verdict.measure.as_ref())
}

/// Alerts that share a correlation key and name no service.
#[derive(Debug, Clone)]
pub(crate) struct Unassigned {
    /// The correlation key; sent back by the form as it is.
    pub(crate) key: String,
    /// How many incidents have it.
    pub(crate) incidents: usize,
    /// When it was last active.
    pub(crate) last: Time,
}

/// A sender of events.
#[derive(Debug, Clone)]
pub(crate) struct SourceSeen {
    /// Its name.
    pub(crate) name: String,
    /// When it sent something last; `None`: never.
    pub(crate) last: Option<Time>,
    /// How many of its messages could not be read, and wait for somebody.
    pub(crate) quarantined: u64,
    /// That it has fallen silent, in a sentence.
    pub(crate) silent: Option<String>,
}

#[derive(Template)]
#[template(path = "http/pages/home.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
    /// `host:port`, for Prometheus's list of Alertmanagers.
    host: &'a str,
    scheme: &'a str,
}

impl Page<'_> {
    fn silent(&self) -> bool {
        self.view.last_alert.is_none()
            && self.view.sources.iter().all(|source| source.last.is_none())
    }
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    let (scheme, host) = view
        .address
        .split_once("://")
        .unwrap_or(("http", view.address));
    show(&Page {
        tab: Tab::Watched,
        view,
        host,
        scheme,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::{LastAlert, View, closest, render};
    use crate::http::pages::sample;
    use crate::model::settings::LabelNames;
    use crate::model::verdict::{Decision, Outcome};

    #[test]
    fn the_last_alert_says_which_labels_were_read() {
        let incident = sample::incident();
        let event = &incident.members[0].event;
        let read = LastAlert::read(event, &LabelNames::default()).unwrap();
        assert_eq!(read.service_label.as_deref(), Some("service"));
        assert_eq!(
            read.severity_label,
            Some(("severity".to_owned(), "page".to_owned()))
        );
    }

    #[test]
    fn an_assigned_service_has_no_label() {
        let mut event = crate::model::event::Event::clone(&sample::incident().members[0].event);
        event.service = Some("other".to_owned().into());
        assert_eq!(
            LastAlert::read(&event, &LabelNames::default())
                .unwrap()
                .service_label,
            None
        );
    }

    #[test]
    fn the_closest_has_the_smallest_margin_and_is_not_met() {
        let (mut near, mut far) = (sample::incident(), sample::incident());
        for (incident, seen) in [(&mut near, 1440.0), (&mut far, 600.0)] {
            incident.decision = Decision::None;
            incident.verdicts.truncate(1);
            incident.verdicts[0].outcome = Outcome::NotMet;
            incident.verdicts[0].measure.as_mut().unwrap().upper = seen;
        }
        let incidents = [far, near];
        let found = closest(&incidents).unwrap();
        assert!((found.verdict.measure.unwrap().upper - 1440.0).abs() < f64::EPSILON);
        assert!(
            closest(&[sample::incident()]).is_none(),
            "what was decided is not close, it is there"
        );
    }

    #[test]
    fn on_the_first_day_the_page_says_how_to_connect() {
        let view = View {
            now: sample::at(0),
            address: "http://afterword.example.com:9099",
            last_alert: None,
            criteria: Vec::new(),
            open: Vec::new(),
            closest: None,
            unassigned: Vec::new(),
            services: Vec::new(),
            sources: Vec::new(),
            on_call: Vec::new(),
            notice: None,
        };
        let html = render(&view);
        assert!(
            html.contains("url: http://afterword.example.com:9099/ingest/alertmanager"),
            "{html}"
        );
        assert!(
            html.contains("targets: [&#34;afterword.example.com:9099&#34;]")
                || html.contains("targets: [\"afterword.example.com:9099\"]")
        );
    }
}
