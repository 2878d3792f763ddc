//! `/quarantine` and `/quarantine/{position}`: messages that could not be parsed, and their retry.
//! Bodies are untrusted and shown only as text.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::app::intake::reprocess::{API, PROMETHEUS, ReprocessFault, Reprocessed};
use crate::http::api::quarantine::{QuarantineQuery, dismiss_message, find_message};
use crate::http::body_preview::{BodyPreview, fault_context};
use crate::http::error::Error;
use crate::http::format::badge::Badge;
use crate::http::format::time;
use crate::http::handler::{PAGE_ROWS, read_store};
use crate::http::pages::error::{PageError, PageResult};
use crate::http::pages::layout::{Notice, Tab, render_template};
use crate::http::paging;
use crate::http::query::Query;
use crate::model::time::Time;
use crate::store::log::MessageContext;
use crate::store::quarantine::{QuarantineEntry, QuarantineFilter, QuarantineState};

/// Data of the list.
pub(crate) struct QuarantineView {
    /// Current time.
    pub(crate) now: Time,
    /// Link to older ones, if there are more.
    pub(crate) older: Option<String>,
    /// Filter by source.
    pub(crate) source: Option<String>,
    /// Sources whose messages can be retried, with the number waiting.
    pub(crate) waiting: Vec<(String, u64)>,
    /// Newest first.
    pub(crate) messages: Vec<QuarantinedMessage>,
    /// Notice at the top.
    pub(crate) notice: Option<Notice>,
}

/// Data of the page of one message.
pub(crate) struct QuarantinedView {
    /// Current time.
    pub(crate) now: Time,
    pub(crate) message: QuarantinedMessage,
    /// Request headers kept with it.
    pub(crate) headers: Vec<(String, String)>,
    /// Body; `None` if no longer kept.
    pub(crate) body: Option<Vec<u8>>,
    /// True if it can be retried.
    pub(crate) can_be_read: bool,
    /// Notice at the top.
    pub(crate) notice: Option<Notice>,
}

/// Message that could not be parsed, or only in part.
#[derive(Debug, Clone)]
pub(crate) struct QuarantinedMessage {
    /// Position in the event log.
    pub(crate) position: u64,
    pub(crate) source: String,
    /// Arrival time.
    pub(crate) at: Time,
    /// Parse error with its position.
    pub(crate) fault: String,
    pub(crate) state: QuarantineState,
    /// Time of the last retry or of the dismissal.
    pub(crate) tried_at: Option<Time>,
    /// Log record with its new events.
    pub(crate) mended_by: Option<u64>,
}

impl QuarantinedMessage {
    fn badge(&self) -> Badge {
        match self.state {
            QuarantineState::Open => Badge {
                text: "waiting",
                class: "ask",
            },
            QuarantineState::Mended => Badge {
                text: "processed",
                class: "good",
            },
            QuarantineState::Dismissed => Badge {
                text: "dismissed",
                class: "quiet",
            },
        }
    }
}

#[derive(Template)]
#[template(path = "http/pages/quarantine.html")]
struct QuarantineTemplate<'a> {
    tab: Tab,
    view: &'a QuarantineView,
}

#[derive(Template)]
#[template(path = "http/pages/quarantined.html")]
struct QuarantinedTemplate<'a> {
    tab: Tab,
    view: &'a QuarantinedView,
}

/// Body as shown.
enum MessageBody {
    Gone,
    Kept(BodyPreview),
}

impl QuarantinedTemplate<'_> {
    fn body(&self) -> MessageBody {
        self.view.body.as_deref().map_or(MessageBody::Gone, |body| {
            MessageBody::Kept(BodyPreview::new(body))
        })
    }

    fn fault_context(&self) -> Option<(String, String, String)> {
        fault_context(&self.view.message.fault, self.view.body.as_deref()?)
    }
}

/// Renders the list.
pub(crate) fn render(view: &QuarantineView) -> String {
    render_template(&QuarantineTemplate {
        tab: Tab::Elsewhere,
        view,
    })
}

/// Renders the page of one message.
pub(crate) fn render_message(view: &QuarantinedView) -> String {
    render_template(&QuarantinedTemplate {
        tab: Tab::Elsewhere,
        view,
    })
}

/// `GET /quarantine`
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    query: Result<Query<QuarantineQuery>, Error>,
) -> PageResult {
    let Query(query) = query?;
    let before = paging::after(query.after.as_deref())?;
    let source = query.source.filter(|source| !source.is_empty());
    list(&app, source, before, None).await
}

