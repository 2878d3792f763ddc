//! `/incidents/{id}`: an incident, its decision and reasons, and forms to answer and annotate it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::app::conditions::monitor::PlotView;
use crate::http::api::recorded::record_event;
use crate::http::api::reviews::{ReviewBody, submit_review};
use crate::http::error::Error;
use crate::http::format::event::DisplayNames;
use crate::http::format::link;
use crate::http::format::{badge, event, terms, time};
use crate::http::handler::{IncidentSelection, find_incident, list_incidents, read_store};
use crate::http::pages::chart;
use crate::http::pages::chart::Chart;
use crate::http::pages::error::{PageError, PageResult};
use crate::http::pages::layout::SVG_HEADERS;
use crate::http::pages::layout::{Notice, Tab, render_template};
use crate::http::pages::review::{ProposedMeeting, ReviewForm, proposed_meeting, review_form};
use crate::model::directory::key;
use crate::model::event::{ActorKind, Event, Fact, Note};
use crate::model::id::{EventId, Subject};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::member::JoinReason;
use crate::model::milestone::{Milestone, MilestoneKind};
use crate::model::on_call::ServiceOnCall;
use crate::model::postmortem::Postmortem;
use crate::model::time::Time;
use crate::model::verdict::Verdict;
use crate::store::incident::IncidentList;
use crate::wording::milestones::contradictions;

/// Maximum number of parts offered for moving.
const MAX_PARTS: usize = 100;

/// Maximum number of unknown actors listed.
const MAX_UNKNOWN_ACTORS: usize = 20;

/// Data of the page.
pub(crate) struct IncidentView<'a> {
    /// Current time.
    pub(crate) now: Time,
    pub(crate) incident: &'a Incident,
    /// Postmortem, once opened.
    pub(crate) postmortem: Option<&'a Postmortem>,
    /// Meeting that accepting would schedule, if a slot was found.
    pub(crate) invitation: Option<ProposedMeeting>,
    /// Lead incident of its bundle.
    pub(crate) lead: Option<&'a Incident>,
    /// Incidents bundled with it.
    pub(crate) bundled: &'a [Incident],
    /// Other incidents, to merge with.
    pub(crate) others: &'a [Incident],
    /// Plots of its conditions.
    pub(crate) pictures: &'a [PlotView],
    /// People on call for its services at detection.
    pub(crate) on_call: &'a [ServiceOnCall],
    /// Display names.
    pub(crate) names: DisplayNames<'a>,
    /// Notice at the top, such as a stale answer.
    pub(crate) notice: Option<Notice>,
}

#[derive(Template)]
#[template(path = "http/pages/incident.html")]
struct IncidentTemplate<'a> {
    tab: Tab,
    view: &'a IncidentView<'a>,
    incident: &'a Incident,
    chart: Option<Chart>,
}

/// Row of a milestone, known or not.
struct MilestoneRow<'a> {
    name: &'static str,
    known: Option<&'a Milestone>,
}

/// Actor id that the settings do not map to a person.
struct UnknownActor<'a> {
    /// Id as sent.
    name: &'a str,
    /// Person id entered for it.
    person: Option<&'a str>,
}

/// Link from a verdict to its evidence in the timeline.
struct EvidenceLink {
    href: Option<String>,
    text: String,
}

