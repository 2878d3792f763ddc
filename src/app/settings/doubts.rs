//! Warnings about settings that are valid and most likely not meant.

use std::path::Path;

use super::named_values::NamedValues;
use crate::config::people::OnCallCalendar;
use crate::config::settings::Config;
use crate::model::fault::Fault;
use crate::rules::rule_set::RuleSet;

/// Names under which messages are listed that no configured source sent.
const OWN_SOURCES: [&str; 2] = ["api", "people"];

/// The warnings, with the position of the value each is about. `base` is the directory at which
/// relative paths begin.
pub(super) fn doubts(
    config: &Config,
    rules: &RuleSet,
    named: &NamedValues,
    base: &Path,
) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut doubt = |section: &str, value: &str, message: String| {
        found.push(named.fault(section, value, message));
    };
    let is_service = |name: &str| {
        config.services.iter().any(|service| {
            service.name == name || service.aliases.iter().any(|alias| alias == name)
        })
    };
    for service in &config.services {
        for need in &service.depends_on {
            if *need == service.name {
                doubt("services", need, format!("`{need}` depends on itself"));
            } else if !is_service(need) {
                let message = format!(
                    "`{}` depends on `{need}`, which is no entry of `services`",
                    service.name
                );
                doubt("services", need, message);
            }
        }
    }
    for service in config
        .maintenance
        .iter()
        .filter_map(|work| work.service.as_ref())
    {
        if !config.services.is_empty() && !is_service(service) {
            let message = format!("planned work on `{service}`, which is no entry of `services`");
            doubt("maintenance", service, message);
        }
    }
    for calendar in config.on_call.values() {
        if let OnCallCalendar::File(path) = calendar
            && !base.join(path).exists()
        {
            doubt(
                "services",
                path,
                format!("the calendar {path} does not exist"),
            );
        }
    }
    if config.robots.iter().any(|glob| glob == "*") {
        let message = "`*` takes all people for programs, whose steps do not count".to_owned();
        doubt("robots", "*", message);
    }
    for source in &config.sources {
        if OWN_SOURCES.contains(&source.name.as_str()) {
            let message = format!(
                "`{}` is also the name under which our own API records events; choose another",
                source.name
            );
            doubt("sources", &source.name, message);
        }
    }
    if rules.criteria.is_empty() {
        let message =
            "the rules have no criteria, so no postmortem is opened or suggested".to_owned();
        let glob = config.rules.first().map_or("", String::as_str);
        doubt("rules", glob, message);
    }
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::doubts;
    use crate::app::settings::named_values::NamedValues;
    use crate::config::parse::parse;
    use crate::rules;

    fn warnings(settings: &str, rules: &str) -> Vec<String> {
        let config = parse("f.yaml", settings).unwrap();
        let rules = rules::parse::load(&[("r.yaml".to_owned(), rules.to_owned())]).unwrap();
        let named = NamedValues::new("f.yaml".as_ref(), settings);
        let base = std::path::Path::new("/nonexistent");
        let found = doubts(&config, &rules, &named, base);
        found.iter().map(ToString::to_string).collect()
    }

    const CRITERIA: &str = "criteria: [{name: asked, on: request, decision: hold}]";

    #[test]
    fn each_doubtful_value_is_named_where_it_is_written() {
        for (settings, expected) in [
            (
                "services:\n  - {name: checkout, depends_on: [checkout]}\n",
                "f.yaml:2:12: `checkout` depends on itself",
            ),
            (
                "services:\n  - {name: checkout, depends_on: [paymets]}\n",
                "f.yaml:2:35: `checkout` depends on `paymets`, which is no entry of `services`",
            ),
            (
                "services: [{name: checkout}]\nmaintenance:\n  - {service: nosuch, from: 2026-12-01T22:00Z, to: 2026-12-02T02:00Z, why: disks}\n",
                "f.yaml:3:15: planned work on `nosuch`, which is no entry of `services`",
            ),
            (
                "services:\n  - {name: checkout, on_call: gone.ics}\n",
                "f.yaml:2:31: the calendar gone.ics does not exist",
            ),
            (
                "robots: ['*']\n",
                "f.yaml:1:10: `*` takes all people for programs, whose steps do not count",
            ),
            (
                "sources: [{name: api, kind: alertmanager, auth: none}]\n",
                "f.yaml:1:18: `api` is also the name under which our own API records events; choose another",
            ),
        ] {
            assert_eq!(warnings(settings, CRITERIA), [expected], "{settings}");
        }
    }

    #[test]
    fn rules_without_criteria_are_doubtful() {
        for rules in ["", "criteria: []"] {
            let found = warnings("rules: [rules/*.yaml]\n", rules);
            assert_eq!(
                found,
                ["f.yaml:1:9: the rules have no criteria, so no postmortem is opened or suggested"],
                "{rules:?}"
            );
        }
    }

    #[test]
    fn alias_of_a_service_is_a_service() {
        let settings = "services:\n  - {name: checkout, depends_on: [payments-api]}\n  - {name: payments, aliases: [payments-api]}\n";
        assert_eq!(warnings(settings, CRITERIA), [] as [String; 0]);
    }
}
