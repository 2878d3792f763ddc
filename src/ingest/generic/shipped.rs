//! Built-in mappings as YAML text. A source of such a kind may override single keys.

use crate::model::source::SourceKind;

/// File name and text of a kind's mapping.
#[must_use]
pub(crate) fn text(kind: SourceKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        SourceKind::AzureMonitor => (
            "azure_monitor.yaml",
            include_str!("mappings/azure_monitor.yaml"),
        ),
        SourceKind::GoogleCloudMonitoring => (
            "google_cloud_monitoring.yaml",
            include_str!("mappings/google_cloud_monitoring.yaml"),
        ),
        SourceKind::Zabbix => ("zabbix.yaml", include_str!("mappings/zabbix.yaml")),
        SourceKind::Icinga => ("icinga.yaml", include_str!("mappings/icinga.yaml")),
        SourceKind::UptimeKuma => (
            "uptime_kuma.yaml",
            include_str!("mappings/uptime_kuma.yaml"),
        ),
        SourceKind::NewRelic => ("new_relic.yaml", include_str!("mappings/new_relic.yaml")),
        SourceKind::Pingdom => ("pingdom.yaml", include_str!("mappings/pingdom.yaml")),
        SourceKind::CloudEvents => (
            "cloudevents.yaml",
            include_str!("mappings/cloudevents.yaml"),
        ),
        SourceKind::StandardWebhooks => (
            "standard_webhooks.yaml",
            include_str!("mappings/standard_webhooks.yaml"),
        ),
        _ => return None,
    })
}
