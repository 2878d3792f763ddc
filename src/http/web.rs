//! The pages: gathers what each shows, and takes what their forms post. Only a POST acts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, OriginalUri, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api;
use super::api::{ReviewBody, review_with, say};
use super::correct;
use super::error::Error;
use super::handler::{PAGE_ROWS, find_incident, read_store, service_names};
use super::{backtests, criteria, ledger, pages, quarantine, sources};
use crate::app::conditions::status::SourceStatus;
use crate::app::judge::effects;
use crate::app::{App, criteria_readiness};
use crate::ingest::IngestFault;
use crate::ingest::people;
use crate::model::correction::Edit;
use crate::model::event::{Event, Fact, Note};
use crate::model::id::PostmortemId;
use crate::model::incident::Incident;
use crate::model::lifecycle::Phase;
use crate::model::time::Time;
use crate::store::incident::IncidentFilter;

/// Other incidents offered to be merged at the most.
const OTHERS: usize = 50;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(home))
        .route("/suggestions", get(suggestions))
        .route("/incidents", get(incidents))
        .route("/incidents/{id}", get(incident))
        .route("/incidents/{id}/plots/{name}", get(plot))
        .route("/incidents/{id}/review", post(review))
        .route("/incidents/{id}/notes", post(note))
        .route("/incidents/{id}/merge", post(correct::merge_form))
        .route("/incidents/{id}/move", post(correct::move_form))
        .route("/incidents/{id}/identities", post(correct::identity_form))
        .route("/incidents/{id}/milestones", post(correct::milestone_form))
        .route("/postmortems", get(postmortems))
        .route("/postmortems/{id}", get(postmortem))
        .route("/ledger", get(ledger::page))
        .route("/criteria", get(criteria::page))
        .route("/ask", get(ask).post(asked))
        .route("/declare", get(declare).post(declared))
        .route("/maintenance", get(maintenance).post(plan))
        .route("/backtests", get(backtests::page).post(backtests::posted))
        .route("/backtests/{number}", get(backtests::one_page))
        .route("/backtests/{number}/cancel", post(backtests::cancel_form))
        .route("/assign", post(assign))
        .route("/conditions", get(conditions))
        .route("/sources", get(sources::page))
        .route("/quarantine", get(quarantine::page))
        .route("/quarantine/retry", post(quarantine::retry_all_form))
        .route("/quarantine/{position}", get(quarantine::one_page))
        .route("/quarantine/{position}/body", get(quarantine::body))
        .route("/quarantine/{position}/retry", post(quarantine::retry_form))
        .route(
            "/quarantine/{position}/dismiss",
            post(quarantine::dismiss_form),
        )
}

/// `GET /style.css`
pub(crate) async fn style() -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, "text/css; charset=utf-8"),
            (header::CACHE_CONTROL, "max-age=300"),
        ],
        pages::STYLE,
    )
}

/// Whatever no route leads to: JSON for scripts, a page for people.
pub(crate) async fn nowhere(OriginalUri(uri): OriginalUri) -> Response {
    let fault = Error::NotFound(format!("there is nothing at {}", uri.path()));
    if uri.path().starts_with("/api/") || uri.path().starts_with("/ingest/") {
        fault.into_response()
    } else {
        PageError(fault).into_response()
    }
}

/// A fault shown as a page.
pub(crate) struct PageError(Error);

