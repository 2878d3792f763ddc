//! The ledger: as JSON, as CSV and as a page.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Error;
use super::handler::{API_ROWS, read_store, service_names};
use super::web::Page;
use super::{ledger_csv, pages, time_range};
use crate::app::App;
use crate::app::ledger::{Asked, Row};
use crate::model::id::IncidentId;
use crate::model::verdict::Decision;

/// Rows of a page at the most.
const ROWS: usize = 100;

/// What is asked for, as an address has it. What is empty is not asked for: forms send that.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Narrowed {
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    criterion: Option<String>,
    /// Only what comes after the entry of this incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
}

type Queried = Result<Query<Narrowed>, QueryRejection>;

impl Narrowed {
    fn of(queried: Queried) -> Result<Self, Error> {
        let Query(narrowed) = queried.map_err(|fault| Error::BadRequest(fault.body_text()))?;
        let given = |text: Option<String>| {
            text.map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let Self {
            since,
            until,
            service,
            decision,
            criterion,
            before,
            limit,
            format,
        } = narrowed;
        Ok(Self {
            since: given(since),
            until: given(until),
            service: given(service),
            decision: given(decision),
            criterion: given(criterion),
            before: given(before),
            limit: given(limit),
            format: given(format),
        })
    }

    /// The part of the ledger that is meant.
    async fn asked(&self, app: &Arc<App>) -> Result<Asked, Error> {
        let decision = match self.decision.as_deref() {
            None => None,
            Some("hold") => Some(Decision::Hold),
            Some("suggest") => Some(Decision::Suggest),
            Some("none") => Some(Decision::None),
            Some(other) => {
                return Err(Error::BadRequest(format!(
                    "the decision {other:?} is not known: hold, suggest or none"
                )));
            }
        };
        let now = app.now();
        Ok(Asked {
            since: time_range::since(self.since.as_deref(), now)?,
            until: time_range::until(self.until.as_deref(), now)?,
            service: self.service.clone(),
            decision,
            criterion: self.criterion.clone(),
            after: self.after(app).await?,
        })
    }

    async fn after(
        &self,
        app: &Arc<App>,
    ) -> Result<Option<(crate::model::time::Time, IncidentId)>, Error> {
        let Some(before) = self.before.clone() else {
            return Ok(None);
        };
        let incident = before.clone();
        let closed_at = read_store(app, move |app| app.store.closed_at(&incident)).await?;
        let closed_at = closed_at.ok_or_else(|| {
            Error::BadRequest(format!("`before` is no incident of the ledger: {before:?}"))
        })?;
        Ok(Some((closed_at, IncidentId(before))))
    }

    fn limit(&self) -> Result<Option<usize>, Error> {
        let Some(text) = &self.limit else {
            return Ok(None);
        };
        let limit = text.parse().ok().filter(|limit| *limit > 0);
        limit
            .map(Some)
            .ok_or_else(|| Error::BadRequest(format!("`limit` is no number of entries: {text:?}")))
    }

    fn wants_csv(&self, headers: &HeaderMap) -> Result<bool, Error> {
        match self.format.as_deref() {
            Some("csv") => Ok(true),
            Some("json") => Ok(false),
            Some(other) => Err(Error::BadRequest(format!(
                "the format {other:?} is not known: json or csv"
            ))),
            None => {
                let accepted = headers
                    .get_all(header::ACCEPT)
                    .iter()
                    .filter_map(|value| value.to_str().ok());
                let media = |value: &str| {
                    value.split(',').any(|media| {
                        media
                            .split(';')
                            .next()
                            .unwrap_or_default()
                            .trim()
                            .eq_ignore_ascii_case("text/csv")
                    })
                };
                Ok(accepted.into_iter().any(media))
            }
        }
    }

    /// The address of the same at `path`, from another entry on.
    fn address(&self, path: &str, before: Option<String>, format: Option<&str>) -> String {
        let other = Self {
            before,
            format: format.map(str::to_owned),
            ..self.clone()
        };
        let pairs = serde_json::to_value(&other).unwrap_or_default();
        let pairs = pairs
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name, value.as_str()?)));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }
}

