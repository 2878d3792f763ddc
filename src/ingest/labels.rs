//! Service, severity and environment from labels, by the names in [`LabelNames`].

use crate::model::event::Severity;
use crate::model::labels::LabelSet;
use crate::model::settings::LabelNames;

/// Jobs that monitor others, and the cluster's own components: an alert with such a job is about
/// what it monitors. `_` equals `-`, and a leading `namespace/` is ignored.
const INFRASTRUCTURE: &[&str] = &[
    "apiserver",
    "cadvisor",
    "coredns",
    "etcd",
    "federate",
    "grafana-agent",
    "kubelet",
    "kubernetes",
    "node",
    "node-exporter",
    "process-exporter",
    "push-gateway",
    "pushgateway",
    "snmp",
    "snmp-exporter",
    "thanos",
    "windows-exporter",
];

/// Prefixes of such jobs.
const INFRASTRUCTURE_PREFIXES: &[&str] = &[
    "alertmanager",
    "blackbox",
    "kube-",
    "kubernetes-",
    "prometheus",
    "thanos-",
];

/// The service and the label that gave it: the first of `names.service` that is present and not
/// blank.
///
/// An infrastructure job is not a service. Neither is a label that ends in its name, which the
/// Prometheus operator adds (`service="stack-kube-state-metrics"`, `job="kube-state-metrics"`).
#[must_use]
pub(crate) fn service<'a>(labels: &'a LabelSet, names: &LabelNames) -> Option<(&'a str, &'a str)> {
    let watcher = labels
        .get("job")
        .map(str::trim)
        .filter(|job| infrastructure(job));
    present(labels, &names.service).find(|&(name, value)| {
        let names_watcher = watcher.is_some_and(|job| {
            value
                .strip_suffix(job)
                .is_some_and(|rest| rest.ends_with('-'))
        });
        !(names_watcher || name == "job" && watcher.is_some())
    })
}

/// Tests whether `job` monitors others rather than being a service.
#[must_use]
pub(crate) fn infrastructure(job: &str) -> bool {
    // Grafana's agent names all its own jobs `integrations/…`.
    if job.starts_with("integrations/") {
        return true;
    }
    let name = job
        .rsplit('/')
        .next()
        .unwrap_or(job)
        .to_ascii_lowercase()
        .replace('_', "-");
    INFRASTRUCTURE.contains(&name.as_str())
        || INFRASTRUCTURE_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// The severity: the normalized word of the first of `names.severity` that is present, else
/// [`Severity::Unknown`].
#[must_use]
pub(crate) fn severity(labels: &LabelSet, names: &LabelNames) -> Severity {
    severity_label(labels, names)
        .and_then(|(_, word)| severity_word(word, names))
        .unwrap_or_default()
}

/// The label that gives the severity, and its value as sent.
#[must_use]
pub(crate) fn severity_label<'a>(
    labels: &'a LabelSet,
    names: &LabelNames,
) -> Option<(&'a str, &'a str)> {
    present(labels, &names.severity).next()
}

/// The severity that a word denotes; `None` for an unknown word. The team's own words come first;
/// case and `-`, `_`, space are ignored.
#[must_use]
pub(crate) fn severity_word(word: &str, names: &LabelNames) -> Option<Severity> {
    if let Some(own) = names.scale.find(word) {
        return Some(own);
    }
    let lower = word.trim().to_lowercase();
    if let Some(&own) = names.severities.get(&lower) {
        return Some(own);
    }
    let bare: String = lower
        .chars()
        .filter(|letter| !matches!(letter, '-' | '_' | ' '))
        .collect();
    Some(match bare.as_str() {
        "critical" | "crit" | "page" | "pager" | "p0" | "p1" | "s0" | "s1" | "sev0" | "sev1"
        | "fatal" | "emergency" | "emerg" | "disaster" | "blocker" | "urgent" | "high"
        | "error" | "err" => Severity::Critical,
        "warning" | "warn" | "p2" | "p3" | "s2" | "s3" | "sev2" | "sev3" | "major" | "minor"
        | "medium" | "moderate" | "average" | "ticket" => Severity::Warning,
        "info" | "information" | "informational" | "notice" | "low" | "debug" | "p4" | "p5"
        | "s4" | "s5" | "sev4" | "sev5" => Severity::Info,
        "none" => Severity::None,
        "unknown" => Severity::Unknown,
        _ => return None,
    })
}

/// The environment: the normalized value of the first of `names.environment` that is present.
#[must_use]
pub(crate) fn environment(labels: &LabelSet, names: &LabelNames) -> Option<String> {
    present(labels, &names.environment)
        .next()
        .map(|(_, word)| environment_word(word))
}

/// Normalizes an environment to the lower-case name the rules use.
#[must_use]
pub(crate) fn environment_word(word: &str) -> String {
    let lower = word.trim().to_lowercase();
    match lower.as_str() {
        "prod" | "prd" | "production" | "live" => "production".to_owned(),
        "dev" | "devel" | "development" => "dev".to_owned(),
        "stage" | "stg" | "staging" => "staging".to_owned(),
        "test" | "testing" | "tst" | "qa" => "test".to_owned(),
        _ => lower,
    }
}

