//! What webhook sources speak.

/// What a source speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// Alertmanager's webhook, versions 3 and 4.
    Alertmanager,
    /// Grafana's contact point `webhook`, unified alerting and the one before it.
    Grafana,
    /// Opsgenie, and Jira Service Management, which sends the same.
    Opsgenie,
    /// Datadog's webhook with the body that our documentation gives.
    Datadog,
    /// CloudWatch alarms, by way of Amazon SNS.
    Sns,
    /// Sentry's integration platform.
    Sentry,
    /// CloudEvents 1.0: structured, batched, binary.
    CloudEvents,
    /// `{type, timestamp, data}` signed as Standard Webhooks has it.
    StandardWebhooks,
    /// Any JSON, read by expressions of the settings.
    Generic,
    /// Azure Monitor's common alert schema.
    AzureMonitor,
    /// Google Cloud Monitoring.
    GoogleCloudMonitoring,
    /// Zabbix, with the media type that our documentation gives.
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
    /// Argo CD notifications, with the template that our documentation gives.
    ArgoCd,
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
    /// Slack: slash command and buttons.
    Slack,
}

impl SourceKind {
    /// The words that the settings may use for it.
    #[must_use]
    pub fn words(self) -> &'static [&'static str] {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or(&[], |(_, words)| words)
    }
}

/// What the things are called here of which a source tells under names of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceMapping {
    /// Patterns with the services that they stand for; the first that fits names the service.
    pub services: Vec<(String, String)>,
    /// The environment of everything of which the source does not say where it is.
    pub environment: Option<String>,
}

/// Which of PagerDuty's incidents are declared outages; the others are alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerDutyOutages {
    /// Those with one of these priorities, in whatever case.
    pub priority: Vec<String>,
    /// Of those without a priority, those with one of these urgencies: `high`, `low`.
    pub urgency: Vec<String>,
    /// Of those without a priority, also urgent ones that a person opened.
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

/// Every kind, with the words that the settings may use for it, the first of which we use.
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

/// How a kind signs what it sends, where it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFormat {
    /// Hex in a header of its settings, which may name another header for the time; then that is signed with the body.
    Grafana,
    /// `X-PagerDuty-Signature: v1=HEX[,v1=HEX]`
    PagerDuty,
    /// `Sentry-Hook-Signature: HEX`; the time beside it is not signed.
    Sentry,
    /// `X-Hub-Signature-256: sha256=HEX`
    GitHub,
    /// `X-Slack-Signature: v0=HEX` over `v0:TIME:BODY`.
    Slack,
    /// `webhook-signature: v1,BASE64` over `ID.TIME.BODY`, by standardwebhooks.com; the names with `svix-` too.
    StandardWebhooks,
    /// Nothing of its own. What stands between may sign: hex in a header of its choice, with or without `sha256=`.
    Plain,
}

/// How a kind signs.
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
