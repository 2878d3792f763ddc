//! `afterword backtest`: the decisions that other rules would have made over the same events.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::check::read_all;
use super::options::SettingsFile;
use super::output::{FAULTS, USAGE, complain, json, say};
use super::serve;
use crate::app::backtest::input::{BacktestFault, BacktestInput, BacktestProgress, BacktestSource};
use crate::app::backtest::runner;
use crate::app::clock::Clock;
use crate::app::settings::Settings;
use crate::app::settings::files::{matching, with_calendars};
use crate::model::time::Time;
use crate::model::time_parse;
use crate::rules;
use crate::rules::rule_set::RuleSet;
use crate::store::database::{DatabaseLocation, Store};
use crate::trial::comparison::{BacktestReport, DecisionChange, IncidentComparison};
use crate::trial::csv;
use crate::yaml::scalar::Duration;

/// Maximum number of incidents with an unchanged decision in a table; the other formats list all.
const UNCHANGED: usize = 20;

/// Maximum number of incidents with a changed decision in a table.
const CHANGED: usize = 1000;
/// Maximum length of a table cell, in characters.
const WIDEST: usize = 160;

/// Arguments of `afterword backtest`.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// Rules to try: a directory or a file; by default the rules in the settings.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Rules to compare with; by default those in use at the time, according to the event log.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Report only incidents that began since then, as 90d, 12h or 2026-01-31; by default all.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Read events from a file instead of the database: an `afterword export`, or one normalized
    /// event per line.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Read alert history from a Prometheus server: its URL, or the name of an entry in `metrics:`.
    #[arg(long, value_name = "URL", conflicts_with = "events")]
    prometheus: Option<String>,
    /// Query resolution for Prometheus; a longer step puts less load on the server but makes times
    /// less precise.
    #[arg(long, value_name = "TIME", requires = "prometheus")]
    step: Option<String>,
    /// Output format: table for people, json or csv for programs.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    settings: SettingsFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

pub(crate) fn backtest(asked: &Backtest) -> u8 {
    let settings =
        match serve::load(serve::find_settings_file(asked.settings.config.as_deref()).as_deref()) {
            Ok(settings) => settings,
            Err(code) => return code,
        };
    let now = Clock::System.now();
    let from = asked
        .since
        .as_deref()
        .map(|text| time_parse::read(text, now, TimeDelta::zero()));
    if let Some(None) = from {
        complain(&format!("--since is not a time; use {}", time_parse::FORMS));
        return USAGE;
    }
    let rules = match asked.rules.as_deref().map_or_else(
        || Ok(settings.policy.rules.clone()),
        |path| rules_in(path, &settings),
    ) {
        Ok(rules) => rules,
        Err(code) => return code,
    };
    let against = match asked
        .against
        .as_deref()
        .map(|path| rules_in(path, &settings))
        .transpose()
    {
        Ok(against) => against,
        Err(code) => return code,
    };
    let step = match asked.step.as_deref().map(Duration::parse).transpose() {
        Ok(step) => step.map(|step| TimeDelta::seconds(step.seconds)),
        Err(fault) => {
            complain(&format!("--step {fault}"));
            return USAGE;
        }
    };
    let facts = match (&asked.events, &asked.prometheus) {
        (Some(path), _) => BacktestSource::File(path.clone()),
        (None, Some(named)) => match runner::history_server(&settings, named) {
            Ok(server) => BacktestSource::Prometheus(Box::new(server), step),
            Err(fault) => {
                complain(&format!("--prometheus: {fault}"));
                return USAGE;
            }
        },
        (None, None) => BacktestSource::Log,
    };
    let ask = BacktestInput {
        config: settings.config.clone(),
        rules,
        against,
        facts,
        from: from.flatten(),
        now,
    };
    match tried(&settings, ask) {
        Ok(report) => {
            match asked.format {
                Format::Json => say(&json(&report)),
                Format::Csv => say(csv::csv(&report).trim_end()),
                Format::Table => say(&table(&report)),
            }
            if report.records == 0 {
                complain("afterword: there are no events to judge");
                return FAULTS;
            }
            0
        }
        Err(fault) => {
            complain(&format!("afterword: {fault}"));
            FAULTS
        }
    }
}

