//! `/`: overview of open incidents, the last alert, criteria readiness and sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, State};
use axum::response::{Html, Redirect};
use serde::Deserialize;

use crate::app::App;
use crate::app::criteria_readiness::{self, CriterionReadiness};
use crate::app::intake::source_status::SourceProtocol;
use crate::app::people::on_call::OnCallStatus;
use crate::http::api::recorded::record_event;
use crate::http::api::suggestions::{Suggestions, leads, pending_and_snoozed};
use crate::http::error::Error;
use crate::http::format::source::silence_sentence;
use crate::http::format::{badge, terms, time};
use crate::http::handler::{IncidentSelection, list_incidents, read_store, service_names};
use crate::http::pages::error::{PageError, PageResult};
use crate::http::pages::layout::{Tab, render_template};
use crate::http::pages::sources::{SourceCard, source_card};
use crate::http::paging;
use crate::model::correction::Correction;
use crate::model::event::{Event, Fact, Severity};
use crate::model::incident::Incident;
use crate::model::labels::LabelSet;
use crate::model::settings::LabelNames;
use crate::model::source::SourceKind;
use crate::model::time::Time;
use crate::model::verdict::{CriterionKind, Decision, Outcome, Verdict};
use crate::store::incident::IncidentList;
use crate::wording::event::alert_change;

/// Data of the page.
pub(crate) struct HomeView<'a> {
    /// Current time.
    pub(crate) now: Time,
    /// External URL without a trailing slash.
    pub(crate) address: &'a str,
    /// The first source of Alertmanager's webhook, with a command to test it.
    pub(crate) webhook: Option<SourceCard<'a>>,
    /// Last alert received.
    pub(crate) last_alert: Option<LastAlert>,
    /// Readiness of each criterion.
    pub(crate) criteria: Vec<CriterionReadiness>,
    /// Suggestions that wait for an answer, whatever became of their incidents.
    pub(crate) waiting: Vec<&'a Incident>,
    /// Open incidents, newest first.
    pub(crate) open: Vec<&'a Incident>,
    /// Link to further open incidents, if there are more.
    pub(crate) more_open: Option<String>,
    /// Incident that came closest to a criterion without meeting it.
    pub(crate) closest: Option<ClosestCall<'a>>,
    /// Correlation keys of alerts without a service.
    pub(crate) unassigned: Vec<UnassignedGroup>,
    /// Service names to choose from.
    pub(crate) services: Vec<String>,
    /// Sources of alerts and events.
    pub(crate) sources: Vec<SourceSummary>,
    /// On-call status of the services with a calendar.
    pub(crate) on_call: Vec<OnCallStatus>,
}

/// Last alert, with the labels from which its service and severity came.
#[derive(Debug, Clone)]
pub(crate) struct LastAlert {
    pub(crate) name: String,
    /// Change of the alert as a verb: `fired`, `resolved`.
    pub(crate) change: &'static str,
    pub(crate) source: String,
    /// Time of the status change, by its source.
    pub(crate) at: Time,
    /// Time at which it arrived here.
    pub(crate) received: Time,
    /// Service after label mapping.
    pub(crate) service: Option<String>,
    /// Label that gave the service.
    pub(crate) service_label: Option<String>,
    /// Severity after label mapping.
    pub(crate) severity: Severity,
    /// Label that gave the severity, with its value.
    pub(crate) severity_label: Option<(String, String)>,
}

impl LastAlert {
    /// Finds the labels among `names` that gave the service and severity; `None` for other events.
    pub(crate) fn new(event: &Event, received: Time, names: &LabelNames) -> Option<Self> {
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
            change: alert_change(alert),
            source: event.source.to_string(),
            at: event.occurred_at,
            received,
            service: event.service.as_deref().map(str::to_owned),
            service_label,
            severity: alert.severity,
            severity_label: present(&alert.labels, &names.severity),
        })
    }
}

/// First of `names` that is present, with its value.
fn present(labels: &LabelSet, names: &[String]) -> Option<(String, String)> {
    names
        .iter()
        .find_map(|name| Some((name.clone(), labels.get(name)?.to_owned())))
}

/// Incident that came close to a criterion.
pub(crate) struct ClosestCall<'a> {
    pub(crate) incident: &'a Incident,
    /// Verdict that was closest to being met.
    pub(crate) verdict: &'a Verdict,
}

/// Unmet verdict with the highest ratio of value to threshold. Shadow criteria do not count.
pub(crate) fn closest<'a>(
    incidents: impl IntoIterator<Item = &'a Incident>,
) -> Option<ClosestCall<'a>> {
    incidents
        .into_iter()
        .filter(|incident| incident.decision == Decision::None)
        .flat_map(|incident| {
            incident
                .verdicts
                .iter()
                .map(move |verdict| ClosestCall { incident, verdict })
        })
        .filter(|close| {
            !close.verdict.shadow && close.verdict.outcome != Outcome::Met && part(close) > 0.0
        })
        .max_by(|a, b| part(a).total_cmp(&part(b)))
}

