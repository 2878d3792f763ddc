//! Check of scrape targets for `afterword check`: compares the metrics they expose with those that
//! conditions select.

use std::time::Duration;

use futures_util::future::join_all;

use super::scrape::missing_metrics;
use crate::app::settings::Settings;
use crate::clients::scrape::{ScrapedPage, Scraper};
use crate::config::metrics::{MetricsKind, ScrapeConfig};
use crate::model::fault::Fault;
use crate::rules::rule_set::ConditionRule;

/// Timeout per target.
const PATIENCE: Duration = Duration::from_secs(3);

/// Scrapes every target. Returns faults (no target exposes a metric) and warnings (no target could
/// be scraped).
pub(crate) async fn compare(settings: &Settings) -> (Vec<Fault>, Vec<Fault>) {
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    for entry in &settings.config.metrics {
        let MetricsKind::Scrape(scrape) = &entry.kind else {
            continue;
        };
        let rules: Vec<&ConditionRule> = settings
            .policy
            .rules
            .conditions
            .iter()
            .filter(|rule| rule.metrics == entry.name)
            .collect();
        if rules.is_empty() {
            continue;
        }
        let metrics_access = settings
            .metrics_access
            .get(&entry.name)
            .cloned()
            .unwrap_or_default();
        let pages = match Scraper::new(scrape, &metrics_access) {
            Ok(scraper) => pages(&scraper, scrape).await,
            Err(why) => vec![Err(why)],
        };
        for rule in rules {
            let at = |message: String| rule.places.query.fault(&rule.places.file, message);
            let told: Vec<Option<String>> = pages
                .iter()
                .flatten()
                .map(|page| missing_metrics(rule, page, &[]))
                .collect();
            // One target that exposes it is enough.
            match told.iter().min_by_key(|told| told.is_some()) {
                Some(Some(why)) => faults.push(at(why.clone())),
                Some(None) => {}
                None => {
                    let why = pages
                        .iter()
                        .find_map(|page| page.as_ref().err())
                        .cloned()
                        .unwrap_or_default();
                    warnings.push(at(format!(
                        "no target of `{}` could be scraped, so this query was not checked: {why}",
                        entry.name
                    )));
                }
            }
        }
    }
    (faults, warnings)
}

async fn pages(scraper: &Scraper, scrape: &ScrapeConfig) -> Vec<Result<ScrapedPage, String>> {
    join_all(scrape.targets.iter().map(async |target| {
        let fetched = tokio::time::timeout(PATIENCE, scraper.fetch(&target.url)).await;
        let told = |why: String| format!("{}: {why}", target.url);
        fetched
            .map_err(|_| told(format!("no answer within {}s", PATIENCE.as_secs())))?
            .map_err(|fault| told(fault.to_string()))
    }))
    .await
}