fn tried(settings: &Settings, ask: BacktestInput) -> Result<BacktestReport, BacktestFault> {
    let store = match &ask.facts {
        BacktestSource::File(_) | BacktestSource::Prometheus(..) => None,
        BacktestSource::Log if matches!(&settings.place, DatabaseLocation::Sqlite(path) if !path.exists()) =>
        {
            return Err(anyhow::anyhow!(
                "the database {} does not exist; give other events with --events or --prometheus",
                settings.place
            )
            .into());
        }
        BacktestSource::Log => Some(
            Store::open_to_read(&settings.place)
                .with_context(|| format!("the database {}", settings.place))?,
        ),
    };
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(1000)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {msg}, {eta} left") {
        bar.set_style(style);
    }
    let report = runner::run(
        store.as_ref(),
        ask,
        &mut |BacktestProgress { done, events }| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 1000"
            )]
            bar.set_position((done * 1000.0) as u64);
            bar.set_message(counted(events, "event"));
            ControlFlow::Continue(())
        },
    );
    bar.finish_and_clear();
    report
}

/// Loads the rules of a directory or file and prints their faults.
fn rules_in(path: &Path, settings: &Settings) -> Result<RuleSet, u8> {
    let files = if path.is_dir() {
        matching(&path.join("*.yaml"))
    } else {
        vec![path.to_owned()]
    };
    if files.is_empty() {
        complain(&format!(
            "{}: this directory has no rule files (*.yaml)",
            path.display()
        ));
        return Err(FAULTS);
    }
    let (texts, mut faults) = read_all(&files);
    if faults.is_empty() {
        match rules::parse::load_for(&with_calendars(texts), &settings.config.labels.scale) {
            Ok(rules) => return Ok(rules),
            Err(found) => faults = found,
        }
    }
    faults.iter().for_each(|fault| complain(&fault.to_string()));
    Err(FAULTS)
}

/// A count with its noun in the singular or plural.
fn counted(count: impl std::fmt::Display, noun: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn table(report: &BacktestReport) -> String {
    let count = |shift| report.shifts.get(&shift).copied().unwrap_or_default();
    let time = |at: Time| at.format("%F %R").to_string();
    let (before, after) = (report.before, report.after);
    let mut text = format!(
        "{} from {} to {} ({}), compared with {}.\n\
         Opened: {} (before: {}; {} new, {} dropped). Suggested: {} (before: {}; {} new, {} dropped).\n",
        counted(after.incidents, "incident"),
        time(report.from),
        time(report.until),
        counted(report.events, "event"),
        report.against,
        after.held,
        before.held,
        count(DecisionChange::NewlyHeld),
        count(DecisionChange::NoLongerHeld),
        after.suggested,
        before.suggested,
        count(DecisionChange::NewlySuggested),
        count(DecisionChange::NoLongerSuggested),
    );
    let (rose, fell) = (report.rose(), report.fell());
    if rose + fell > 0 {
        text.push_str(&format!(
            "Moved from suggested to opened: {rose}; from opened to suggested: {fell}.\n"
        ));
    }
    if before.bundled + after.bundled > 0 {
        text.push_str(&format!(
            "Bundled into the postmortem of another incident: {} (before: {}).\n",
            after.bundled, before.bundled
        ));
    }
    let changed = report
        .incidents
        .iter()
        .filter(|compared| compared.shift != DecisionChange::Unchanged);
    let unchanged = report
        .incidents
        .iter()
        .filter(|compared| compared.shift == DecisionChange::Unchanged);
    let shown: Vec<&IncidentComparison> = changed
        .take(CHANGED)
        .chain(unchanged.take(UNCHANGED))
        .collect();
    let left_out = report.incidents.len() - shown.len();
    if !shown.is_empty() {
        let rows = shown.into_iter().map(|compared| {
            let IncidentComparison { shift, case, .. } = compared;
            [
                shift.word().to_owned(),
                time(case.began),
                case.incident.to_string(),
                case.services.join(", "),
                case.sentence.clone(),
            ]
        });
        text.push_str(&format!(
            "\n{}\n",
            laid_out(&["Change", "Began", "Incident", "Services", "Why"], rows)
        ));
    }
    if left_out > 0 {
        text.push_str(&format!(
            "{} not listed; `--format csv` lists all.\n",
            counted(left_out, "more incident")
        ));
    }
    let rows = report.criteria.iter().map(|tally| {
        let name = if tally.shadow {
            format!("{} (shadow)", tally.criterion)
        } else {
            tally.criterion.clone()
        };
        [
            name,
            tally.met.to_string(),
            tally.unknown.to_string(),
            tally.decided.to_string(),
        ]
    });
    text.push_str(&format!(
        "\n{}\n",
        laid_out(&["Criterion", "Met", "Unknown", "Decided"], rows)
    ));
    for note in &report.notes {
        text.push_str(&format!("\nNote: {note}"));
    }
    text.trim_end().to_owned()
}

fn laid_out<const N: usize>(header: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    table
}

/// Removes control characters, which must not reach the terminal, and shortens long cells.
fn plain(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(WIDEST)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(WIDEST).is_some() {
        shown.push('…');
    }
    shown
}
