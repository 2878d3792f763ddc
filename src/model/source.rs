//! Kinds of webhook sources and their settings.

/// The protocol of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// Alertmanager's webhook, versions 3 and 4.
    Alertmanager,
    /// Grafana's `webhook` contact point, unified and legacy alerting.
    Grafana,
    /// Opsgenie, and Jira Service Management, which sends the same format.
    Opsgenie,
    /// Datadog's webhook with the body given in our documentation.
    Datadog,
    /// CloudWatch alarms via Amazon SNS.
    Sns,
    /// Sentry's integration platform.
    Sentry,
    /// CloudEvents 1.0: structured, batched and binary mode.
    CloudEvents,
    /// `{type, timestamp, data}` with a Standard Webhooks signature.
    StandardWebhooks,
    /// Any JSON, mapped by expressions in the settings.
    Generic,
    /// Azure Monitor's common alert schema.
    AzureMonitor,
    /// Google Cloud Monitoring.
    GoogleCloudMonitoring,
    /// Zabbix, with the media type given in our documentation.
    Zabbix,
    /// Icinga notifications.
    Icinga,
    /// Uptime Kuma.
    UptimeKuma,
    /// New Relic.
    NewRelic,
    /// Pingdom.
    Pingdom,
    /// PagerDuty's webhooks, version 3.
    PagerDuty,
    /// Statuspage.
    Statuspage,
    /// incident.io.
    IncidentIo,
    /// The audit webhook of a Kubernetes API server.
    KubernetesAudit,
    /// Argo CD notifications, with the template given in our documentation.
    ArgoCd,
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
    /// Slack: slash command and buttons.
    Slack,
}

impl SourceKind {
    /// The words accepted for it in the settings.
    #[must_use]
    pub fn words(self) -> &'static [&'static str] {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or(&[], |(_, words)| words)
    }
}

/// Mapping of a source's names to services and an environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceMapping {
    /// Patterns with their services; the first match wins.
    pub services: Vec<(String, String)>,
    /// The environment of events for which the source gives none.
    pub environment: Option<String>,
}

/// PagerDuty incidents that count as declared outages; the others are alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerDutyOutages {
    /// Priorities of declared outages, in any case.
    pub priority: Vec<String>,
    /// Urgencies (`high`, `low`) of declared outages, for incidents without a priority.
    pub urgency: Vec<String>,
    /// True when urgent incidents without a priority that a person opened are declared outages,
    /// too.
    pub by_hand: bool,
}

impl Default for PagerDutyOutages {
    fn default() -> Self {
        Self {
            priority: vec!["P1".to_owned(), "P2".to_owned()],
            urgency: Vec::new(),
            by_hand: true,
        }
    }
}

/// Every kind with the words accepted for it in the settings, preferred word first.
pub const KINDS: [(SourceKind, &[&str]); 24] = [
    (SourceKind::Alertmanager, &["alertmanager"]),
    (SourceKind::Grafana, &["grafana"]),
    (SourceKind::Opsgenie, &["opsgenie", "jsm"]),
    (SourceKind::Datadog, &["datadog"]),
    (SourceKind::Sns, &["sns", "cloudwatch"]),
    (SourceKind::Sentry, &["sentry"]),
    (SourceKind::CloudEvents, &["cloudevents"]),
    (SourceKind::StandardWebhooks, &["standard_webhooks"]),
    (SourceKind::Generic, &["generic"]),
    (SourceKind::AzureMonitor, &["azure_monitor"]),
    (
        SourceKind::GoogleCloudMonitoring,
        &["google_cloud_monitoring", "gcp_monitoring"],
    ),
    (SourceKind::Zabbix, &["zabbix"]),
    (SourceKind::Icinga, &["icinga"]),
    (SourceKind::UptimeKuma, &["uptime_kuma"]),
    (SourceKind::NewRelic, &["new_relic", "newrelic"]),
    (SourceKind::Pingdom, &["pingdom"]),
    (SourceKind::PagerDuty, &["pagerduty"]),
    (SourceKind::Statuspage, &["statuspage"]),
    (SourceKind::IncidentIo, &["incident_io", "incidentio"]),
    (
        SourceKind::KubernetesAudit,
        &["kubernetes_audit", "k8s_audit"],
    ),
    (SourceKind::ArgoCd, &["argocd"]),
    (SourceKind::GitHub, &["github"]),
    (SourceKind::GitLab, &["gitlab"]),
    (SourceKind::Slack, &["slack"]),
];

/// Signature formats of the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFormat {
    /// Hex in a configured header. With a second header for the timestamp, that is signed together
    /// with the body.
    Grafana,
    /// `X-PagerDuty-Signature: v1=HEX[,v1=HEX]`
    PagerDuty,
    /// `Sentry-Hook-Signature: HEX`; the timestamp beside it is not signed.
    Sentry,
    /// `X-Hub-Signature-256: sha256=HEX`
    GitHub,
    /// `X-Slack-Signature: v0=HEX` over `v0:TIME:BODY`.
    Slack,
    /// `webhook-signature: v1,BASE64` over `ID.TIME.BODY` (standardwebhooks.com), also under the
    /// `svix-` names.
    StandardWebhooks,
    /// No format of its own. A proxy in between may sign: hex in a header of its choice, with or
    /// without `sha256=`.
    Plain,
}

/// The signature format of a kind.
#[must_use]
pub const fn signing(kind: SourceKind) -> SignatureFormat {
    match kind {
        SourceKind::Grafana => SignatureFormat::Grafana,
        SourceKind::PagerDuty => SignatureFormat::PagerDuty,
        SourceKind::Sentry => SignatureFormat::Sentry,
        SourceKind::GitHub => SignatureFormat::GitHub,
        SourceKind::Slack => SignatureFormat::Slack,
        SourceKind::StandardWebhooks | SourceKind::IncidentIo | SourceKind::GitLab => {
            SignatureFormat::StandardWebhooks
        }
        SourceKind::Alertmanager
        | SourceKind::Opsgenie
        | SourceKind::Datadog
        | SourceKind::Sns
        | SourceKind::CloudEvents
        | SourceKind::Generic
        | SourceKind::AzureMonitor
        | SourceKind::GoogleCloudMonitoring
        | SourceKind::Zabbix
        | SourceKind::Icinga
        | SourceKind::UptimeKuma
        | SourceKind::NewRelic
        | SourceKind::Pingdom
        | SourceKind::Statuspage
        | SourceKind::KubernetesAudit
        | SourceKind::ArgoCd => SignatureFormat::Plain,
    }
}