async fn list(
    app: &Arc<App>,
    source: Option<String>,
    before: Option<u64>,
    notice: Option<Notice>,
) -> PageResult {
    let wanted = source.clone();
    let (mut rows, waiting) = read_store(app, move |app| {
        let filter = QuarantineFilter {
            source: wanted.as_deref(),
            before,
            limit: PAGE_ROWS + 1,
            ..QuarantineFilter::default()
        };
        Ok((
            app.core.store.quarantined(filter)?,
            app.core.store.quarantine_by_source()?,
        ))
    })
    .await?;
    let fits = |name: &String| {
        source.as_ref().is_none_or(|source| source == name) && has_reader(app, name)
    };
    let waiting = waiting
        .into_iter()
        .filter(|(name, _)| fits(name))
        .map(|(name, waiting)| (name, waiting.count))
        .collect();
    let more = rows.len() > PAGE_ROWS;
    rows.truncate(PAGE_ROWS);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|row| row.position.to_string());
    let older = next.map(|next| {
        let parameters = [
            ("source", source.as_deref()),
            ("after", Some(next.as_str())),
        ];
        paging::address("/quarantine", &parameters)
    });
    let view = QuarantineView {
        now: app.core.now(),
        older,
        source,
        waiting,
        messages: rows.into_iter().map(message_view).collect(),
        notice,
    };
    Ok(Html(render(&view)))
}

fn has_reader(app: &App, source: &str) -> bool {
    matches!(source, PROMETHEUS | API) || app.core.settings().readers.contains_key(source)
}

fn message_view(row: QuarantineEntry) -> QuarantinedMessage {
    QuarantinedMessage {
        position: row.position,
        source: row.source,
        at: row.logged_at,
        fault: row.fault,
        state: row.state,
        tried_at: row.tried_at,
        mended_by: row.mended_by,
    }
}

/// `GET /quarantine/{position}`
pub(crate) async fn message_page(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> PageResult {
    show(&app, position, None).await
}

async fn show(app: &Arc<App>, position: u64, notice: Option<Notice>) -> PageResult {
    let (row, raw) = find_message(app, position).await?;
    let can_be_read = row.passed || (raw.is_some() && has_reader(app, &row.source));
    let (body, MessageContext { headers, .. }) = raw
        .map_or((None, MessageContext::default()), |raw| {
            (Some(raw.body), raw.beside)
        });
    let view = QuarantinedView {
        now: app.core.now(),
        message: message_view(row),
        headers,
        body,
        can_be_read,
        notice,
    };
    Ok(Html(render_message(&view)))
}

/// `GET /quarantine/{position}/body`: the unchanged body, as a download that no browser renders.
pub(crate) async fn body(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Response, PageError> {
    let raw = find_message(&app, position)
        .await?
        .1
        .ok_or(ReprocessFault::Gone)
        .map_err(Error::from)?;
    let name = format!("attachment; filename=\"message-{position}.txt\"");
    Ok((
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        raw.body,
    )
        .into_response())
}

/// `POST /quarantine/{position}/retry`
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Response, PageError> {
    let (status, notice) = match app.intake.quarantine.reprocess(position).await {
        Ok(Reprocessed {
            state: QuarantineState::Mended,
            ..
        }) => {
            return Ok(Redirect::to(&format!("/quarantine/{position}")).into_response());
        }
        Ok(_) => (
            StatusCode::OK,
            "The message still cannot be parsed; see the error below.",
        ),
        Err(ReprocessFault::Already) => (
            StatusCode::CONFLICT,
            "The message has already been processed.",
        ),
        Err(fault) => return Err(Error::from(fault).into()),
    };
    let page = show(
        &app,
        position,
        Some(Notice {
            warning: true,
            text: notice.to_owned(),
        }),
    )
    .await?;
    Ok((status, page).into_response())
}

/// Form to retry all messages of a source.
#[derive(Debug, Deserialize)]
pub(crate) struct RetryAllForm {
    source: String,
}

/// `POST /quarantine/retry`
pub(crate) async fn retry_all(
    State(app): State<Arc<App>>,
    Form(RetryAllForm { source }): Form<RetryAllForm>,
) -> PageResult {
    let done = app
        .intake
        .quarantine
        .reprocess_all(&source)
        .await
        .map_err(Error::from)?;
    let messages = if done.tried == 1 {
        "message"
    } else {
        "messages"
    };
    let rest = if done.more {
        " More are waiting; retry again."
    } else {
        ""
    };
    let text = match (done.tried, done.mended) {
        (0, _) => format!("No messages from {source} are waiting."),
        (1, 0) => format!("The message from {source} still cannot be read.{rest}"),
        (tried, 0) => format!("None of the {tried} messages from {source} could be read.{rest}"),
        (tried, mended) => {
            format!("{mended} of {tried} {messages} from {source} processed.{rest}")
        }
    };
    list(
        &app,
        Some(source),
        None,
        Some(Notice {
            warning: done.mended < done.tried,
            text,
        }),
    )
    .await
}

/// `POST /quarantine/{position}/dismiss`
pub(crate) async fn dismiss(
    State(app): State<Arc<App>>,
    Path(position): Path<u64>,
) -> Result<Redirect, PageError> {
    dismiss_message(&app, position).await?;
    Ok(Redirect::to(&format!("/quarantine/{position}")))
}

#[cfg(test)]
mod tests {
    use crate::http::pages::sample;

    #[test]
    fn bodies_are_shown_escaped() {
        for (name, html) in sample::all::all()
            .into_iter()
            .filter(|(name, _)| name.starts_with("quarantine"))
        {
            for raw in ["<script", "<value>", "<b>"] {
                assert!(!html.contains(raw), "{name}: {raw}");
            }
        }
    }
}
