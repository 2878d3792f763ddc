//! `afterword declare`, `request`, `near-miss` and `intervene`: reports from a person to a running
//! service.

use chrono::TimeDelta;
use clap::Args;
use serde_json::{Map, Value, json};

use super::client;
use super::client::ServiceError;
use super::options::ServiceConnection;
use super::output::{FAULTS, UNREACHABLE, USAGE, block_on, complain, say};
use crate::app::clock::Clock;
use crate::model::time_parse;

/// Options common to all reports.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// Affected service; only a request and planned maintenance may leave it out.
    #[arg(long)]
    service: Option<String>,
    /// Time of the event: 2026-11-23T10:00Z, 2026-11-23, or a duration before now (2h). Default:
    /// now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Mark it as a drill.
    #[arg(long)]
    drill: bool,
}

/// Arguments of `afterword declare`.
#[derive(Debug, Args)]
pub(crate) struct Declare {
    /// Description of the outage, or of the planned work; may be left out with --resolved.
    #[arg(required_unless_present("resolved"))]
    title: Option<String>,
    /// Declare that the outage has ended.
    #[arg(long)]
    resolved: bool,
    /// Declare planned maintenance, which never counts as degradation; without --service it covers
    /// all services.
    #[arg(long, requires_all = ["from", "until"], conflicts_with_all = ["resolved", "severity", "data_loss", "detected_by", "at", "drill"])]
    pub(crate) planned: bool,
    /// Start of the planned maintenance, as 2026-12-01T22:00Z.
    #[arg(long, value_name = "TIME", requires = "planned")]
    from: Option<String>,
    /// End of the planned maintenance, as 2026-12-02T02:00Z; an end equal to the start cancels it.
    #[arg(long = "to", value_name = "TIME", requires = "planned")]
    until: Option<String>,
    /// Severity: critical, warning, info, or a word of `severities:` or `labels.severities` in the
    /// settings.
    #[arg(long)]
    severity: Option<String>,
    /// Data loss: true or false.
    #[arg(long)]
    data_loss: Option<bool>,
    /// Detected first by: monitor, human or customer.
    #[arg(long)]
    detected_by: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: ServiceConnection,
}

/// Arguments of `afterword request`.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// Reason for the request: a description of the event.
    reason: String,
    /// Person who requests it.
    #[arg(long)]
    requester: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: ServiceConnection,
}

/// Arguments of `afterword near-miss`.
#[derive(Debug, Args)]
pub(crate) struct NearMiss {
    /// Description of the near miss.
    what: String,
    /// Potential severity: critical, warning, info, or a word of `severities:` or
    /// `labels.severities` in the settings.
    #[arg(long)]
    severity: Option<String>,
    /// Closeness to an incident, from 0 (remote) to 1 (almost happened).
    #[arg(long)]
    closeness: Option<f64>,
    /// Mark it as noticed only by luck.
    #[arg(long)]
    by_luck: bool,
    /// Number of remaining barriers that would still have stopped it.
    #[arg(long)]
    barriers_left: Option<u32>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: ServiceConnection,
}

/// Arguments of `afterword intervene`.
#[derive(Debug, Args)]
pub(crate) struct Intervene {
    /// Action taken: restart, failover, scale, rollback, …
    action: String,
    /// Reason for the step.
    #[arg(long)]
    why: String,
    /// Mark the step as one that should be automated.
    #[arg(long)]
    should_be_automatic: bool,
    /// Mark the step as part of a pre-approved change.
    #[arg(long)]
    planned: bool,
    /// Person who did it.
    #[arg(long)]
    actor: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: ServiceConnection,
}

/// JSON body of the options that were given.
fn fields(about: &About, own: &[(&str, Value)]) -> Value {
    let mut body = Map::new();
    let at = about.at.as_deref().map(|at| {
        let read = time_parse::read(at, Clock::System.now(), TimeDelta::zero());
        // The service says what is wrong with any other.
        read.map_or_else(|| at.to_owned(), |at| at.to_rfc3339())
    });
    let common = [
        ("service", json!(about.service)),
        ("at", json!(at)),
        ("drill", json!(about.drill.then_some(true))),
    ];
    for (name, value) in common
        .iter()
        .chain(own)
        .filter(|(_, value)| !value.is_null())
    {
        body.insert((*name).to_owned(), value.clone());
    }
    Value::Object(body)
}