impl IncidentTemplate<'_> {
    fn form(&self) -> Option<ReviewForm> {
        review_form(self.incident, self.view.invitation.as_ref())
    }

    fn milestone_rows(&self) -> Vec<MilestoneRow<'_>> {
        let turns = &self.incident.milestones;
        [
            (MilestoneKind::Began, &turns.began),
            (MilestoneKind::Detected, &turns.detected),
            (MilestoneKind::Acknowledged, &turns.acknowledged),
            (MilestoneKind::Mitigated, &turns.mitigated),
            (MilestoneKind::Resolved, &turns.resolved),
        ]
        .map(|(kind, known)| MilestoneRow {
            name: terms::milestone(kind),
            known: known.as_ref(),
        })
        .into()
    }

    fn contradictions(&self) -> Vec<String> {
        contradictions(self.incident)
    }

    fn evidence(&self, verdict: &Verdict) -> Vec<EvidenceLink> {
        verdict.evidence.iter().map(|id| self.cite(id)).collect()
    }

    /// Links an event by its time; an event of another incident is shown by the start of its id.
    fn cite(&self, id: &EventId) -> EvidenceLink {
        match self
            .incident
            .members
            .iter()
            .find(|member| member.event.id == *id)
        {
            Some(member) => EvidenceLink {
                href: Some(format!("#e-{id}")),
                text: member.event.occurred_at.format("%H:%M:%S").to_string(),
            },
            None => EvidenceLink {
                href: None,
                text: format!(
                    "event {}",
                    id.to_string().chars().take(8).collect::<String>()
                ),
            },
        }
    }

    fn would_have(&self, shadow: &Verdict) -> &'static str {
        terms::shadow_effect(shadow.leads_to(self.view.incident.phase), shadow.decision)
    }

    fn display_name<'n>(&'n self, id: &'n str) -> &'n str {
        self.view.names.display_name("", id)
    }

    /// Actors of this incident that are unknown, or that were identified by a person.
    fn unknown_actors(&self) -> Vec<UnknownActor<'_>> {
        let DisplayNames { who, stated } = self.view.names;
        let mut found: Vec<UnknownActor<'_>> = Vec::new();
        if who.people().is_empty() {
            return found;
        }
        let acted = self
            .incident
            .members
            .iter()
            .filter_map(|member| Some((&*member.event, member.event.actor.as_deref()?)));
        for (event, actor) in acted {
            let person = stated.get(&key(&actor.id)).map(String::as_str);
            let unknown = person.is_some()
                || who.person(&event.source, &actor.id, stated).is_none()
                    && who.kind(&event.source, actor, stated) != ActorKind::Robot;
            if unknown
                && found.len() < MAX_UNKNOWN_ACTORS
                && !found.iter().any(|known| key(known.name) == key(&actor.id))
            {
                found.push(UnknownActor {
                    name: &actor.id,
                    person,
                });
            }
        }
        found
    }

    /// Movable parts: the first event of each subject.
    fn parts(&self) -> Vec<&Event> {
        let mut seen: Vec<&Subject> = Vec::new();
        let own = self
            .incident
            .members
            .iter()
            .filter(|member| member.reason != JoinReason::Context)
            .map(|member| &*member.event);
        let firsts = own.filter(|event| {
            let new = !seen.contains(&&event.subject);
            seen.push(&event.subject);
            new
        });
        firsts
            .filter(|event| !matches!(event.fact, Fact::Edit(_) | Fact::Review(_)))
            .take(MAX_PARTS)
            .collect()
    }

    /// Current decision of the rules, if it differs from the announced one.
    fn drifted(&self) -> Option<&'static str> {
        let announced = self.incident.announced.as_ref()?;
        (announced.decision != self.incident.decision)
            .then(|| terms::decision(&self.incident.decision))
    }
}

/// Renders the page.
pub(crate) fn render(view: &IncidentView<'_>) -> String {
    let chart = chart::chart(view.incident, view.now);
    render_template(&IncidentTemplate {
        tab: Tab::Incidents,
        view,
        incident: view.incident,
        chart,
    })
}

/// Maximum number of incidents offered for merging.
const MAX_OTHERS: usize = 50;

pub(crate) async fn page(State(app): State<Arc<App>>, Path(id): Path<String>) -> PageResult {
    incident_page(&app, &id, None).await
}

