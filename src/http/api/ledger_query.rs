//! Query parameters of the ledger, shared by its API and its page.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::app::ledger;
use crate::app::ledger::{LedgerRow, LedgerSelection};
use crate::http::error::Error;
use crate::http::handler::read_store;
use crate::http::query::Query;
use crate::http::time_range;
use crate::model::id::IncidentId;
use crate::model::verdict::Decision;

/// Raw query parameters. Empty ones are ignored, because forms send empty fields.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LedgerQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) criterion: Option<String>,
    /// Cursor: only entries listed after the one of this incident.
    #[serde(alias = "after", skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<String>,
}

pub(crate) type LedgerQueryResult = Result<Query<LedgerQuery>, Error>;

impl LedgerQuery {
    pub(crate) fn parse(queried: LedgerQueryResult) -> Result<Self, Error> {
        let Query(query) = queried?;
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
        } = query;
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

    /// Validated selection of ledger entries.
    pub(crate) async fn selection(&self, app: &Arc<App>) -> Result<LedgerSelection, Error> {
        let decision = match self.decision.as_deref() {
            None => None,
            Some("hold") => Some(Decision::Hold),
            Some("suggest") => Some(Decision::Suggest),
            Some("none") => Some(Decision::None),
            Some(other) => {
                return Err(Error::BadRequest(format!(
                    "unknown decision {other:?}; use hold, suggest or none"
                )));
            }
        };
        let now = app.core.now();
        Ok(LedgerSelection {
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
        let closed_at = read_store(app, move |app| app.core.store.closed_at(&incident)).await?;
        let closed_at = closed_at.ok_or_else(|| {
            Error::BadRequest(format!(
                "`before` is not an incident of the ledger: {before:?}"
            ))
        })?;
        Ok(Some((closed_at, IncidentId(before))))
    }

    pub(crate) fn limit(&self) -> Result<Option<usize>, Error> {
        let Some(text) = &self.limit else {
            return Ok(None);
        };
        let limit = text.parse().ok().filter(|limit| *limit > 0);
        limit.map(Some).ok_or_else(|| {
            Error::BadRequest(format!("`limit` must be a positive number, not {text:?}"))
        })
    }

    pub(crate) fn wants_csv(&self, headers: &HeaderMap) -> Result<bool, Error> {
        match self.format.as_deref() {
            Some("csv") => Ok(true),
            Some("json") => Ok(false),
            Some(other) => Err(Error::BadRequest(format!(
                "unknown format {other:?}; use json or csv"
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

    /// URL of the same query at `path` with another cursor and format.
    pub(crate) fn address(
        &self,
        path: &str,
        before: Option<String>,
        format: Option<&str>,
    ) -> String {
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

/// Reads up to `limit` entries, and the cursor of the next page if there are more.
pub(crate) async fn read_rows(
    app: &Arc<App>,
    asked: &LedgerSelection,
    limit: usize,
) -> Result<(Vec<LedgerRow>, Option<IncidentId>), Error> {
    let asked = asked.clone();
    let mut rows = read_store(app, move |app| ledger::list(&app.core, &asked, limit + 1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more).map(|row| row.place().1);
    Ok((rows, last))
}
