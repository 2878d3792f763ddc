//! Scrape loop of one target: keeps the selected series, and writes staleness markers for series
//! that disappear, as Prometheus does.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{SubsecRound, TimeDelta};
use tokio::sync::OnceCell;

use super::clock_skew::Skew;
use super::retention::sample_retention;
use super::sample_filter::SampleFilter;
use super::task::MetricsTask;
use super::timing::wait_until;
use crate::clients::scrape::{ScrapedPage, Scraper};
use crate::config::metrics::{ScrapeConfig, ScrapeTarget as Target};
use crate::engine::conditions::promql_subset::sample_buffer::{SampleBuffer, UP};
use crate::ingest::exposition;
use crate::ingest::exposition::format::Format;
use crate::ingest::exposition::metadata;
use crate::ingest::metric_check;
use crate::ingest::metric_filter::MetricFilter;
use crate::model::id::hex;
use crate::model::labels::Labels;
use crate::model::sample::{STALE, Sample};
use crate::model::time::Time;
use crate::rules::promql::Selector;
use crate::rules::rule_set::ConditionRule;

/// Series, identified by metric name and labels.
type Series = (String, Labels);

/// Live series of an entry from before this process started, read once for all its targets.
pub(crate) type Live = Arc<OnceCell<BTreeSet<Series>>>;