async fn incident_page(app: &Arc<App>, id: &str, notice: Option<Notice>) -> PageResult {
    let incident = find_incident(app, id).await?;
    let wanted = incident.id.clone();
    let lead = incident.bundle.clone();
    let (mut others, _) = list_incidents(app, IncidentSelection::start(IncidentList::All)).await?;
    let (postmortem, lead, pictures) = read_store(app, move |app| {
        let lead = lead
            .map(|lead| app.core.store.incident(&lead.0))
            .transpose()?
            .flatten();
        Ok((
            app.core.store.postmortem_of(&wanted)?,
            lead,
            app.conditions.plots(&wanted)?,
        ))
    })
    .await?;
    others.retain(|other| other.id != incident.id);
    let (bundled, others): (Vec<Incident>, Vec<Incident>) = others
        .into_iter()
        .partition(|other| other.bundle.as_ref() == Some(&incident.id));
    let settings = app.core.settings();
    let view = IncidentView {
        now: app.core.now(),
        incident: &incident,
        postmortem: postmortem.as_ref(),
        invitation: proposed_meeting(app, &incident),
        lead: lead.as_ref(),
        bundled: &bundled,
        others: others.get(..MAX_OTHERS).unwrap_or(&others),
        pictures: &pictures,
        on_call: &app.on_call_calendars().at_detection(&incident, &settings),
        names: DisplayNames {
            who: &settings.policy.who,
            stated: &incident.identities,
        },
        notice,
    };
    Ok(Html(render(&view)))
}

/// `GET /incidents/{id}/plots/{condition}.svg`
pub(crate) async fn plot(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let incident = find_incident(&app, &id).await?.id;
    // Only one suffix is removed: a condition may itself be named `errors.svg`.
    let condition = name.strip_suffix(".svg").unwrap_or(&name).to_owned();
    let drawn = read_store(&app, move |app| app.core.store.plot(&incident, &condition)).await?;
    let drawn =
        drawn.ok_or_else(|| Error::NotFound(format!("this incident has no plot of `{name}`")))?;
    Ok((SVG_HEADERS, drawn.svg).into_response())
}