fn part(close: &ClosestCall<'_>) -> f64 {
    match close.verdict.measure {
        // Everything that happens has happened once.
        Some(measure) if close.verdict.on == CriterionKind::Recurrence => {
            (measure.upper - 1.0) / measure.required.max(1.0)
        }
        measure => terms::closeness(measure.as_ref()),
    }
}

/// Alerts that share a correlation key and name no service.
#[derive(Debug, Clone)]
pub(crate) struct UnassignedGroup {
    /// Correlation key, sent back unchanged by the form.
    pub(crate) key: String,
    /// Number of incidents with it.
    pub(crate) incidents: usize,
    /// Last activity.
    pub(crate) last: Time,
}

/// Source of alerts or events.
#[derive(Debug, Clone)]
pub(crate) struct SourceSummary {
    pub(crate) name: String,
    /// Last message, if any.
    pub(crate) last: Option<Time>,
    /// Number of its messages waiting in quarantine.
    pub(crate) quarantined: u64,
    /// Warning if it has fallen silent.
    pub(crate) silent: Option<String>,
}

#[derive(Template)]
#[template(path = "http/pages/home.html")]
struct HomeTemplate<'a> {
    tab: Tab,
    view: &'a HomeView<'a>,
    /// `host:port`, for Prometheus's list of Alertmanagers.
    host: &'a str,
    scheme: &'a str,
}

impl HomeTemplate<'_> {
    fn silent(&self) -> bool {
        self.view.last_alert.is_none()
            && self.view.sources.iter().all(|source| source.last.is_none())
    }
}

/// Renders the page.
pub(crate) fn render(view: &HomeView<'_>) -> String {
    let (scheme, host) = view
        .address
        .split_once("://")
        .unwrap_or(("http", view.address));
    render_template(&HomeTemplate {
        tab: Tab::Overview,
        view,
        host,
        scheme,
    })
}

pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    let selection = IncidentSelection::start(IncidentList::All);
    let (incidents, _) = list_incidents(&app, selection).await?;
    let selection = IncidentSelection::start(IncidentList::Open);
    let (open, more_open) = list_incidents(&app, selection).await?;
    let (last, sent) = read_store(&app, |app| {
        Ok((app.core.store.last_alert()?, app.intake.sources()?))
    })
    .await?;
    let settings = app.core.settings();
    let mut unassigned: BTreeMap<&str, (usize, Time)> = BTreeMap::new();
    for incident in &incidents {
        let Some(key) = &incident.unassigned else {
            continue;
        };
        let last = incident
            .members
            .last()
            .map_or(incident.phase_since, |member| member.event.occurred_at);
        let entry = unassigned.entry(key).or_insert((0, last));
        *entry = (entry.0 + 1, entry.1.max(last));
    }
    let sources: Vec<SourceSummary> = sent
        .iter()
        .map(|source| SourceSummary {
            name: source.name.clone(),
            last: source.tally.seen.last_message,
            quarantined: source.waiting.as_ref().map_or(0, |waiting| waiting.count),
            silent: silence_sentence(source),
        })
        // Built-in sources are shown only once used.
        .filter(|seen| {
            seen.last.is_some()
                || settings
                    .config
                    .sources
                    .iter()
                    .any(|source| source.name == seen.name)
        })
        .collect();
    let alert = last.as_ref().and_then(|(record, event)| {
        LastAlert::new(event, record.logged_at, &settings.config.labels)
    });
    let last = last.map(|(_, mut event)| {
        settings.policy.name_service(&mut event);
        event
    });
    // The label has the sender's name of the service; show ours.
    let service = last
        .as_ref()
        .and_then(|event| event.service.as_deref().map(str::to_owned));
    let alert = alert.map(|alert| LastAlert { service, ..alert });
    let Suggestions { waiting, .. } = pending_and_snoozed(&app, None).await?;
    let reachable =
        criteria_readiness::criteria_readiness(&settings.policy.rules, &incidents, last.as_ref());
    let now = app.core.now();
    let address = settings.config.external_url.trim_end_matches('/');
    let webhook = sent
        .iter()
        .find(|source| {
            matches!(
                source.speaks,
                SourceProtocol::Kind(SourceKind::Alertmanager)
            )
        })
        .map(|source| source_card(source, address, settings.access.is_some(), now));
    let view = HomeView {
        now,
        address,
        webhook,
        last_alert: alert,
        criteria: reachable,
        open: open.iter().collect(),
        more_open: more_open.map(|next| {
            let after = next.to_string();
            paging::address(
                "/incidents",
                &[("open", Some("true")), ("after", Some(after.as_str()))],
            )
        }),
        closest: closest(&incidents),
        unassigned: unassigned
            .into_iter()
            .map(|(key, (incidents, last))| UnassignedGroup {
                key: key.to_owned(),
                incidents,
                last,
            })
            .collect(),
        services: service_names(&app),
        sources,
        on_call: app.on_call_calendars().statuses(&settings, app.core.now()),
        waiting: leads(&waiting).collect(),
    };
    Ok(Html(render(&view)))
}