impl<E: Into<Error>> From<E> for PageError {
    fn from(fault: E) -> Self {
        Self(fault.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let told = self.0.to_string();
        let view = pages::error::View {
            status: status.as_u16(),
            what: status.canonical_reason().unwrap_or("Fault"),
            what_to_do: &told,
        };
        let mut response = (status, Html(pages::error::render(&view))).into_response();
        self.0.mark(response.headers_mut());
        response
    }
}

pub(crate) type Page = Result<Html<String>, PageError>;

async fn home(State(app): State<Arc<App>>) -> Page {
    let (incidents, last, sent) = read_store(&app, |app| {
        let filter = IncidentFilter {
            open_only: false,
            limit: PAGE_ROWS,
        };
        Ok((
            app.store.incidents(filter)?,
            app.store.last_alert()?,
            app.sources()?,
        ))
    })
    .await?;
    let settings = app.settings();
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
    let sources: Vec<pages::home::SourceSeen> = sent
        .iter()
        .map(|source| pages::home::SourceSeen {
            name: source.name.clone(),
            last: source.tally.seen.last_message,
            quarantined: source.waiting.as_ref().map_or(0, |waiting| waiting.count),
            silent: pages::sources::silence(source),
        })
        // The ways in that are always there are no news before they are used.
        .filter(|seen| {
            seen.last.is_some()
                || settings
                    .config
                    .sources
                    .iter()
                    .any(|source| source.name == seen.name)
        })
        .collect();
    let alert = last
        .as_ref()
        .and_then(|(_, event)| pages::home::LastAlert::read(event, &settings.config.labels));
    let last = last.map(|(_, mut event)| {
        settings.policy.name_service(&mut event);
        event
    });
    // What its source calls the service is its label's value, and the service's name is ours.
    let service = last
        .as_ref()
        .and_then(|event| event.service.as_deref().map(str::to_owned));
    let alert = alert.map(|alert| pages::home::LastAlert { service, ..alert });
    let trouble = app.faults.recent().into_iter().next();
    let reachable = criteria_readiness::reach(&settings.policy.rules, &incidents, last.as_ref());
    let view = pages::home::View {
        now: app.now(),
        address: settings.config.external_url.trim_end_matches('/'),
        last_alert: alert,
        criteria: reachable
            .into_iter()
            .map(|row| {
                let criteria_readiness::Reach {
                    criterion,
                    decision,
                    shadow,
                    possible,
                    why,
                } = row;
                pages::home::Reach {
                    criterion,
                    decision,
                    shadow,
                    possible,
                    why,
                }
            })
            .collect(),
        open: incidents
            .iter()
            .filter(|incident| incident.phase != Phase::Closed)
            .collect(),
        closest: pages::home::closest(&incidents),
        unassigned: unassigned
            .into_iter()
            .map(|(key, (incidents, last))| pages::home::Unassigned {
                key: key.to_owned(),
                incidents,
                last,
            })
            .collect(),
        services: service_names(&app),
        sources,
        on_call: app.rotas().shown(&settings, app.now()),
        notice: trouble
            .filter(|(at, _)| app.now() - *at < chrono::TimeDelta::minutes(10))
            .map(|(_, text)| pages::Notice {
                warning: true,
                text,
            }),
    };
    Ok(Html(pages::home::render(&view)))
}

fn invitation(app: &App, incident: &Incident) -> Option<pages::review::Invitation> {
    let settings = app.settings();
    let (people, starts_at) = effects::invitation(incident, &settings, app.now())?;
    let ends_at = starts_at + chrono::TimeDelta::minutes(settings.config.meetings.minutes);
    Some(pages::review::Invitation {
        people,
        starts_at,
        ends_at,
        zone: settings.config.time_zone,
    })
}

async fn suggestions(State(app): State<Arc<App>>) -> Page {
    let (waiting, resting) = api::waiting(&app).await?;
    let now = app.now();
    let in_bundle = |incident: &Incident| {
        waiting
            .iter()
            .filter(|other| other.bundle.as_ref() == Some(&incident.id))
            .count()
    };
    let show = |incident| pages::suggestions::Suggestion {
        incident,
        bundled: in_bundle(incident),
        invitation: invitation(&app, incident),
    };
    let view = pages::suggestions::View {
        now,
        waiting: waiting
            .iter()
            .filter(|incident| speaks(incident, &waiting))
            .map(show)
            .collect(),
        snoozed: resting.iter().map(show).collect(),
        notice: None,
    };
    Ok(Html(pages::suggestions::render(&view)))
}

/// Whether nobody else in the list speaks for it.
fn speaks(incident: &Incident, list: &[Incident]) -> bool {
    incident
        .bundle
        .as_ref()
        .is_none_or(|lead| !list.iter().any(|other| other.id == *lead))
}

async fn incidents(State(app): State<Arc<App>>) -> Page {
    let list = read_store(&app, |app| {
        app.store.incidents(IncidentFilter {
            open_only: false,
            limit: PAGE_ROWS,
        })
    })
    .await?;
    let view = pages::incidents::View {
        incidents: list.iter().collect(),
        older: (list.len() == PAGE_ROWS).then(|| "/api/v1/incidents".to_owned()),
    };
    Ok(Html(pages::incidents::render(&view)))
}

async fn incident(State(app): State<Arc<App>>, Path(id): Path<String>) -> Page {
    incident_page(&app, &id, None).await
}

/// A picture is a document of its own, and its style is its own; nothing else is.
const PICTURE: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "image/svg+xml"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'",
    ),
];

