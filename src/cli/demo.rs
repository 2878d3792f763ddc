//! `afterword demo`: replays a recorded incident into a fresh service through the same path as live
//! messages.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use chrono::TimeDelta;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;

use super::output::{FAULTS, complain, say};
use super::serve;
use crate::app::App;
use crate::app::clock::Clock;
use crate::app::intake::commit::Arrival;
use crate::app::settings::Settings;
use crate::ingest;
use crate::ingest::reading::Reported;
use crate::model::directory::{Directory, Identities};
use crate::model::event::Event;
use crate::model::time::Time;
use crate::rules::parse::SHIPPED;
use crate::store::database::{DatabaseLocation, check_unused};
use crate::wording;
use crate::wording::event::SentenceContext;

const INCIDENT: &str = include_str!("demo/incident.jsonl");
const SETTINGS: &str = include_str!("demo/afterword.yaml");
/// The criterion of the shipped rules on critical alerts, and as the demo has it.
const SUGGESTED: &str = "longest: 30m\n    decision: suggest";
const HELD: &str = "longest: 30m\n    decision: hold";

/// Arguments of `afterword demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Data directory; emptied first if an earlier demo created it.
    #[arg(long, default_value = "data/demo")]
    directory: PathBuf,
    /// Address to listen on, on this machine only; a free port is used if this one is taken.
    #[arg(long, default_value = "127.0.0.1:9099")]
    listen: String,
    /// Stop after the replay instead of serving.
    #[arg(long)]
    once: bool,
}

/// One step of the recording.
#[derive(Debug, Deserialize)]
struct Step {
    /// Seconds from the beginning.
    at: i64,
    path: String,
    body: Value,
}

pub(crate) fn demo(asked: &Demo) -> u8 {
    match replay_and_serve(asked) {
        Ok(()) => 0,
        Err(fault) => {
            complain(&format!("afterword: {fault:#}"));
            FAULTS
        }
    }
}

fn replay_and_serve(asked: &Demo) -> anyhow::Result<()> {
    serve::runtime()?.block_on(async {
        let listener = bind(&asked.listen).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let file = fresh(&asked.directory, &address)?;
        let settings = Settings::load(Some(&file)).map_err(|faults| {
            anyhow::anyhow!(
                "{}",
                faults.first().map_or_else(String::new, ToString::to_string)
            )
        })?;
        let steps = recording()?;
        let length = TimeDelta::seconds(steps.last().map_or(0, |step| step.at));
        // It ended an hour ago, so that the meeting lies ahead.
        let began = Clock::System.now() - length - TimeDelta::hours(1);
        let time = Arc::new(Mutex::new(Some(began)));
        let app = serve::open(settings, Clock::Set(Arc::clone(&time)), Arc::default())?;
        say("Replaying a recorded incident: checkout is degraded after a deploy.\n");
        say("Received  Event (times are UTC)");
        let replaying = Arc::clone(&app);
        let hand = Arc::clone(&time);
        tokio::task::spawn_blocking(move || replay(&replaying, &hand, &steps, began)).await??;
        report(&app, (!asked.once).then_some(address.as_str()))?;
        if asked.once {
            say("\nThe service has stopped; without --once it goes on serving its pages.");
            return Ok(());
        }
        say("\nStill serving; stop with Ctrl-C.");
        serve::log_to_stderr();
        serve::until_stopped(app, listener).await
    })
}

/// Binds the address, or a free port of it if it is taken. The demo has no access control, so other
/// machines must not reach it.
async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(listen)
        .await
        .with_context(|| {
            format!("--listen {listen} is not an address; write for example 127.0.0.1:9099")
        })?
        .collect();
    anyhow::ensure!(
        addresses.iter().all(|address| address.ip().is_loopback()),
        "--listen {listen} can be reached from other machines, and the demo has no access control: \
         choose an address of this machine only, such as 127.0.0.1:9099"
    );
    match TcpListener::bind(addresses.as_slice()).await {
        Err(fault) if fault.kind() == ErrorKind::AddrInUse => {
            let free = serve::bind("127.0.0.1:0").await?;
            say(&format!("{listen} is taken; using {}.", free.local_addr()?));
            Ok(free)
        }
        Ok(listener) => Ok(listener),
        Err(fault) => Err(fault).with_context(|| format!("cannot listen on {listen}")),
    }
}