#[derive(Deserialize)]
pub(crate) struct Assignment {
    key: String,
    service: String,
}

pub(crate) async fn assign(
    State(app): State<Arc<App>>,
    Form(posted): Form<Assignment>,
) -> Result<Redirect, PageError> {
    let service: String = posted.service.trim().chars().take(200).collect();
    if service.is_empty() || posted.key.is_empty() {
        return Err(Error::BadRequest(
            "`service` is missing: choose the service of these alerts".to_owned(),
        )
        .into());
    }
    let event = Event::new(
        "people",
        app.core.now(),
        Fact::Edit(Correction::Assign {
            key: posted.key,
            service,
        }),
    );
    let _ = record_event(&app, event).await?;
    Ok(Redirect::to("/"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::{HomeView, LastAlert, SourceCard, closest, render, source_card};
    use super::{SourceKind, SourceProtocol};
    use crate::app::intake::source_stats::{MessageInterval, SourceCounts};
    use crate::app::intake::source_status::SourceOverview;
    use crate::config::credentials::Auth;
    use crate::config::silence::SilentAfter;
    use crate::config::source_auth::SourceAuth;
    use crate::http::pages::sample;
    use crate::model::event::{AlertStatus, EndReason, Event, Fact};
    use crate::model::settings::LabelNames;
    use crate::model::verdict::{Decision, Outcome};

    #[test]
    fn the_last_alert_says_which_labels_were_read() {
        let incident = sample::model::incident();
        let event = &incident.members[0].event;
        let read = LastAlert::new(event, event.occurred_at, &LabelNames::default()).unwrap();
        assert_eq!(read.service_label.as_deref(), Some("service"));
        assert_eq!(
            read.severity_label,
            Some(("severity".to_owned(), "page".to_owned()))
        );
    }

    #[test]
    fn alert_whose_source_was_lost_is_not_shown_as_resolved() {
        let mut event = Event::clone(&sample::model::incident().members[0].event);
        if let Fact::Alert(alert) = &mut event.fact {
            alert.status = AlertStatus::Resolved;
            alert.end_reason = EndReason::SourceLost;
        }
        let last = LastAlert::new(&event, event.occurred_at, &LabelNames::default()).unwrap();
        assert_eq!(last.change, "ended because its source disappeared");
    }

    #[test]
    fn an_assigned_service_has_no_label() {
        let mut event =
            crate::model::event::Event::clone(&sample::model::incident().members[0].event);
        event.service = Some("other".to_owned().into());
        assert_eq!(
            LastAlert::new(&event, event.occurred_at, &LabelNames::default())
                .unwrap()
                .service_label,
            None
        );
    }

    #[test]
    fn the_closest_has_the_smallest_margin_and_is_not_met() {
        let (mut near, mut far) = (sample::model::incident(), sample::model::incident());
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
            closest(&[sample::model::incident()]).is_none(),
            "what was decided is not close, it is there"
        );
    }

    fn first_day(webhook: Option<SourceCard<'_>>) -> String {
        render(&HomeView {
            now: sample::model::at(0),
            address: "http://afterword.example.com:9099",
            webhook,
            more_open: None,
            last_alert: None,
            criteria: Vec::new(),
            waiting: Vec::new(),
            open: Vec::new(),
            closest: None,
            unassigned: Vec::new(),
            services: Vec::new(),
            sources: Vec::new(),
            on_call: Vec::new(),
        })
    }

    #[test]
    fn on_the_first_day_the_page_says_how_to_connect() {
        let source = SourceOverview {
            name: "am".to_owned(),
            speaks: SourceProtocol::Kind(SourceKind::Alertmanager),
            path: "/ingest/am".to_owned(),
            auth: SourceAuth::Shown(Auth::None),
            tally: SourceCounts::default(),
            rhythm: MessageInterval {
                longest: None,
                silent_after: None,
                quiet_for: None,
            },
            silent_after: SilentAfter::Learned,
            waiting: None,
        };
        let base = "http://afterword.example.com:9099";
        let html = first_day(Some(source_card(
            &source,
            base,
            false,
            sample::model::at(0),
        )));
        assert!(
            html.contains("url: http://afterword.example.com:9099/ingest/am\n"),
            "the address is that of a source of the settings: {html}"
        );
        assert!(
            html.contains("/ingest/am&#39; -H") || html.contains("/ingest/am' -H"),
            "{html}"
        );
        assert!(!html.contains("/ingest/alertmanager"), "{html}");
        assert!(
            html.contains("targets: [&#34;afterword.example.com:9099&#34;]")
                || html.contains("targets: [\"afterword.example.com:9099\"]")
        );
    }

    #[test]
    fn without_a_source_of_alertmanager_the_page_says_to_add_one() {
        let html = first_day(None);
        assert!(
            html.contains("add a source of kind <code>alertmanager</code>"),
            "{html}"
        );
        assert!(!html.contains("/ingest/"), "{html}");
    }
}