/// The labels in `names` that are present and not blank, in the order of `names`.
fn present<'a>(labels: &'a LabelSet, names: &[String]) -> impl Iterator<Item = (&'a str, &'a str)> {
    names
        .iter()
        .filter_map(|wanted| labels.iter().find(|(name, _)| name == wanted))
        .map(|(name, value)| (name, value.trim()))
        .filter(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{environment, service, severity};
    use crate::model::event::Severity;
    use crate::model::labels::LabelSet;
    use crate::model::settings::LabelNames;

    fn labels(pairs: &[(&str, &str)]) -> LabelSet {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn check_service(pairs: &[(&str, &str)], wanted: Option<(&str, &str)>) {
        assert_eq!(
            service(&labels(pairs), &LabelNames::default()),
            wanted,
            "{pairs:?}"
        );
    }

    #[test]
    fn first_present_label_gives_the_service() {
        check_service(
            &[("app", "shop"), ("service", "checkout"), ("job", "api")],
            Some(("service", "checkout")),
        );
        check_service(&[("service", ""), ("app", "shop")], Some(("app", "shop")));
        check_service(
            &[("service", "  "), ("job", "checkout")],
            Some(("job", "checkout")),
        );
        check_service(&[("instance", "a")], None);
    }

    #[test]
    fn infrastructure_job_is_not_a_service() {
        for job in [
            "node-exporter",
            "node_exporter",
            "node",
            "kube-state-metrics",
            "kubelet",
            "cadvisor",
            "prometheus",
            "prometheus-k8s",
            "alertmanager",
            "blackbox-exporter",
            "pushgateway",
            "apiserver",
            "coredns",
            "etcd",
            "kube-scheduler",
            "kubernetes-pods",
            "monitoring/node-exporter",
            "integrations/unix",
            "Prometheus",
        ] {
            check_service(&[("job", job)], None);
            check_service(&[("job", job), ("app", "shop")], Some(("app", "shop")));
        }
        for job in ["checkout", "nodejs-api", "shop/checkout", "etcd-backup-ui"] {
            check_service(&[("job", job)], Some(("job", job)));
        }
    }

    #[test]
    fn service_named_after_its_monitoring_job_is_ignored() {
        check_service(
            &[
                ("job", "kube-state-metrics"),
                ("service", "stack-kube-state-metrics"),
            ],
            None,
        );
        check_service(
            &[("job", "kube-state-metrics"), ("service", "checkout")],
            Some(("service", "checkout")),
        );
        check_service(
            &[("job", "api"), ("service", "public-api")],
            Some(("service", "public-api")),
        );
    }

    #[test]
    fn severities_are_normalised() {
        for (word, wanted) in [
            ("critical", Severity::Critical),
            ("CRIT", Severity::Critical),
            ("page", Severity::Critical),
            ("P1", Severity::Critical),
            ("sev1", Severity::Critical),
            ("SEV-1", Severity::Critical),
            ("error", Severity::Critical),
            ("warning", Severity::Warning),
            ("Warn", Severity::Warning),
            ("p2", Severity::Warning),
            ("sev 3", Severity::Warning),
            ("info", Severity::Info),
            ("notice", Severity::Info),
            ("P5", Severity::Info),
            ("none", Severity::None),
            ("None", Severity::None),
            ("purple", Severity::Unknown),
            ("", Severity::Unknown),
        ] {
            assert_eq!(
                severity(&labels(&[("severity", word)]), &LabelNames::default()),
                wanted,
                "{word}"
            );
        }
        assert_eq!(
            severity(&LabelSet::default(), &LabelNames::default()),
            Severity::Unknown
        );
    }

    #[test]
    fn own_severity_words_take_precedence() {
        let mut names = LabelNames {
            severity: vec!["urgency".to_owned()],
            ..LabelNames::default()
        };
        names.severities.insert("error".to_owned(), Severity::Info);
        names
            .severities
            .insert("purple".to_owned(), Severity::Critical);
        assert_eq!(
            severity(
                &labels(&[("urgency", "Error"), ("severity", "critical")]),
                &names
            ),
            Severity::Info
        );
        assert_eq!(
            severity(&labels(&[("urgency", "PURPLE")]), &names),
            Severity::Critical
        );
    }

    #[test]
    fn environment_synonyms_are_normalized() {
        for (name, word, wanted) in [
            ("environment", "Production", "production"),
            ("env", "prod", "production"),
            ("stage", "Stage", "staging"),
            ("env", "development", "dev"),
            ("env", "QA", "test"),
            ("env", "drill", "drill"),
            ("env", "Berlin", "berlin"),
        ] {
            assert_eq!(
                environment(&labels(&[(name, word)]), &LabelNames::default()).as_deref(),
                Some(wanted)
            );
        }
        assert_eq!(
            environment(&labels(&[("env", "")]), &LabelNames::default()),
            None
        );
    }
}
