//! Commands: read files and environment, call the modules, print, and return an exit code.

mod backtest;
mod check;
mod check_sample;
mod client;
mod demo;
mod explain;
mod export;
mod exported_files;
mod init;
mod junit;
mod nearby_settings;
mod on_call;
mod options;
mod output;
mod report;
mod run;
mod scenario_report;
mod schema;
mod serve;
mod systemd;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::options::SettingsFile;

/// Decides from alerts, metrics and reports which incidents deserve a postmortem, and explains why.
#[derive(Debug, Parser)]
#[command(name = "afterword", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service. Without a settings file: loopback only, SQLite in ./data, the shipped
    /// rules.
    Serve(SettingsFile),
    /// Replay a bundled recorded incident into a fresh service, then keep serving it.
    Demo(demo::Demo),
    /// Write a commented afterword.yaml and the shipped rules to start from.
    Init {
        /// Directory to write to.
        #[arg(default_value = ".")]
        directory: PathBuf,
    },
    /// Validate settings, rules and scenarios. With --sample, show the events read from a request body.
    Check(check::Check),
    /// Run rule scenarios and print the differences between expected and actual results.
    Test(test::Test),
    /// Replay past events under other rules and list the incidents whose postmortem decision
    /// changes.
    Backtest(backtest::Backtest),
    /// Print the JSON Schema of a file format, for editors: each key with its type, default and
    /// meaning.
    Schema {
        /// File format.
        #[arg(value_enum)]
        of: schema::Of,
    },
    /// Print every verdict on an incident, with its evidence and margin.
    Explain(explain::Explain),
    /// Print the people on call for a service at an instant, and why.
    OnCall(on_call::OnCallArgs),
    /// Declare the start or end of an outage, or planned maintenance, to a running service.
    Declare(report::Declare),
    /// Request a postmortem from a running service.
    Request(report::Request),
    /// Report a near miss to a running service.
    NearMiss(report::NearMiss),
    /// Record a manual step at a running service.
    Intervene(report::Intervene),
    /// Run a command, passing its output and exit code through, and record it at the service as a
    /// manual step. It prints nothing itself unless the step cannot be recorded.
    Run(run::Run),
    /// Export all data as JSON lines, drafts and invites included, for a back-up or a move to another
    /// database. The service may keep running.
    Export(export::Export),
    /// Import a file written by `export` into an empty database.
    Import(export::Import),
    /// Migrate the database to this version. A SQLite database is copied first.
    Migrate(serve::Migrate),
}

/// Runs the command line.
#[must_use]
pub fn run() -> ExitCode {
    // Clap itself ends wrong usage with 2.
    let cli = Cli::parse();
    let code = match cli.command {
        Command::Serve(settings) => serve::serve(settings.config.as_deref()),
        Command::Demo(demo) => demo::demo(&demo),
        Command::Init { directory } => init::init(&directory),
        Command::Check(asked) => check::check(&asked),
        Command::Test(asked) => test::test(&asked),
        Command::Backtest(asked) => backtest::backtest(&asked),
        Command::Schema { of } => schema::print(of),
        Command::Explain(explain) => explain::explain(&explain),
        Command::OnCall(asked) => on_call::on_call(&asked),
        Command::Declare(said) if said.planned => {
            report::send_report(&said.to, said.path(), &said.body())
        }
        Command::Declare(said) => report::send_about_service(&said.to, said.path(), &said.body()),
        Command::Request(said) => report::send_report(&said.to, "/api/v1/requests", &said.body()),
        Command::NearMiss(said) => {
            report::send_about_service(&said.to, "/api/v1/near-misses", &said.body())
        }
        Command::Intervene(said) => {
            report::send_about_service(&said.to, "/api/v1/interventions", &said.body())
        }
        Command::Run(asked) => run::run(&asked),
        Command::Export(asked) => export::export(&asked),
        Command::Import(asked) => export::import(&asked),
        Command::Migrate(asked) => serve::migrate(&asked),
    };
    ExitCode::from(code)
}