/// `GET /incidents/{id}/plots/{condition}.svg`
async fn plot(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let incident = find_incident(&app, &id).await?.id;
    // One ending only: a condition may itself be called `errors.svg`.
    let condition = name.strip_suffix(".svg").unwrap_or(&name).to_owned();
    let drawn = read_store(&app, move |app| app.store.plot(&incident, &condition)).await?;
    let drawn = drawn
        .ok_or_else(|| Error::NotFound(format!("nothing is drawn of `{name}` in this incident")))?;
    Ok((PICTURE, drawn.svg).into_response())
}

async fn incident_page(app: &Arc<App>, id: &str, notice: Option<pages::Notice>) -> Page {
    let incident = find_incident(app, id).await?;
    let wanted = incident.id.clone();
    let lead = incident.bundle.clone();
    let (postmortem, lead, pictures, mut others) = read_store(app, move |app| {
        let lead = lead
            .map(|lead| app.store.incident(&lead.0))
            .transpose()?
            .flatten();
        let others = app.store.incidents(IncidentFilter {
            open_only: false,
            limit: PAGE_ROWS,
        })?;
        Ok((
            app.store.postmortem_of(&wanted)?,
            lead,
            app.pictures(&wanted)?,
            others,
        ))
    })
    .await?;
    others.retain(|other| other.id != incident.id);
    let (bundled, others): (Vec<Incident>, Vec<Incident>) = others
        .into_iter()
        .partition(|other| other.bundle.as_ref() == Some(&incident.id));
    let settings = app.settings();
    let view = pages::incident::View {
        now: app.now(),
        incident: &incident,
        postmortem: postmortem.as_ref(),
        invitation: invitation(app, &incident),
        lead: lead.as_ref(),
        bundled: &bundled,
        others: others.get(..OTHERS).unwrap_or(&others),
        pictures: &pictures,
        on_call: &app.rotas().at_detection(&incident, &settings),
        names: super::format::Names {
            who: &settings.policy.who,
            stated: &incident.identities,
        },
        notice,
    };
    Ok(Html(pages::incident::render(&view)))
}

