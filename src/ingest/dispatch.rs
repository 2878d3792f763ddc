//! Selection of the parser of a source.

use std::collections::BTreeSet;

use super::error::IngestFault;
use super::message::Message;
use super::reading::{Reading, RenewalFilter};
use super::{
    alertmanager, argocd, cloudevents, datadog, generic, github, gitlab, grafana, incident_io,
    kubernetes_audit, opsgenie, pagerduty, sentry, slack, sns, standard_webhooks, statuspage,
};
use crate::model::event::{Alert, AlertStatus, Fact};
use crate::model::source::{PagerDutyOutages, ServiceMapping, SourceKind};
use crate::model::time::Time;

/// The parser of a source, with its settings.
#[derive(Debug, Clone)]
pub enum SourceParser {
    /// The parser of the kind, with service names for its objects.
    Named(SourceKind, ServiceMapping),
    /// PagerDuty's parser, with the incidents that count as declared outages.
    PagerDuty(PagerDutyOutages),
    /// Kubernetes's parser, with service names for its objects and the user names that people have.
    Kubernetes(ServiceMapping, BTreeSet<String>),
    /// Slack's parser, which also replies.
    Slack(slack::SlackContext),
    /// Expressions, applied to the body of this kind.
    Mapped(SourceKind, generic::mapping::Mapping),
}

/// Parses a message into one report per fact. Firing alerts that `renewed` takes are left out and
/// counted in [`Reading::renewed`].
///
/// # Errors
/// When the body as a whole is nothing that the source sends.
pub fn read(
    reader: &SourceParser,
    message: &Message<'_>,
    renewed: &mut RenewalFilter<'_>,
) -> Result<Reading, IngestFault> {
    let mut reading = by_kind(reader, message, renewed)?;
    let renews = matches!(reader, SourceParser::Named(kind, _) if RENEWING.contains(kind));
    if !renews {
        set_unlimited_leases(&mut reading);
    }
    Ok(reading)
}

/// Kinds that repeat firing alerts. All others report each change once: their silence means
/// nothing, and a repeated firing message, even after the end, only repeats the start.
const RENEWING: &[SourceKind] = &[SourceKind::Alertmanager, SourceKind::Grafana];

/// Gives firing alerts of senders that report each change once an unlimited lease, unless their
/// parser set one.
fn set_unlimited_leases(reading: &mut Reading) {
    for report in &mut reading.reports {
        if let Fact::Alert(Alert {
            status: AlertStatus::Firing,
            ..
        }) = &report.event.fact
        {
            report.lease.get_or_insert(Time::MAX_UTC);
        }
    }
}

fn by_kind(
    reader: &SourceParser,
    message: &Message<'_>,
    renewed: &mut RenewalFilter<'_>,
) -> Result<Reading, IngestFault> {
    let (kind, naming) = match reader {
        SourceParser::Mapped(SourceKind::CloudEvents, mapping) => {
            return cloudevents::webhook(mapping, message);
        }
        SourceParser::Mapped(SourceKind::StandardWebhooks, mapping) => {
            return standard_webhooks::webhook(mapping, message);
        }
        SourceParser::Mapped(_, mapping) => return generic::webhook(mapping, message),
        SourceParser::PagerDuty(declares) => return pagerduty::webhook(message, declares),
        SourceParser::Kubernetes(naming, people) => {
            return kubernetes_audit::webhook(message, naming, people);
        }
        SourceParser::Slack(desk) => return slack::webhook(message, desk),
        SourceParser::Named(kind, naming) => (kind, naming),
    };
    match kind {
        SourceKind::Alertmanager => alertmanager::news(message, renewed),
        SourceKind::Grafana => grafana::news(message, renewed),
        SourceKind::Opsgenie => opsgenie::webhook(message),
        SourceKind::Datadog => datadog::webhook(message),
        SourceKind::Sns => sns::webhook(message),
        SourceKind::Sentry => sentry::webhook(message),
        SourceKind::PagerDuty => pagerduty::webhook(message, &PagerDutyOutages::default()),
        SourceKind::Statuspage => statuspage::webhook(message),
        SourceKind::IncidentIo => incident_io::webhook(message),
        SourceKind::KubernetesAudit => kubernetes_audit::webhook(message, naming, &BTreeSet::new()),
        SourceKind::ArgoCd => argocd::webhook(message, naming),
        SourceKind::GitHub => github::webhook(message, naming),
        SourceKind::GitLab => gitlab::webhook(message, naming),
        SourceKind::Slack => slack::webhook(message, &slack::SlackContext::default()),
        // Parsed by expressions only.
        SourceKind::CloudEvents
        | SourceKind::StandardWebhooks
        | SourceKind::Generic
        | SourceKind::AzureMonitor
        | SourceKind::GoogleCloudMonitoring
        | SourceKind::Zabbix
        | SourceKind::Icinga
        | SourceKind::UptimeKuma
        | SourceKind::NewRelic
        | SourceKind::Pingdom => Err(IngestFault::Missing {
            field: "map",
            advice: "A source of this kind needs expressions in `map`.",
        }),
    }
}

