//! `afterword declare`, `request`, `near-miss` and `intervene`: tell a running service what a person knows.

use clap::Args;
use serde_json::{Map, Value, json};

use super::client;
use super::client::ClientError;
use super::{FAULTS, Service, UNREACHABLE, block_on, complain, say};

/// What all of them take.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// The service it concerns.
    #[arg(long)]
    service: Option<String>,
    /// When it was, RFC 3339; now if not said.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// It is an exercise.
    #[arg(long)]
    drill: bool,
}

/// An outage that began or ended, or planned work.
#[derive(Debug, Args)]
pub(crate) struct Declare {
    /// What is the matter; of planned work, what is done.
    #[arg(required_if_eq("planned", "true"))]
    title: Option<String>,
    /// It has ended.
    #[arg(long)]
    resolved: bool,
    /// It is planned work, which never counts as degradation: on the service, or on everything.
    #[arg(long, requires_all = ["from", "until"], conflicts_with_all = ["resolved", "severity", "data_loss", "detected_by", "at", "drill"])]
    planned: bool,
    /// When the planned work begins, RFC 3339.
    #[arg(long, value_name = "TIME", requires = "planned")]
    from: Option<String>,
    /// When it is over; as early as it begins, it is called off.
    #[arg(long = "to", value_name = "TIME", requires = "planned")]
    until: Option<String>,
    /// critical, warning or info.
    #[arg(long)]
    severity: Option<String>,
    /// Whether data was lost: true or false.
    #[arg(long)]
    data_loss: Option<bool>,
    /// Who noticed first: monitor, human or customer.
    #[arg(long)]
    detected_by: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: Service,
}

/// A wish for a postmortem.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// What happened, in your words.
    reason: String,
    /// Who asks.
    #[arg(long)]
    requester: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: Service,
}

/// Something that nearly happened.
#[derive(Debug, Args)]
pub(crate) struct NearMiss {
    /// What nearly happened.
    what: String,
    /// How bad it would have been: critical, warning or info.
    #[arg(long)]
    severity: Option<String>,
    /// How close it came, 0 to 1.
    #[arg(long)]
    closeness: Option<f64>,
    /// It was noticed only by luck.
    #[arg(long)]
    by_luck: bool,
    /// How many barriers were left that would still have stopped it.
    #[arg(long)]
    barriers_left: Option<u32>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: Service,
}

/// A manual step.
#[derive(Debug, Args)]
pub(crate) struct Intervene {
    /// What was done: restart, failover, scale, rollback, …
    action: String,
    /// What made it necessary.
    #[arg(long)]
    why: String,
    /// It should need no human.
    #[arg(long)]
    should_be_automatic: bool,
    /// A change approved beforehand covers it.
    #[arg(long)]
    planned: bool,
    /// Who did it.
    #[arg(long)]
    actor: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    pub(crate) to: Service,
}

/// The fields that were given.
fn fields(about: &About, own: &[(&str, Value)]) -> Value {
    let mut body = Map::new();
    let common = [
        ("service", json!(about.service)),
        ("at", json!(about.at)),
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
    /// Where it is told.
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

/// Tells the service and prints what became of it.
pub(crate) fn tell(to: &Service, path: &str, body: &Value) -> u8 {
    match block_on(client::post(&to.url, to.token.as_deref(), path, body)) {
        Ok(Ok(answer)) => {
            if to.format.is_some() {
                say(&answer.to_string());
            } else {
                match answer.get("status").and_then(Value::as_str) {
                    Some(status) => say(&format!("Noted. What becomes of it: {status}")),
                    None => say("Noted."),
                }
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

/// Tells a fault of the service or of the way to it.
pub(crate) fn failed(fault: &ClientError) -> u8 {
    complain(&fault.to_string());
    match fault {
        ClientError::Unreachable(_) => UNREACHABLE,
        ClientError::Refused { .. } => FAULTS,
    }
}