pub(crate) async fn review(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(posted): Form<ReviewBody>,
) -> Result<Response, PageError> {
    match submit_review(&app, &id, &posted).await {
        Ok(_) => Ok(Redirect::to(&format!("/incidents/{id}")).into_response()),
        Err(Error::Conflict(text)) => {
            let page = incident_page(
                &app,
                &id,
                Some(Notice {
                    warning: true,
                    text,
                }),
            )
            .await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(fault) => Err(fault.into()),
    }
}

#[derive(Deserialize)]
pub(crate) struct NoteForm {
    text: String,
}

pub(crate) async fn note(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(posted): Form<NoteForm>,
) -> Result<Redirect, PageError> {
    let incident = find_incident(&app, &id).await?;
    let text: String = posted.text.trim().chars().take(4000).collect();
    if text.is_empty() {
        return Err(Error::BadRequest("the note is empty".to_owned()).into());
    }
    let mut event = Event::new("people", app.core.now(), Fact::Note(Note { text }));
    event.incident = Some(incident.id.0.clone().into());
    event.identify();
    let _ = record_event(&app, event).await?;
    Ok(Redirect::to(&format!("/incidents/{}", incident.id)))
}

#[cfg(test)]
mod tests {
    use super::{IncidentView, PlotView, render};
    use crate::http::format::event::DisplayNames;
    use crate::http::pages::layout::Notice;
    use crate::http::pages::sample;
    use crate::model::directory::Identities;
    use crate::model::event::{Fact, Link, Note};
    use crate::model::incident::Incident;
    use crate::model::lifecycle::ReviewState;
    use crate::model::verdict::PostmortemForm;

    fn page(incident: &Incident) -> String {
        with_pictures(incident, &[])
    }

    fn with_pictures(incident: &Incident, pictures: &[PlotView]) -> String {
        let (who, stated) = (sample::model::who(), Identities::new());
        let names = DisplayNames {
            who: &who,
            stated: &stated,
        };
        let invitation = Some(sample::model::invitation());
        render(&IncidentView {
            now: sample::model::at(7200),
            incident,
            postmortem: None,
            invitation,
            lead: None,
            bundled: &[],
            others: &[],
            pictures,
            on_call: &[],
            names,
            notice: None,
        })
    }

    #[test]
    fn a_picture_is_found_whatever_its_condition_is_called() {
        let picture = PlotView {
            condition: "a /b#c?d%e".to_owned(),
            words: String::new(),
            head: Vec::new(),
            rows: Vec::new(),
        };
        let html = with_pictures(&sample::model::incident(), &[picture]);
        assert!(html.contains("/plots/a%20%2Fb%23c%3Fd%25e.svg\""), "{html}");
    }

    #[test]
    fn page_shows_decision_reasons_and_forms() {
        let html = page(&sample::model::incident());
        for wanted in [
            "Postmortem suggested",
            "Checkout was degraded for 47m without a break (threshold 30m).",
            "direct dependency: payments",
            "Ada L.",
            "entered by a person",
            "Alert HighErrorRate fired (critical)",
            "role=\"img\"",
            "action=\"/incidents/i-3f2a91c0de/notes\"",
            "action=\"/ask\"",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }

    #[test]
    fn form_of_the_postmortem_is_shown() {
        let mut incident = sample::model::incident();
        incident.form = Some(PostmortemForm::Standing);
        assert!(page(&incident).contains("Form of the postmortem: standing."));
    }

    #[test]
    fn evidence_leads_to_its_row() {
        let incident = sample::model::incident();
        let html = page(&incident);
        let id = &incident.verdicts[0].evidence[0];
        assert!(
            html.contains(&format!("href=\"#e-{id}\"")) && html.contains(&format!("id=\"e-{id}\""))
        );
    }

    #[test]
    fn a_milestone_nobody_knows_stays_unknown() {
        let mut incident = sample::model::incident();
        incident.milestones.mitigated = None;
        let html = page(&incident);
        let row = html
            .split("Mitigated</th>")
            .nth(1)
            .and_then(|rest| rest.split("</tr>").next());
        assert!(
            row.is_some_and(|row| row.contains("unknown") && !row.contains("<time")),
            "{row:?}"
        );
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut incident = sample::model::incident();
        incident.title = "<script>alert(1)</script>".to_owned();
        incident.services = vec!["\"><img src=x onerror=alert(1)>".to_owned()];
        let mut members = incident.members.to_vec();
        let event = std::sync::Arc::make_mut(&mut members[0].event);
        event.fact = Fact::Note(Note {
            text: "<b onmouseover=alert(1)>x".to_owned(),
        });
        event.links = vec![Link {
            title: "run".to_owned(),
            url: "javascript:alert(1)".to_owned(),
        }]
        .into();
        incident.members = members.into();
        let html = page(&incident);
        for banned in ["<script>", "<img", "<b on", "href=\"javascript"] {
            assert!(!html.contains(banned), "{banned}");
        }
        assert!(html.contains("alert(1)"), "it is shown, as text");
    }

    #[test]
    fn notice_of_a_stale_answer_is_at_the_top() {
        let incident = sample::model::incident();
        let notice = Some(Notice {
            warning: true,
            text: "This changed since you looked.".to_owned(),
        });
        let html = {
            let (who, stated) = (sample::model::who(), Identities::new());
            let names = DisplayNames {
                who: &who,
                stated: &stated,
            };
            let (lead, bundled, others) = (None, &[][..], &[][..]);
            render(&IncidentView {
                now: sample::model::at(7200),
                incident: &incident,
                postmortem: None,
                invitation: None,
                lead,
                bundled,
                others,
                pictures: &[],
                on_call: &[],
                names,
                notice,
            })
        };
        assert!(html.contains(
            "<p class=\"notice warning\" role=\"status\">This changed since you looked.</p>"
        ));
    }

    #[test]
    fn dismissed_incident_has_no_answer_form() {
        let mut incident = sample::model::incident();
        incident.standing = ReviewState::Dismissed;
        assert!(!page(&incident).contains("name=\"answer\""));
    }
}
