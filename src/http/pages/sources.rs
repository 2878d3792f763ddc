//! `/sources`: the sources, their activity, and how to connect new ones.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use crate::app::App;
use crate::app::intake::source_status::{SourceOverview, SourceProtocol};
use crate::config::credentials::Auth;
use crate::config::source_auth::SourceAuth;
use crate::http::format::source;
use crate::http::format::source::{authentication, expected_interval, silence_sentence};
use crate::http::format::time;
use crate::http::handler::read_store;
use crate::http::pages::error::PageResult;
use crate::http::pages::layout::{Tab, render_template};
use crate::model::source::SourceKind;
use crate::model::time::Time;
use crate::store::quarantine::QuarantineBacklog;

/// Data of the page.
pub(crate) struct SourcesView<'a> {
    /// Current time.
    pub(crate) now: Time,
    /// In the order of the settings.
    pub(crate) rows: Vec<SourceCard<'a>>,
    /// Entries of `metrics:` and their targets: name, last answer, problem.
    pub(crate) metrics: Vec<(String, Option<Time>, Option<String>)>,
    /// True if replicas may share the database.
    pub(crate) replicas: bool,
}

/// Card of a source.
pub(crate) struct SourceCard<'a> {
    pub(crate) name: String,
    /// Format it sends.
    pub(crate) kind: &'a str,
    /// URL to send to.
    pub(crate) address: String,
    /// Authentication.
    pub(crate) proof: String,
    /// Last message.
    pub(crate) last_message: Option<Time>,
    /// Last message with new events.
    pub(crate) last_event: Option<Time>,
    /// Messages of the last 24 hours.
    pub(crate) messages: u64,
    /// Events of the last 24 hours.
    pub(crate) events: u64,
    /// Unauthorized messages of the last 24 hours.
    pub(crate) refused: u64,
    /// Last unauthorized message.
    pub(crate) last_refused: Option<Time>,
    /// Rate-limited messages of the last 24 hours.
    pub(crate) limited: u64,
    /// Messages in quarantine.
    pub(crate) waiting: Option<QuarantineBacklog>,
    /// Expected interval between messages.
    pub(crate) rhythm: String,
    /// Warning if it has fallen silent.
    pub(crate) silent: Option<String>,
    /// Shell command that sends a test message; `None` if one came already, or if only the sender
    /// can sign one.
    pub(crate) trial: Option<String>,
    /// True if the test message is a file to be provided.
    pub(crate) has_own_body: bool,
}

#[derive(Template)]
#[template(path = "http/pages/sources.html")]
struct SourcesTemplate<'a> {
    tab: Tab,
    view: &'a SourcesView<'a>,
}

/// Renders the page.
pub(crate) fn render(view: &SourcesView<'_>) -> String {
    render_template(&SourcesTemplate {
        tab: Tab::Sources,
        view,
    })
}

/// Builds the card of a source; `base` is the URL of this service, `guarded` is true with
/// `access:`.
pub(crate) fn source_card<'a>(
    source: &SourceOverview,
    base: &str,
    guarded: bool,
    now: Time,
) -> SourceCard<'a> {
    let day = source.tally.last_day(now);
    let address = format!("{base}{}", source.path);
    let trial = (source.tally.seen.last_message.is_none() && !is_signed(source))
        .then(|| test_command(source, &address, guarded, now));
    SourceCard {
        name: source.name.clone(),
        kind: source.speaks.label(),
        proof: authentication(source, guarded),
        last_message: source.tally.seen.last_message,
        last_event: source.tally.seen.last_event,
        messages: day.messages,
        events: day.events,
        refused: day.refused,
        last_refused: source.tally.seen.last_refused,
        limited: day.limited,
        waiting: source.waiting.clone(),
        rhythm: expected_interval(source),
        silent: silence_sentence(source),
        has_own_body: trial
            .as_ref()
            .is_some_and(|command| command.contains("--data-binary")),
        trial,
        address,
    }
}