async fn review(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(posted): Form<ReviewBody>,
) -> Result<Response, PageError> {
    match review_with(&app, &id, &posted).await {
        Ok(_) => Ok(Redirect::to(&format!("/incidents/{id}")).into_response()),
        Err(Error::Conflict(text)) => {
            let page = incident_page(
                &app,
                &id,
                Some(pages::Notice {
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
struct NoteForm {
    text: String,
}

async fn note(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Form(posted): Form<NoteForm>,
) -> Result<Redirect, PageError> {
    let incident = find_incident(&app, &id).await?;
    let text: String = posted.text.trim().chars().take(4000).collect();
    if text.is_empty() {
        return Err(Error::BadRequest(
            "the note is empty; write what was seen or done, and when".to_owned(),
        )
        .into());
    }
    let mut event = Event::new("people", app.now(), Fact::Note(Note { text }));
    event.incident = Some(incident.id.0.clone().into());
    event.identify();
    let _ = say(&app, event).await?;
    Ok(Redirect::to(&format!("/incidents/{}", incident.id)))
}

async fn postmortems(State(app): State<Arc<App>>) -> Page {
    let list = read_store(&app, |app| {
        let list = app.store.postmortems(PAGE_ROWS)?;
        list.into_iter()
            .map(|postmortem| Ok((app.store.meeting(&postmortem.id)?, postmortem)))
            .collect::<Result<Vec<_>, _>>()
    })
    .await?;
    let view = pages::postmortems::View {
        postmortems: list
            .iter()
            .map(|(meeting, postmortem)| (postmortem, meeting.as_ref()))
            .collect(),
    };
    Ok(Html(pages::postmortems::render(&view)))
}

async fn postmortem(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    if id.ends_with(".svg") {
        // The document names its pictures as they stand beside it.
        let wanted = id.clone();
        let picture = read_store(&app, move |app| app.picture(&wanted)).await?;
        let picture = picture.ok_or_else(|| {
            Error::NotFound(format!("there is no picture `{id}` beside any postmortem"))
        })?;
        return Ok((PICTURE, picture).into_response());
    }
    let wanted = PostmortemId(id.clone());
    let found = read_store(&app, move |app| {
        Ok((app.store.postmortem(&wanted)?, app.store.meeting(&wanted)?))
    })
    .await?;
    let (Some(postmortem), meeting) = found else {
        return Err(Error::NotFound(format!(
            "there is no postmortem `{id}`; the list is at /postmortems"
        ))
        .into());
    };
    let settings = app.settings();
    let path = settings
        .path(&settings.config.postmortems_directory)
        .join(&postmortem.file);
    // The file is the document; what was generated last stands in while it is not there.
    let file = tokio::task::spawn_blocking({
        let path = path.clone();
        move || std::fs::read_to_string(path)
    });
    let text = file
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_else(|| postmortem.generated.clone());
    let view = pages::postmortem::View {
        postmortem: &postmortem,
        path: &path.display().to_string(),
        markdown: Some(&text),
        meeting: meeting.as_ref(),
        zone: settings.config.time_zone,
    };
    Ok(Html(pages::postmortem::render(&view)).into_response())
}

async fn ask(State(app): State<Arc<App>>) -> Html<String> {
    Html(pages::ask::render(&pages::ask::View {
        services: service_names(&app),
        ..pages::ask::View::default()
    }))
}

type Entered = BTreeMap<String, String>;

/// A form's fields as the body of the API: blank ones left out, times (UTC, without a zone) with one, and `when` as `at`.
fn as_body(posted: &Entered) -> Vec<u8> {
    let mut body: BTreeMap<&str, Value> = BTreeMap::new();
    let zoned = |value: &str| {
        if value.len() == 16 {
            format!("{value}:00Z")
        } else {
            format!("{}Z", value.trim_end_matches('Z'))
        }
    };
    for (name, value) in posted.iter().filter(|(_, value)| !value.trim().is_empty()) {
        match name.as_str() {
            "when" => body.insert("at", json!(zoned(value))),
            "from" | "to" => body.insert(name, json!(zoned(value))),
            name => body.insert(name, json!(value)),
        };
    }
    serde_json::to_vec(&body).unwrap_or_default()
}

async fn asked(
    State(app): State<Arc<App>>,
    Form(posted): Form<Entered>,
) -> Result<Response, PageError> {
    let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
    match people::request(&as_body(&posted), app.now()) {
        Ok(event) => {
            let (_, said) = say(&app, event).await?;
            let status = said
                .0
                .incident
                .map_or_else(|| "/incidents".to_owned(), |id| format!("/incidents/{id}"));
            Ok(Html(pages::ask::render_asked(&status)).into_response())
        }
        Err(fault) => {
            let entered = pages::ask::Entered {
                reason: field("reason"),
                service: field("service"),
                when: field("when"),
                requester: field("requester"),
            };
            let view = pages::ask::View {
                services: service_names(&app),
                entered,
                fault: Some(plain(&fault)),
            };
            Ok((StatusCode::BAD_REQUEST, Html(pages::ask::render(&view))).into_response())
        }
    }
}

fn plain(fault: &IngestFault) -> String {
    fault.to_string()
}

async fn declare(State(app): State<Arc<App>>) -> Html<String> {
    Html(pages::declare::render(&pages::declare::View {
        services: service_names(&app),
        ..pages::declare::View::default()
    }))
}

async fn declared(
    State(app): State<Arc<App>>,
    Form(posted): Form<Entered>,
) -> Result<Response, PageError> {
    let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
    match people::declaration(&as_body(&posted), app.now()) {
        Ok(event) => {
            let (_, said) = say(&app, event).await?;
            let to = said
                .0
                .incident
                .map_or_else(|| "/incidents".to_owned(), |id| format!("/incidents/{id}"));
            Ok(Redirect::to(&to).into_response())
        }
        Err(fault) => {
            let entered = pages::declare::Entered {
                title: field("title"),
                service: field("service"),
                when: field("when"),
            };
            let view = pages::declare::View {
                services: service_names(&app),
                entered,
                fault: Some(plain(&fault)),
            };
            Ok((StatusCode::BAD_REQUEST, Html(pages::declare::render(&view))).into_response())
        }
    }
}

async fn maintenance(State(app): State<Arc<App>>) -> Page {
    maintenance_page(&app, pages::maintenance::Entered::default(), None).await
}

async fn maintenance_page(
    app: &Arc<App>,
    entered: pages::maintenance::Entered,
    fault: Option<String>,
) -> Page {
    let planned = read_store(app, App::planned).await?;
    let view = pages::maintenance::View {
        now: app.now(),
        planned,
        services: service_names(app),
        entered,
        fault,
    };
    Ok(Html(pages::maintenance::render(&view)))
}

async fn plan(
    State(app): State<Arc<App>>,
    Form(posted): Form<Entered>,
) -> Result<Response, PageError> {
    let field = |name: &str| posted.get(name).cloned().unwrap_or_default();
    match people::maintenance(&as_body(&posted), app.now()) {
        Ok(event) => {
            let _ = say(&app, event).await?;
            Ok(Redirect::to("/maintenance").into_response())
        }
        Err(fault) => {
            let entered = pages::maintenance::Entered {
                why: field("why"),
                service: field("service"),
                from: field("from"),
                to: field("to"),
            };
            let page = maintenance_page(&app, entered, Some(plain(&fault))).await?;
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
    }
}

#[derive(Deserialize)]
struct Assignment {
    key: String,
    service: String,
}

async fn assign(
    State(app): State<Arc<App>>,
    Form(posted): Form<Assignment>,
) -> Result<Redirect, PageError> {
    let service: String = posted.service.trim().chars().take(200).collect();
    if service.is_empty() || posted.key.is_empty() {
        return Err(
            Error::BadRequest("name the service that these alerts concern".to_owned()).into(),
        );
    }
    let event = Event::new(
        "people",
        app.now(),
        Fact::Edit(Edit::Assign {
            key: posted.key,
            service,
        }),
    );
    let _ = say(&app, event).await?;
    Ok(Redirect::to("/"))
}

async fn conditions(State(app): State<Arc<App>>) -> Page {
    let (conditions, measured) =
        read_store(&app, |app| Ok((app.conditions()?, app.measured()?))).await?;
    let source = |(name, status): (&String, &SourceStatus)| pages::conditions::Source {
        name: name.clone(),
        answered: status.answered,
        fault: status.fault.clone(),
        left_out: status.left_out,
    };
    // Of an entry with targets, those tell; what was left out is the entry's.
    let has_parts = |name: &str| {
        measured.sources().keys().any(|other| {
            other
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let sources = measured
        .sources()
        .iter()
        .filter(|(name, status)| status.left_out > 0 || !has_parts(name))
        .map(source)
        .collect();
    let view = pages::conditions::View {
        now: app.now(),
        conditions,
        sources,
    };
    Ok(Html(pages::conditions::render(&view)))
}