/// Sets the clock of the replay; `None` is the machine's again.
fn set(time: &Mutex<Option<Time>>, at: Option<Time>) {
    *time
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner) = at;
}

/// An empty directory with the demo's settings. Only what an earlier demo left is removed.
fn fresh(directory: &Path, address: &str) -> anyhow::Result<PathBuf> {
    let file = directory.join("afterword.yaml");
    if directory.exists() {
        let ours = std::fs::read_to_string(&file)
            .is_ok_and(|text| text.starts_with(SETTINGS.lines().next().unwrap_or_default()));
        let empty = std::fs::read_dir(directory)?.next().is_none();
        anyhow::ensure!(
            ours || empty,
            "{} was not created by a demo; choose another with --directory",
            directory.display()
        );
        check_unused(&DatabaseLocation::Sqlite(directory.join("afterword.db")))?;
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("cannot empty {}", directory.display()))?;
    }
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    // The shipped rules only suggest a postmortem on alerts alone; the demo opens it, so that a draft exists.
    let rules = SHIPPED.1.replacen(SUGGESTED, HELD, 1);
    anyhow::ensure!(
        rules != SHIPPED.1,
        "the shipped rules have no `{SUGGESTED}` to hold"
    );
    std::fs::write(directory.join("demo.yaml"), rules)?;
    std::fs::write(
        &file,
        SETTINGS
            .replace("{{address}}", address)
            .replace("{{directory}}", &directory.display().to_string()),
    )?;
    Ok(file)
}

fn recording() -> anyhow::Result<Vec<Step>> {
    let lines = INCIDENT.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).context("the recording"))
        .collect()
}

/// Feeds the recording step by step, each at its own time, with the timers between them.
fn replay(
    app: &App,
    time: &Mutex<Option<Time>>,
    steps: &[Step],
    began: Time,
) -> anyhow::Result<()> {
    let settings = app.core.settings();
    let who = &settings.policy.who;
    let mut next = None;
    for step in steps {
        let at = began + TimeDelta::seconds(step.at);
        next = run_until(app, time, next, at)?;
        let arrival = arrival(app, step, began)?;
        say(&format!(
            "{}  {}",
            at.format("%H:%M:%S"),
            headlines(&arrival.reports, who)
        ));
        app.intake.receive_now(arrival)?;
        next = app.judge.step()?.next.or(next);
    }
    run_until(app, time, next, Clock::System.now())?;
    set(time, None);
    app.judge.step()?;
    while app.delivery.step()? > 0 {}
    Ok(())
}

/// Lets time pass until `until`, stopping wherever the engine has something to do.
fn run_until(
    app: &App,
    time: &Mutex<Option<Time>>,
    mut next: Option<Time>,
    until: Time,
) -> anyhow::Result<Option<Time>> {
    while let Some(due) = next.filter(|due| *due < until) {
        set(time, Some(due));
        next = app.judge.step()?.next;
        while app.delivery.step()? > 0 {}
    }
    set(time, Some(until));
    Ok(next)
}

/// A step as its sender would have it: read by the same code as what comes over the network.
fn arrival(app: &App, step: &Step, began: Time) -> anyhow::Result<Arrival> {
    let body = serde_json::to_vec(&dated(&step.body, began))?;
    let settings = app.core.settings();
    let (names, now) = (&settings.config.labels, app.core.now());
    let (source, reading) = match step.path.as_str() {
        "/ingest/alertmanager" => (
            "alertmanager",
            ingest::alertmanager::webhook(&body, "alertmanager", names, now)?,
        ),
        "/api/v1/events" => ("api", ingest::events::events(&body, names, now)?),
        "/api/v1/interventions" => {
            let event = ingest::people::intervention(&body, now)?;
            ("people", ingest::reading::Reading::from_iter([event]))
        }
        other => {
            anyhow::bail!("the recording has a step for {other}, which the demo does not support")
        }
    };
    if let Some(fault) = reading.faults.first() {
        anyhow::bail!("the recording, at {} s: {fault}", step.at);
    }
    Ok(Arrival {
        source: source.to_owned(),
        body,
        reports: reading.reports,
        ..Arrival::default()
    })
}