/// Headers that the settings read by name, beside those the kind needs.
#[must_use]
pub fn headers(reader: &SourceParser) -> &[String] {
    match reader {
        SourceParser::Mapped(_, mapping) => mapping.headers(),
        _ => &[],
    }
}

/// The body without the secrets of its sender, for storage; `None` if it has none.
#[must_use]
pub fn stored_body(reader: &SourceParser, body: &[u8]) -> Option<Vec<u8>> {
    match reader {
        SourceParser::Named(SourceKind::Statuspage, _) => Some(statuspage::redacted_body(body)),
        SourceParser::Slack(_) | SourceParser::Named(SourceKind::Slack, _) => {
            Some(slack::redacted_body(body))
        }
        SourceParser::Named(SourceKind::Sns, _) => Some(sns::redacted_body(body)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceParser, stored_body};
    use crate::model::source::{ServiceMapping, SourceKind};

    #[track_caller]
    fn check(kind: SourceKind, body: &str, expected: &str) {
        let kept = stored_body(
            &SourceParser::Named(kind, ServiceMapping::default()),
            body.as_bytes(),
        )
        .unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&kept), expected, "{body}");
    }

    #[test]
    fn slack_tokens_are_removed() {
        let check = |body, expected| check(SourceKind::Slack, body, expected);
        check(
            "token=S&command=%2Fpostmortem&trigger_id=S&text=a+b%20c&response_url=S",
            "command=%2Fpostmortem&text=a+b%20c",
        );
        check("tok%65n=S&a", "a");
        check(
            "payload=%7B%22token%22%3A%22S%22%2C%22type%22%3A%22x%22%7D",
            "payload=%7B%22type%22%3A%22x%22%7D",
        );
        check(
            "payload=%7B%22token%22%3A%22S%22%2C%5D",
            "payload=%7B%22token%22%3A%22%22%2C%5D",
        );
        check(
            r#"[{"token": "S", "view": {"response_urls": [{"response_url": "S"}]}}]"#,
            r#"[{"view":{}}]"#,
        );
        check("\u{feff}{\"token\": \"S\"}", "\u{feff}{}");
        check(r#"{"token": "S", "type": }"#, r#"{"token": "", "type": }"#);
        check(r#"no JSON {"token": "S"}"#, r#"no JSON {"token": ""}"#);
    }

    #[test]
    fn statuspage_unsubscribe_url_is_removed() {
        check(
            SourceKind::Statuspage,
            r#"{"meta":{"unsubscribe":"S"},"page":1}"#,
            r#"{"meta":{},"page":1}"#,
        );
        check(
            SourceKind::Statuspage,
            r#"{"meta": {"unsubscribe": "S"}, "page": "#,
            r#"{"meta": {"unsubscribe": ""}, "page": "#,
        );
    }

    #[test]
    fn sns_subscription_secrets_are_removed() {
        let check = |body: &str, expected: &str| check(SourceKind::Sns, body, expected);
        check(r#"{"AlarmName": "a"}"#, r#"{"AlarmName": "a"}"#);
        check("text", "text");
        check(
            r#"{"Message":"m","UnsubscribeURL":"S"}"#,
            r#"{"Message":"m"}"#,
        );
        check(
            r#"{"Records":[{"Sns":{"Message":"m","UnsubscribeUrl":"S"}}]}"#,
            r#"{"Records":[{"Sns":{"Message":"m"}}]}"#,
        );
        check(
            r#"{"Token": "S", "SubscribeURL": "S", "Message": }"#,
            r#"{"Token": "", "SubscribeURL": "", "Message": }"#,
        );
        let confirmation = |kind: &str, url: &str| {
            format!(
                r#"{{"MessageId":"1","SubscribeURL":"{url}","Token":"S","TopicArn":"arn:aws:sns:eu-west-1:123456789012:a","Type":"{kind}"}}"#
            )
        };
        let kept = |kind: &str| {
            format!(
                r#"{{"MessageId":"1","TopicArn":"arn:aws:sns:eu-west-1:123456789012:a","Type":"{kind}"}}"#
            )
        };
        let amazon = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:123456789012:a&Token=S";
        check(
            &confirmation("SubscriptionConfirmation", amazon),
            &kept("SubscriptionConfirmation"),
        );
        check(
            &confirmation("UnsubscribeConfirmation", amazon),
            &kept("UnsubscribeConfirmation"),
        );
        // This one cannot be parsed, so that it needs a person.
        let elsewhere = confirmation("SubscriptionConfirmation", "https://example.org");
        check(&elsewhere, &elsewhere.replace(r#""Token":"S","#, ""));
    }
}
