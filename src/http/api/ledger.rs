//! `GET /api/v1/ledger`: closed incidents as JSON or CSV.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::app::ledger::{LedgerRow, LedgerSelection};
use crate::http::api::ledger_csv;
use crate::http::api::ledger_query::{LedgerQuery, LedgerQueryResult, read_rows};
use crate::http::error::Error;
use crate::http::paging::{JsonPage, LIST_ROWS};
use crate::model::verdict::Decision;
use axum::body::Bytes;
use futures_util::stream;

/// `GET /api/v1/ledger`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    queried: LedgerQueryResult,
) -> Result<Response, Error> {
    let query = LedgerQuery::parse(queried)?;
    let asked = query.selection(&app).await?;
    let limit = query.limit()?;
    if query.wants_csv(&headers)? {
        return Ok(csv_response(app, asked, limit));
    }
    let limit = limit.unwrap_or(LIST_ROWS).min(LIST_ROWS);
    let (rows, cut) = read_rows(&app, &asked, limit).await?;
    let mut page = JsonPage::new(limit);
    let rows = rows.iter().map(|row| (row.place().1, row_json(row)));
    let next = page.extend(rows, cut.is_some()).map_err(Error::Internal)?;
    let next =
        next.map(|next| query.address("/api/v1/ledger", Some(next.0), query.format.as_deref()));
    Ok(page.respond(next.as_deref()))
}

/// Entry as JSON: at closing, as amended, and its outcome.
fn row_json(row: &LedgerRow) -> Value {
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

/// Streams the selected entries, at most `limit`, as CSV, page by page.
fn csv_response(app: Arc<App>, asked: LedgerSelection, limit: Option<usize>) -> Response {
    let lines = stream::try_unfold(Some((asked, limit, true)), move |state| {
        let app = Arc::clone(&app);
        async move {
            let Some((asked, left, first)) = state else {
                return Ok::<_, Error>(None);
            };
            let (rows, next) = read_rows(
                &app,
                &asked,
                left.map_or(LIST_ROWS, |left| left.min(LIST_ROWS)),
            )
            .await?;
            let mut bytes = if first {
                ledger_csv::header_row()
            } else {
                Vec::new()
            };
            bytes.extend(ledger_csv::rows(&rows));
            let left = left.map(|left| left - rows.len());
            let after = rows
                .last()
                .filter(|_| next.is_some() && left != Some(0))
                .map(LedgerRow::place);
            Ok(Some((
                Bytes::from(bytes),
                after.map(|after| {
                    (
                        LedgerSelection {
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
