//! `afterword backtest`: what other rules would have decided over the same facts.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::check::read_all;
use super::{FAULTS, SettingsFile, USAGE, complain, json, say, serve};
use crate::app::backtest;
use crate::app::backtest::{Ask, Facts, Fault, Progress};
use crate::app::clock::Clock;
use crate::app::settings::{Settings, matching};
use crate::model::time::Time;
use crate::model::time_parse;
use crate::rules;
use crate::rules::rule_set::RuleSet;
use crate::store::database::{DatabaseLocation, Store};
use crate::trial::comparison::{BacktestReport, DecisionChange, IncidentComparison};
use crate::trial::csv;
use crate::yaml::scalar::Duration;

/// Incidents that fare as before and are listed by a table; the other formats list all.
const UNCHANGED: usize = 20;

/// Incidents that fare otherwise and are listed by a table.
const CHANGED: usize = 1000;
/// Characters of a cell at the most.
const WIDEST: usize = 160;

/// Which rules, over which facts, and how to tell.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// The rules to try: a directory or a file. Those that the settings name, if none is named.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The rules to compare with. Those that held at the time, as the log says, if none is named.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Tell only of incidents that began since: 90d, 12h, 2026-01-31. Everything, if not given.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Facts from a file, not from the database: what `afterword export` wrote, or a normalised event a line.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Facts from what a Prometheus remembers: its address, or the name of an entry of `metrics:`.
    #[arg(long, value_name = "URL", conflicts_with = "events")]
    prometheus: Option<String>,
    /// Look at that Prometheus only once in so long: a server that has much to do answers sooner, and times are exact to it.
    #[arg(long, value_name = "TIME", requires = "prometheus")]
    step: Option<String>,
    /// How it is told: a table for people, json or csv for programs.
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
    let settings = match serve::load(serve::found(asked.settings.config.as_deref()).as_deref()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let now = Clock::System.now();
    let from = asked
        .since
        .as_deref()
        .map(|text| time_parse::read(text, now, TimeDelta::zero()));
    if let Some(None) = from {
        complain(&format!("--since is no time; give {}", time_parse::FORMS));
        return USAGE;
    }
    let rules = match asked
        .rules
        .as_deref()
        .map_or_else(|| Ok(settings.policy.rules.clone()), rules_in)
    {
        Ok(rules) => rules,
        Err(code) => return code,
    };
    let against = match asked.against.as_deref().map(rules_in).transpose() {
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
        (Some(path), _) => Facts::File(path.clone()),
        (None, Some(named)) => match backtest::prometheus(&settings, named) {
            Ok(server) => Facts::Prometheus(Box::new(server), step),
            Err(fault) => {
                complain(&format!("--prometheus: {fault}"));
                return USAGE;
            }
        },
        (None, None) => Facts::Log,
    };
    let ask = Ask {
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
                complain("afterword: there are no facts to judge");
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

fn tried(settings: &Settings, ask: Ask) -> Result<BacktestReport, Fault> {
    let store = match &ask.facts {
        Facts::File(_) | Facts::Prometheus(..) => None,
        Facts::Log if matches!(&settings.place, DatabaseLocation::Sqlite(path) if !path.exists()) =>
        {
            return Err(anyhow::anyhow!(
                "there is no database {} yet; name other facts by --events or --prometheus",
                settings.place
            )
            .into());
        }
        Facts::Log => Some(
            Store::open_at(&settings.place, ask.now)
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
    let report = backtest::run(store.as_ref(), ask, &mut |Progress { done, events }| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 1000"
        )]
        bar.set_position((done * 1000.0) as u64);
        bar.set_message(format!("{events} events"));
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    report
}

/// The rules of a directory or file; faults are told.
fn rules_in(path: &Path) -> Result<RuleSet, u8> {
    let files = if path.is_dir() {
        matching(&path.join("*.yaml"))
    } else {
        vec![path.to_owned()]
    };
    if files.is_empty() {
        complain(&format!(
            "{}: there is no rule file (*.yaml) in this directory",
            path.display()
        ));
        return Err(FAULTS);
    }
    let (texts, mut faults) = read_all(&files);
    if faults.is_empty() {
        match rules::parse::load(&texts) {
            Ok(rules) => return Ok(rules),
            Err(found) => faults = found,
        }
    }
    faults.iter().for_each(|fault| complain(&fault.to_string()));
    Err(FAULTS)
}

fn table(report: &BacktestReport) -> String {
    let count = |shift| report.shifts.get(&shift).copied().unwrap_or_default();
    let time = |at: Time| at.format("%F %R").to_string();
    let (before, after) = (report.before, report.after);
    let mut text = format!(
        "{} incidents from {} to {} ({} events), compared with {}.\n\
         Held {}, before {}: {} newly, {} no longer. Suggested {}, before {}: {} newly, {} no longer.\n",
        after.incidents,
        time(report.from),
        time(report.until),
        report.events,
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
        text.push_str(&format!("{rose} of the newly held were suggested before; {fell} of those no longer held are suggested now.\n"));
    }
    if before.bundled + after.bundled > 0 {
        text.push_str(&format!(
            "{} of these wait in the postmortem of another, before {}.\n",
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
            "{left_out} more are not listed; `--format csv` lists all.\n"
        ));
    }
    let rows = report.criteria.iter().map(|counted| {
        let name = if counted.shadow {
            format!("{} (shadow)", counted.criterion)
        } else {
            counted.criterion.clone()
        };
        [
            name,
            counted.met.to_string(),
            counted.unknown.to_string(),
            counted.decided.to_string(),
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

/// What senders wrote must not steer the terminal, and one long word not widen every row.
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