/// The body with its times: `{{+120}}` is two minutes after the beginning.
fn dated(body: &Value, began: Time) -> Value {
    match body {
        Value::String(text) => {
            match text
                .strip_prefix("{{+")
                .and_then(|rest| rest.strip_suffix("}}"))
                .and_then(|seconds| seconds.parse().ok())
            {
                Some(seconds) => Value::String((began + TimeDelta::seconds(seconds)).to_rfc3339()),
                None => body.clone(),
            }
        }
        Value::Array(list) => list.iter().map(|entry| dated(entry, began)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), dated(value, began)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => body.clone(),
    }
}

fn headlines(reports: &[Reported], who: &Directory) -> String {
    let words: Vec<String> = reports
        .iter()
        .map(|report| headline(&report.event, who))
        .collect();
    words.join("; ")
}

fn headline(event: &Event, who: &Directory) -> String {
    let name = |source: &str, id: &str| {
        let person = who.person(source, id, &Identities::new());
        person.map_or_else(|| id.to_owned(), |person| person.name.clone())
    };
    let actor = event
        .actor
        .as_ref()
        .map(|actor| name(&event.source, &actor.id));
    let context = SentenceContext {
        incident: None,
        actor: actor.as_deref(),
        service: None,
        person: &name,
    };
    let service = event.service.as_deref().unwrap_or("unassigned");
    format!("{service}: {}", wording::event::sentence(event, &context))
}

/// Prints where to look; `address`: of the pages, if they are served.
fn report(app: &App, address: Option<&str>) -> anyhow::Result<()> {
    let settings = app.core.settings();
    for postmortem in app.core.store.postmortems(10)? {
        let Some(incident) = app.core.store.incident(&postmortem.incident.0)? else {
            continue;
        };
        say(&format!("\n{}", incident.reason));
        if let Some(address) = address {
            say(&format!("  Why:    {address}/incidents/{}", incident.id));
        }
        say(&format!(
            "  Draft:  {}",
            settings
                .path(&settings.config.postmortems_directory)
                .join(&postmortem.file)
                .display()
        ));
        if let Some(meeting) = app.core.store.meeting(&postmortem.id)? {
            let file = settings
                .path(&settings.config.meetings.directory)
                .join(format!("{}.ics", meeting.id));
            say(&format!(
                "  Invite: {} ({} {}, {})",
                file.display(),
                meeting.attendees.len(),
                if meeting.attendees.len() == 1 {
                    "person"
                } else {
                    "people"
                },
                meeting.starts_at.format("%a %-d %b %H:%M UTC")
            ));
        }
    }
    if let Some(address) = address {
        say(&format!("  Pages:  {address}/"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::bind;

    #[tokio::test]
    async fn demo_listens_on_this_machine_only() {
        for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9099"] {
            let fault = bind(open).await.unwrap_err().to_string();
            assert!(fault.contains("from other machines"), "{fault}");
        }
    }

    #[tokio::test]
    async fn listen_address_that_is_none_is_refused() {
        let fault = bind("x").await.unwrap_err().to_string();
        assert!(fault.contains("--listen x is not an address"), "{fault}");
    }

    #[tokio::test]
    async fn taken_port_gives_a_free_one() {
        let first = bind("127.0.0.1:0").await.unwrap();
        let taken = first.local_addr().unwrap();
        let second = bind(&taken.to_string()).await.unwrap();
        assert_ne!(second.local_addr().unwrap(), taken);
    }
}