/// Entries, and where the next ones are found when there are more.
async fn rows(
    app: &Arc<App>,
    asked: &Asked,
    limit: usize,
) -> Result<(Vec<Row>, Option<IncidentId>), Error> {
    let asked = asked.clone();
    let mut rows = read_store(app, move |app| app.ledger(&asked, limit + 1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more).map(|row| row.place().1);
    Ok((rows, last))
}

/// `GET /api/v1/ledger`
pub(crate) async fn listed(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    queried: Queried,
) -> Result<Response, Error> {
    let narrowed = Narrowed::of(queried)?;
    let asked = narrowed.asked(&app).await?;
    let limit = narrowed.limit()?;
    if narrowed.wants_csv(&headers)? {
        return Ok(table(app, asked, limit));
    }
    let (rows, next) = rows(&app, &asked, limit.unwrap_or(API_ROWS).min(API_ROWS)).await?;
    let mut response = Json(Value::from(rows.iter().map(told).collect::<Vec<_>>())).into_response();
    if let Some(next) = next {
        let link = format!(
            "<{}>; rel=\"next\"",
            narrowed.address("/api/v1/ledger", Some(next.0), narrowed.format.as_deref())
        );
        response
            .headers_mut()
            .extend(link.parse().ok().map(|link| (header::LINK, link)));
    }
    Ok(response)
}

/// An entry, as it stood at closing and as it stands, with what came of it.
fn told(row: &Row) -> Value {
    let (ledgered, latest) = (&row.ledgered, row.ledgered.latest());
    let shadow = |(verdict, would_have): (&crate::model::verdict::Verdict, Decision)| json!({ "criterion": verdict.criterion, "outcome": verdict.outcome, "would_have": would_have, "sentence": verdict.sentence });
    json!({
        "incident": latest.incident,
        "closed_at": ledgered.entry.closed_at,
        "decision": latest.decided(),
        "standing": latest.standing,
        "reason": latest.reason,
        "answer": latest.review,
        "became": row.became,
        "postmortem": ledgered.postmortem.as_ref().map(|postmortem| json!({
            "id": postmortem.id,
            "status": postmortem.status,
            "path": row.path.as_ref().map(|path| path.display().to_string()),
        })),
        "meeting": ledgered.meeting.map(|meeting| json!({ "starts_at": meeting.starts_at, "cancelled": meeting.cancelled })),
        "bundled_into": latest.bundle,
        "merged_into": ledgered.merged_into,
        "shadows": latest.shadows().map(shadow).collect::<Vec<_>>(),
        "entry": ledgered.entry,
        "amended": ledgered.amended.as_ref().map(|(at, entry)| json!({ "at": at, "entry": entry })),
    })
}

/// All of it, or `limit` entries, as CSV: read and sent page after page, so that it may be long.
fn table(app: Arc<App>, asked: Asked, limit: Option<usize>) -> Response {
    let lines = stream::try_unfold(Some((asked, limit, true)), move |state| {
        let app = Arc::clone(&app);
        async move {
            let Some((asked, left, first)) = state else {
                return Ok::<_, Error>(None);
            };
            let (rows, next) = rows(
                &app,
                &asked,
                left.map_or(API_ROWS, |left| left.min(API_ROWS)),
            )
            .await?;
            let mut bytes = if first {
                ledger_csv::head()
            } else {
                Vec::new()
            };
            bytes.extend(ledger_csv::body(&rows));
            let left = left.map(|left| left - rows.len());
            let after = rows
                .last()
                .filter(|_| next.is_some() && left != Some(0))
                .map(Row::place);
            Ok(Some((
                Bytes::from(bytes),
                after.map(|after| {
                    (
                        Asked {
                            after: Some(after),
                            ..asked
                        },
                        left,
                        false,
                    )
                }),
            )))
        }
    });
    let told = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"ledger.csv\"",
        ),
    ];
    (told, Body::from_stream(lines)).into_response()
}

/// `GET /ledger`
pub(crate) async fn page(State(app): State<Arc<App>>, queried: Queried) -> Page {
    let narrowed = Narrowed::of(queried)?;
    let asked = narrowed.asked(&app).await?;
    let (rows, next) = rows(&app, &asked, ROWS).await?;
    let settings = app.settings();
    let criteria = settings
        .policy
        .rules
        .criteria
        .iter()
        .map(|criterion| criterion.name.clone());
    let view = pages::ledger::View {
        rows: &rows,
        who: &settings.policy.who,
        services: service_names(&app),
        criteria: criteria.collect(),
        csv: narrowed.address("/api/v1/ledger", None, Some("csv")),
        older: next.map(|next| narrowed.address("/ledger", Some(next.0), None)),
        asked: pages::ledger::Entered {
            since: narrowed.since.unwrap_or_default(),
            until: narrowed.until.unwrap_or_default(),
            service: narrowed.service.unwrap_or_default(),
            decision: narrowed.decision.unwrap_or_default(),
            criterion: narrowed.criterion.unwrap_or_default(),
        },
    };
    Ok(Html(pages::ledger::render(&view)))
}