pub(crate) async fn scrape_loop(
    task: MetricsTask,
    mut scraper: Arc<Scraper>,
    settings: ScrapeConfig,
    target: Target,
    before: Live,
) {
    let asked = SampleFilter::from_conditions(task.conditions());
    let ours = target_labels(&task.name, &settings, &target);
    let Some(mut live) = live(&task, &ours, before).await else {
        return;
    };
    let back = sample_retention(&task.settings, &task.name);
    let mut seen = false;
    loop {
        let clock = &task.monitor.core.clock;
        let (now, stepped) = clock.now_and_stepped();
        let due = next(now, settings.interval, &target.url);
        while task.now() < due && clock.stepped() == stepped {
            wait_until(&task.monitor.core, due).await;
        }
        // Due by the clock as it was before it was set.
        if clock.stepped() != stepped {
            continue;
        }
        let at = task.now().trunc_subsecs(3);
        let read = match scraper.fetch(&target.url).await {
            Ok(page) => {
                let skew = Skew::of(&page.heard, task.now());
                let told = read(&page, &asked.wanted, at, &settings, skew);
                if let Ok(samples) = &told
                    && !seen
                {
                    seen = compare(&task, &page, samples);
                }
                told
            }
            Err(fault) => {
                if let Some(Ok(anew)) = task
                    .reread_credentials(&fault)
                    .await
                    .map(|metrics_access| Scraper::new(&settings, &metrics_access))
                {
                    scraper = Arc::new(anew);
                }
                Err(fault.to_string())
            }
        };
        task.record_request(
            &target.instance,
            read.as_ref().map(drop).map_err(Clone::clone),
        );
        let up = if read.is_ok() { 1.0 } else { 0.0 };
        let samples = read
            .unwrap_or_default()
            .into_iter()
            .map(|sample| labelled(sample, &ours, settings.honor_labels));
        let came = task.now();
        // `up` comes first: it is kept even if the limits drop other samples.
        let up = Sample {
            name: UP.to_owned(),
            labels: ours.clone(),
            at,
            value: up,
        };
        let mut samples: Vec<Sample> = std::iter::once(up)
            .chain(samples.filter(|sample| asked.selects(sample) && sample.name != UP))
            .collect();
        let out_of_bounds = task.monitor.keep(&task.name, &mut samples, came, back);
        if out_of_bounds > 0 {
            task.record_request(
                &target.instance,
                Err(format!(
                    "{out_of_bounds} samples have timestamps out of bounds and were dropped; check the clock of the target, or set `honor_timestamps: false`"
                )),
            );
        }
        let now: BTreeSet<Series> = samples
            .iter()
            .skip(1)
            .map(|sample| (sample.name.clone(), sample.labels.clone()))
            .collect();
        let ended = live.difference(&now).cloned();
        samples.extend(ended.map(|(name, labels)| Sample {
            name,
            labels,
            at,
            value: f64::from_bits(STALE),
        }));
        live = now;
        let name = task.name.clone();
        if task
            .run_blocking("samples could not be stored", move |monitor| {
                monitor.core.store.add_samples(&name, &samples, came)
            })
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Time of the next scrape. Targets have different offsets within the interval, to spread the load.
fn next(now: Time, interval: i64, url: &str) -> Time {
    let spread = i64::from_str_radix(&hex(url, 4), 16)
        .unwrap_or_default()
        .rem_euclid(interval * 1000);
    let millis = interval * 1000;
    let past = (now.timestamp_millis() - spread).rem_euclid(millis);
    now + TimeDelta::milliseconds(millis - past)
}

/// Target labels, added to all its samples.
fn target_labels(name: &str, settings: &ScrapeConfig, target: &Target) -> Labels {
    let mut labels = Labels::from([
        ("job".to_owned(), name.to_owned()),
        ("instance".to_owned(), target.instance.clone()),
    ]);
    labels.extend(settings.labels.clone());
    labels
}

/// Adds the target labels to a sample. On conflict the exposed label is renamed to `exported_…`, or
/// kept with `honor_labels`.
fn labelled(mut sample: Sample, ours: &Labels, honor: bool) -> Sample {
    for (name, value) in ours {
        match sample.labels.get(name).cloned() {
            Some(_) if honor => {}
            Some(theirs) => {
                sample.labels.insert(format!("exported_{name}"), theirs);
                sample.labels.insert(name.clone(), value.clone());
            }
            None => {
                sample.labels.insert(name.clone(), value.clone());
            }
        }
    }
    // As in Prometheus, an empty label is the same as an absent one.
    sample.labels.retain(|_, value| !value.is_empty());
    sample
}

fn read(
    page: &ScrapedPage,
    wanted: &MetricFilter,
    at: Time,
    settings: &ScrapeConfig,
    skew: Skew,
) -> Result<Vec<Sample>, String> {
    let format = Format::from_content_type(page.content_type.as_deref().unwrap_or_default());
    let mut samples = exposition::parse(&page.bytes, format, wanted, at, settings.honor_timestamps)
        .map_err(|fault| fault.to_string())?;
    for sample in samples.iter_mut().filter(|sample| sample.at != at) {
        // Exposed timestamps are by the target's clock.
        sample.at = skew.to_ours(sample.at);
    }
    Ok(samples)
}

/// Series of a target that were live at its last scrape before this process started; those missing
/// from the first scrape are marked stale.
async fn live(task: &MetricsTask, ours: &Labels, before: Live) -> Option<BTreeSet<Series>> {
    let read = async || {
        let (mut samples, mut position) = (SampleBuffer::default(), 0);
        task.read_samples(&mut samples, &mut position)
            .await
            .ok_or(())?;
        Ok::<_, ()>(
            samples
                .live()
                .map(|(name, labels)| (name.to_owned(), labels.clone()))
                .collect(),
        )
    };
    let before = before.get_or_try_init(read).await.ok()?;
    let own = |labels: &Labels| {
        ours.iter()
            .all(|(name, value)| labels.get(name) == Some(value))
    };
    Some(
        before
            .iter()
            .filter(|(name, labels)| own(labels) && *name != UP)
            .cloned()
            .collect(),
    )
}

/// Compares the metrics that conditions select with those a target exposes, on its first scrape.
/// `true`: no faults.
fn compare(task: &MetricsTask, page: &ScrapedPage, samples: &[Sample]) -> bool {
    let mut fine = true;
    for rule in task.conditions() {
        let fault = missing_metrics(rule, page, samples);
        fine &= fault.is_none();
        if task
            .monitor
            .recorded()
            .record_offer(&rule.name, fault.clone())
            && let Some(fault) = fault
        {
            task.monitor.core.faults.report(
                &format!("condition `{}`", rule.name),
                &anyhow::anyhow!(fault),
            );
        }
    }
    fine
}

/// Finds the reason why a condition cannot be evaluated on a target's exposition, if any. `read`:
/// the samples parsed from it.
pub(crate) fn missing_metrics(
    rule: &ConditionRule,
    page: &ScrapedPage,
    read: &[Sample],
) -> Option<String> {
    let (query, text) = (
        rule.understood.of_samples.as_ref().ok()?,
        std::str::from_utf8(&page.bytes).ok()?,
    );
    let read: Vec<&str> = read.iter().map(|sample| sample.name.as_str()).collect();
    metric_check::fault(
        &names(query.selectors()),
        &names(query.counters()),
        &metadata::parse(text),
        &read,
    )
}

/// Metric names that a target has to expose; `up` is added by the scrape loop.
fn names(selectors: Vec<&Selector>) -> Vec<&str> {
    selectors
        .into_iter()
        .map(|selector| selector.name.as_str())
        .filter(|name| *name != UP)
        .collect()
}
