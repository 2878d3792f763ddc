//! The commands: read files and environment, call the modules, print, and give an exit code.

mod backtest;
mod check;
mod check_sample;
mod client;
mod demo;
mod explain;
mod export;
mod init;
mod junit;
mod report;
mod run;
mod schema;
mod serve;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Exit codes: 0 fine, 1 the input has faults, 2 wrong usage, 3 the service cannot be reached.
const FAULTS: u8 = 1;
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;

/// Decides from evidence which incidents deserve a postmortem, and says why.
#[derive(Debug, Parser)]
#[command(name = "afterword", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service. With no settings file: loopback, SQLite in ./data, the shipped rules.
    Serve(SettingsFile),
    /// Replay a bundled recorded incident into a fresh service and go on serving it.
    Demo(demo::Demo),
    /// Write a commented afterword.yaml and rules/.
    Init {
        /// Where to write them.
        #[arg(default_value = ".")]
        directory: PathBuf,
    },
    /// Validate settings, rules and scenarios; every fault as FILE:LINE:COL. Or show what a source makes of a body.
    Check(check::Check),
    /// Run rule scenarios; prints expected and got where they differ.
    Test(test::Test),
    /// Replay what happened under other rules: which incidents would be held or suggested that were not, or no longer.
    Backtest(backtest::Backtest),
    /// Print the JSON Schema of a file, for editors; every key with its type, default and meaning.
    Schema {
        /// Of what.
        #[arg(value_enum)]
        of: schema::Of,
    },
    /// Every verdict on an incident, with its evidence and margin.
    Explain(explain::Explain),
    /// Tell a running service that an outage began or ended, or that work is planned.
    Declare(report::Declare),
    /// Ask a running service for a postmortem.
    Request(report::Request),
    /// Report a near miss to a running service.
    NearMiss(report::NearMiss),
    /// Tell a running service of a manual step.
    Intervene(report::Intervene),
    /// Run a command, pass its output and exit code through, and note at the service that it was run by hand.
    Run(run::Run),
    /// Write all data as lines of JSON: a back-up, or the way to another database. The service may run meanwhile.
    Export(export::Export),
    /// Read what `export` wrote into a database that holds nothing yet.
    Import(export::Import),
    /// Bring the database to this version.
    Migrate(SettingsFile),
}

#[derive(Debug, Args)]
struct SettingsFile {
    /// The settings file.
    #[arg(long, env = "AFTERWORD_CONFIG")]
    config: Option<PathBuf>,
}

/// Where the service is.
#[derive(Debug, Args)]
struct Service {
    /// Address of the service.
    #[arg(long, env = "AFTERWORD_URL", default_value = "http://127.0.0.1:9099")]
    url: String,
    /// The token of `access:`, where the service asks for one.
    #[arg(long, env = "AFTERWORD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print the answer as JSON.
    #[arg(long, value_parser = ["json"], value_name = "json")]
    format: Option<String>,
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
        Command::Declare(said) => report::tell(&said.to, said.path(), &said.body()),
        Command::Request(said) => report::tell(&said.to, "/api/v1/requests", &said.body()),
        Command::NearMiss(said) => report::tell(&said.to, "/api/v1/near-misses", &said.body()),
        Command::Intervene(said) => report::tell(&said.to, "/api/v1/interventions", &said.body()),
        Command::Run(asked) => run::run(&asked),
        Command::Export(asked) => export::export(&asked),
        Command::Import(asked) => export::import(&asked),
        Command::Migrate(settings) => serve::migrate(settings.config.as_deref()),
    };
    ExitCode::from(code)
}

/// One line to the person. A closed pipe is no fault of the command.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A result as JSON for programs. Plain data always has one.
fn json(result: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(result).unwrap_or_default()
}

/// One line of complaint.
fn complain(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs async work on a small runtime of its own.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}