/// True if each message carries a signature, which nobody but the sender can make.
fn is_signed(source: &SourceOverview) -> bool {
    matches!(
        source.auth,
        SourceAuth::Signature { .. } | SourceAuth::Certificate
    )
}

/// Shell command that sends a test message. Secrets are left as shell variables.
pub(crate) fn test_command(
    source: &SourceOverview,
    address: &str,
    guarded: bool,
    now: Time,
) -> String {
    let (header, body) = match source.speaks {
        SourceProtocol::Kind(kind) => test_message(kind),
        SourceProtocol::Alertmanager => ("content-type: application/json", ALERT),
        SourceProtocol::Events => (
            "content-type: application/json",
            r#"{"kind":"note","text":"Hello"}"#,
        ),
    };
    let shown = match (&source.auth, source.speaks) {
        (SourceAuth::Shown(Auth::None), SourceProtocol::Alertmanager | SourceProtocol::Events)
            if guarded =>
        {
            " -H \"authorization: Bearer $TOKEN\"".to_owned()
        }
        (SourceAuth::Shown(Auth::None), _) => String::new(),
        (SourceAuth::Shown(Auth::Bearer(_)), _) => {
            " -H \"authorization: Bearer $TOKEN\"".to_owned()
        }
        (SourceAuth::Shown(Auth::Basic { username, .. }), _) => {
            format!(" -u {}:\"$PASSWORD\"", shell_quoted(username))
        }
        (SourceAuth::Shown(Auth::Header { name, .. }), _) => format!(" -H \"{name}: $VALUE\""),
        // Signatures need the secret, and a query parameter is part of the URL.
        (SourceAuth::Query { .. } | SourceAuth::Signature { .. } | SourceAuth::Certificate, _) => {
            String::new()
        }
    };
    let address = match &source.auth {
        SourceAuth::Query { name, .. } => format!("{address}?{name}=VALUE"),
        _ => address.to_owned(),
    };
    let body = body.replace("NOW", &now.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let data = if body.starts_with('@') {
        format!("--data-binary {body}")
    } else {
        format!("-d {}", shell_quoted(&body))
    };
    format!(
        "curl {}{shown} -H {} {data}",
        shell_quoted(&address),
        shell_quoted(header)
    )
}

const ALERT: &str = r#"[{"labels":{"alertname":"Hello","service":"checkout","severity":"none"},"annotations":{},"startsAt":"NOW"}]"#;

const WEBHOOK: &str = r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Hello","service":"checkout","severity":"none"},"annotations":{},"startsAt":"NOW"}]}"#;

/// Header and body of a test message of a kind; the body is literal or a file to be provided.
fn test_message(kind: SourceKind) -> (&'static str, &'static str) {
    match kind {
        SourceKind::Alertmanager => ("content-type: application/json", WEBHOOK),
        SourceKind::Sentry => ("sentry-hook-resource: issue", "@message.json"),
        SourceKind::GitHub => ("x-github-event: deployment_status", "@message.json"),
        SourceKind::GitLab => ("x-gitlab-event: Deployment Hook", "@message.json"),
        SourceKind::Sns => ("x-amz-sns-message-type: Notification", "@message.json"),
        SourceKind::CloudEvents => (
            "content-type: application/cloudevents+json",
            "@message.json",
        ),
        SourceKind::Slack => (
            "content-type: application/x-www-form-urlencoded",
            "@message.txt",
        ),
        _ => ("content-type: application/json", "@message.json"),
    }
}

/// Quotes text as one shell word.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `GET /sources`
pub(crate) async fn page(State(app): State<Arc<App>>) -> PageResult {
    let (sources, measured) = read_store(&app, |app| {
        Ok((app.intake.sources()?, app.conditions.status()?))
    })
    .await?;
    let (settings, now) = (app.core.settings(), app.core.now());
    let base = settings.config.external_url.trim_end_matches('/');
    // An entry with targets is shown by its targets.
    let has_targets = |name: &str| {
        measured.sources().keys().any(|other| {
            other
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let asked = measured
        .sources()
        .iter()
        .filter(|(name, _)| !has_targets(name));
    let view = SourcesView {
        now,
        rows: sources
            .iter()
            .map(|source| source_card(source, base, settings.access.is_some(), now))
            .collect(),
        metrics: asked
            .map(|(name, status)| (name.clone(), status.answered, status.fault.clone()))
            .collect(),
        replicas: app.core.store.is_shared(),
    };
    Ok(Html(render(&view)))
}

#[cfg(test)]
mod tests {
    use super::{Auth, SourceAuth, SourceKind, SourceOverview, SourceProtocol, source_card};
    use crate::app::intake::source_stats::{MessageInterval, SourceCounts};
    use crate::config::credentials::SecretRef;
    use crate::config::silence::SilentAfter;
    use crate::http::pages::sample;
    use chrono::TimeDelta;

    fn source(auth: Auth) -> SourceOverview {
        SourceOverview {
            name: "guarded".to_owned(),
            speaks: SourceProtocol::Kind(SourceKind::GitHub),
            path: "/ingest/guarded".to_owned(),
            auth: SourceAuth::Shown(auth),
            tally: SourceCounts::default(),
            rhythm: MessageInterval {
                longest: None,
                silent_after: None,
                quiet_for: None,
            },
            silent_after: SilentAfter::Learned,
            waiting: None,
        }
    }

    #[test]
    fn source_without_messages_shows_a_test_command_without_secrets() {
        let token = SecretRef::File("/run/secrets/t".to_owned());
        let basic = Auth::Basic {
            username: "o'neil".to_owned(),
            password: token.clone(),
        };
        let header = Auth::Header {
            name: "X-Token".to_owned(),
            value: token.clone(),
        };
        for (auth, told, shown) in [
            (Auth::None, "localhost only", ""),
            (
                Auth::Bearer(token),
                "bearer token",
                r#" -H "authorization: Bearer $TOKEN""#,
            ),
            (
                basic,
                "of the user o'neil",
                r#" -u 'o'\''neil':"$PASSWORD""#,
            ),
            (header, "header X-Token", r#" -H "X-Token: $VALUE""#),
        ] {
            let row = source_card(&source(auth), "http://a:9099", false, sample::model::at(0));
            assert!(row.proof.contains(told), "{}", row.proof);
            let trial = format!(
                "curl 'http://a:9099/ingest/guarded'{shown} -H 'x-github-event: deployment_status' --data-binary @message.json"
            );
            assert_eq!(row.trial, Some(trial));
        }
    }

    #[test]
    fn signed_source_is_tested_from_its_sender() {
        let mut signed = source(Auth::None);
        signed.auth = SourceAuth::Certificate;
        let card = source_card(&signed, "http://a:9099", false, sample::model::at(0));
        assert_eq!(card.trial, None);
        let html = super::render(&super::SourcesView {
            now: sample::model::at(0),
            rows: vec![card],
            metrics: Vec::new(),
            replicas: false,
        });
        assert!(html.contains("Each message must be signed"), "{html}");
        assert!(!html.contains("curl"), "{html}");
    }

    #[test]
    fn a_silence_says_what_was_usual() {
        let mut silent = source(Auth::None);
        let hours = TimeDelta::hours;
        silent.rhythm = MessageInterval {
            longest: Some(TimeDelta::minutes(4)),
            silent_after: Some(hours(1)),
            quiet_for: Some(hours(5)),
        };
        let told = source_card(&silent, "", false, sample::model::at(0)).silent;
        let expected =
            "No messages from guarded for 5h; its longest silence in the 14 days before was 4m.";
        assert_eq!(told.as_deref(), Some(expected));
        silent.rhythm.quiet_for = Some(hours(1));
        assert_eq!(
            source_card(&silent, "", false, sample::model::at(0)).silent,
            None
        );
    }
}