impl Declare {
    /// API path of the report.
    pub(crate) fn path(&self) -> &'static str {
        if self.planned {
            "/api/v1/maintenance"
        } else {
            "/api/v1/declarations"
        }
    }

    pub(crate) fn body(&self) -> Value {
        if self.planned {
            return fields(
                &self.about,
                &[
                    ("why", json!(self.title)),
                    ("from", json!(self.from)),
                    ("to", json!(self.until)),
                ],
            );
        }
        let status = self.resolved.then_some("resolved");
        let own = [
            ("title", json!(self.title)),
            ("status", json!(status)),
            ("severity", json!(self.severity)),
            ("data_loss", json!(self.data_loss)),
            ("detected_by", json!(self.detected_by)),
        ];
        fields(&self.about, &own)
    }
}

impl Request {
    pub(crate) fn body(&self) -> Value {
        fields(
            &self.about,
            &[
                ("reason", json!(self.reason)),
                ("requester", json!(self.requester)),
            ],
        )
    }
}

impl NearMiss {
    pub(crate) fn body(&self) -> Value {
        let by_luck = self.by_luck.then_some(true);
        let own = [
            ("what", json!(self.what)),
            ("severity", json!(self.severity)),
            ("closeness", json!(self.closeness)),
            ("by_luck", json!(by_luck)),
            ("barriers_left", json!(self.barriers_left)),
        ];
        fields(&self.about, &own)
    }
}

impl Intervene {
    pub(crate) fn body(&self) -> Value {
        let automatic = self.should_be_automatic.then_some(true);
        let own = [
            ("action", json!(self.action)),
            ("why", json!(self.why)),
            ("should_be_automatic", json!(automatic)),
            ("planned", json!(self.planned.then_some(true))),
            ("actor", json!(self.actor)),
        ];
        fields(&self.about, &own)
    }
}

/// Posts a report that must name a service, and prints the outcome.
pub(crate) fn send_about_service(to: &ServiceConnection, path: &str, body: &Value) -> u8 {
    if body.get("service").is_none() {
        complain("error: --service is missing: name the affected service");
        return USAGE;
    }
    send_report(to, path, body)
}

/// The text for a report that was recorded; `status` is the address at which to follow it.
fn recorded(body: &Value, answer: &Value) -> String {
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(status) = text(answer, "status") {
        return format!("Recorded. Status: {status}");
    }
    let ends = text(body, "status").as_deref() == Some("resolved");
    let applied = answer.get("applied") == Some(&Value::Bool(true));
    match text(body, "service") {
        Some(service) if ends && applied => {
            format!("Recorded, but no declared outage of {service} is open.")
        }
        _ => "Recorded.".to_owned(),
    }
}

/// Posts a report to the service and prints the outcome.
pub(crate) fn send_report(to: &ServiceConnection, path: &str, body: &Value) -> u8 {
    match block_on(client::post(&to.url, to.token.as_deref(), path, body)) {
        Ok(Ok(answer)) => {
            if to.format.is_some() {
                say(&answer.to_string());
            } else {
                say(&recorded(body, &answer));
            }
            0
        }
        Ok(Err(fault)) => failed(&fault),
        Err(fault) => {
            complain(&format!("{fault:#}"));
            FAULTS
        }
    }
}

/// Reads a path of the service.
///
/// # Errors
/// The exit code, once the fault is printed.
pub(crate) fn read(from: &ServiceConnection, path: &str) -> Result<Value, u8> {
    match block_on(client::get(&from.url, from.token.as_deref(), path)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => Err(failed(&fault)),
        Err(fault) => {
            complain(&format!("{fault:#}"));
            Err(FAULTS)
        }
    }
}

/// Prints a client error and returns its exit code.
fn failed(fault: &ServiceError) -> u8 {
    complain(&fault.to_string());
    match fault {
        ServiceError::Unreachable(_) => UNREACHABLE,
        ServiceError::Refused { .. } => FAULTS,
    }
}
