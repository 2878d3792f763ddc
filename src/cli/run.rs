//! `afterword run`: runs a command unchanged and records it at the service as a manual
//! intervention.
//!
//! It is used in the middle of an outage, so a failing record must not affect the command: input,
//! output, signals and exit code pass through, and a record that fails is printed as a command to
//! repeat later.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::client;
use super::client::ServiceError;
use super::output::{FAULTS, block_on, complain};
use crate::app::clock::Clock;
use crate::model::time::Time;

/// Exit codes of a shell: command not found, and command not executable.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;
/// Offset a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;
/// Maximum recorded length of a command line, in characters.
const SHOWN: usize = 1000;

/// Arguments of `afterword run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Affected service.
    #[arg(long)]
    service: String,
    /// Reason for the step.
    #[arg(long)]
    why: String,
    /// Kind of step: restart, failover, scale, rollback, …
    #[arg(long, default_value = "run")]
    action: String,
    /// Mark the step as one that should be automated.
    #[arg(long)]
    should_be_automatic: bool,
    /// Record the full command line; by default only the program name and the number of arguments.
    #[arg(long)]
    show_arguments: bool,
    /// Person who runs it; by default the current user, unless that is root.
    #[arg(long, env = "AFTERWORD_ACTOR")]
    actor: Option<String>,
    /// Mark it as a drill.
    #[arg(long)]
    drill: bool,
    /// Address of the service.
    #[arg(long, env = "AFTERWORD_URL", default_value = "http://127.0.0.1:9099")]
    url: String,
    /// Access token, if the service has `access:` configured.
    #[arg(long, env = "AFTERWORD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The command, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command, then records it at the service. Returns the exit code of the command.
pub(crate) fn run(asked: &Run) -> u8 {
    match block_on(run_and_tell(asked)) {
        Ok(code) => code,
        Err(fault) => {
            complain(&format!("afterword: {fault:#}"));
            FAULTS
        }
    }
}

async fn run_and_tell(asked: &Run) -> u8 {
    let began = Clock::System.now();
    let Some((program, arguments)) = asked.command.split_first() else {
        return NOT_FOUND;
    };
    // Installed before the command starts: a terminal's Ctrl-C reaches both processes and must end only the command.
    let mut caught = Caught::new();
    let mut child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(fault) => {
            // Nothing was run, so there is nothing to record.
            complain(&format!(
                "afterword: {}: {fault}",
                program.to_string_lossy()
            ));
            return if fault.kind() == std::io::ErrorKind::NotFound {
                NOT_FOUND
            } else {
                NOT_RUN
            };
        }
    };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut ended = tokio::task::spawn_blocking(move || child.wait());
    let status = loop {
        tokio::select! {
            status = &mut ended => break status,
            signal = caught.next() => {
                if let (Some(signal), Some(pid)) = (signal, pid) {
                    // It may have ended just now.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    };
    let status = match status {
        Ok(Ok(status)) => status,
        Ok(Err(fault)) => {
            complain(&format!(
                "afterword: cannot determine the exit status of the command: {fault}"
            ));
            return FAULTS;
        }
        Err(_) => return FAULTS,
    };
    let note = note(asked, began, status);
    let outcome = tokio::select! {
        answer = client::post(&asked.url, asked.token.as_deref(), "/api/v1/interventions", &note) => answer.map(drop),
        () = caught.interrupted() => Err(ServiceError::Unreachable("interrupted before the service answered".to_owned())),
    };
    if let Err(fault) = outcome {
        complain(&format!("afterword: the step was not recorded: {fault}"));
        complain(&format!(
            "afterword: to record it later: {}",
            repeat(asked, &note)
        ));
    }
    code(status)
}

/// Handlers for the signals that would end this process before its command.
struct Caught {
    interrupt: Option<tokio::signal::unix::Signal>,
    quit: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Caught {
    fn new() -> Self {
        let caught = |kind| signal(kind).ok();
        Self {
            interrupt: caught(SignalKind::interrupt()),
            quit: caught(SignalKind::quit()),
            terminate: caught(SignalKind::terminate()),
            hangup: caught(SignalKind::hangup()),
        }
    }

    /// Waits for the next signal and returns it if it must be forwarded. A terminal delivers its
    /// own signals to the command directly, so those are not sent twice.
    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            () = one(&mut self.interrupt) => None,
            () = one(&mut self.quit) => None,
            () = one(&mut self.terminate) => Some(Signal::TERM),
            () = one(&mut self.hangup) => Some(Signal::HUP),
        }
    }

    async fn interrupted(&mut self) {
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }
}

async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(FAULTS)
}

/// Body of the intervention posted to the service.
fn note(asked: &Run, began: Time, status: ExitStatus) -> Value {
    let took = (Clock::System.now() - began).num_seconds().max(0);
    let why = format!(
        "{} ({}, exit code {} after {took}s)",
        asked.why.trim(),
        command_text(asked),
        code(status)
    );
    let mut note = Map::new();
    let fields = [
        ("service", json!(asked.service)),
        ("action", json!(asked.action)),
        ("why", json!(why)),
        (
            "at",
            json!(began.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
        ),
        (
            "should_be_automatic",
            json!(asked.should_be_automatic.then_some(true)),
        ),
        ("drill", json!(asked.drill.then_some(true))),
        ("actor", json!(actor(asked))),
    ];
    note.extend(
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value)),
    );
    Value::Object(note)
}

/// Command line for the record. Arguments are omitted by default because they may hold passwords.
fn command_text(asked: &Run) -> String {
    if asked.show_arguments {
        let words: Vec<String> = asked
            .command
            .iter()
            .map(|word| quoted(&word.to_string_lossy()))
            .collect();
        let line = words.join(" ");
        let cut: String = line.chars().take(SHOWN).collect();
        return if cut.len() < line.len() {
            format!("{cut}…")
        } else {
            line
        };
    }
    let program = asked.command.first().map(|program| {
        Path::new(program)
            .file_name()
            .unwrap_or(program)
            .to_string_lossy()
            .into_owned()
    });
    let program = program.unwrap_or_default();
    match asked.command.len().saturating_sub(1) {
        0 => program,
        1 => format!("{program} with 1 argument"),
        many => format!("{program} with {many} arguments"),
    }
}

fn actor(asked: &Run) -> Option<String> {
    let known = |name: &String| !name.is_empty() && name != "root";
    let of_machine = |variable: &str| {
        std::env::var_os(variable)
            .map(|name| name.to_string_lossy().into_owned())
            .filter(known)
    };
    asked
        .actor
        .clone()
        .or_else(|| of_machine("SUDO_USER"))
        .or_else(|| of_machine("USER"))
}

/// `afterword intervene` command line that makes the same record.
fn repeat(asked: &Run, note: &Value) -> String {
    let text = |key: &str| note.get(key).and_then(Value::as_str);
    let mut words = vec!["afterword intervene".to_owned(), quoted(&asked.action)];
    for (option, value) in [
        ("--service", text("service")),
        ("--why", text("why")),
        ("--at", text("at")),
        ("--actor", text("actor")),
    ] {
        words.extend(value.map(|value| format!("{option} {}", quoted(value))));
    }
    let flags = [
        ("--should-be-automatic", asked.should_be_automatic),
        ("--drill", asked.drill),
    ];
    words.extend(
        flags
            .iter()
            .filter(|(_, set)| *set)
            .map(|(flag, _)| (*flag).to_owned()),
    );
    words.push(format!("--url {}", quoted(&asked.url)));
    words.join(" ")
}

/// Quotes a word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty()
        && word
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&letter));
    if plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [
            ("restart", "restart"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
