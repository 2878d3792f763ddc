//! `afterword run`: a command as it is, and the note at the service that somebody had to run it.
//!
//! It is typed in the middle of an outage, so that whatever is wrong with the note must not touch the command: its input, output, signals and
//! exit code pass through, and a note that cannot be made is printed as the line that makes it later.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::client;
use super::client::ClientError;
use super::{FAULTS, block_on, complain};
use crate::app::clock::Clock;
use crate::model::time::Time;

/// What a shell ends with when there is no such command, and when there is one that it may not run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;
/// What it adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;
/// The most of a command line that is told.
const SHOWN: usize = 1000;

/// A command that a person runs in place of something that should run by itself.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The service it concerns.
    #[arg(long)]
    service: String,
    /// What made it necessary.
    #[arg(long)]
    why: String,
    /// What kind of step it is: restart, failover, scale, rollback, …
    #[arg(long, default_value = "run")]
    action: String,
    /// It should need no human.
    #[arg(long)]
    should_be_automatic: bool,
    /// Tell the whole command line; without this, its program and how many arguments it had.
    #[arg(long)]
    show_arguments: bool,
    /// Who runs it; by default the user of this machine, unless that is root.
    #[arg(long, env = "AFTERWORD_ACTOR")]
    actor: Option<String>,
    /// It is an exercise.
    #[arg(long)]
    drill: bool,
    /// Address of the service.
    #[arg(long, env = "AFTERWORD_URL", default_value = "http://127.0.0.1:9099")]
    url: String,
    /// The token of `access:`, where the service asks for one.
    #[arg(long, env = "AFTERWORD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The command, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command, then tells the service; ends as the command ended.
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
    // Taken before it begins: a terminal's Ctrl-C reaches the command and this process alike, and only the command is to end by it.
    let mut caught = Caught::new();
    let mut child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(fault) => {
            // Nothing was done, so that there is nothing to note.
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
                "afterword: how the command ended cannot be told: {fault}"
            ));
            return FAULTS;
        }
        Err(_) => return FAULTS,
    };
    let note = note(asked, began, status);
    let told = tokio::select! {
        told = client::post(&asked.url, asked.token.as_deref(), "/api/v1/interventions", &note) => told.map(drop),
        () = caught.interrupted() => Err(ClientError::Unreachable("interrupted before the service answered".to_owned())),
    };
    if let Err(fault) = told {
        complain(&format!("afterword: the step is not noted: {fault}"));
        complain(&format!(
            "afterword: to note it later: {}",
            repeat(asked, &note)
        ));
    }
    code(status)
}

/// Signals that would end this process before its command, or without a word of it.
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

    /// The next one, where it is to be passed on: what a terminal sends has reached the command already, and twice is more than once.
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

/// What the service is told.
fn note(asked: &Run, began: Time, status: ExitStatus) -> Value {
    let took = (Clock::System.now() - began).num_seconds().max(0);
    let why = format!(
        "{} ({}, which ended with {} after {took}s)",
        asked.why.trim(),
        shown(asked),
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

/// The command as others may see it: arguments hold passwords and customers' names.
fn shown(asked: &Run) -> String {
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
        1 => format!("{program} with 1 argument that is not shown"),
        many => format!("{program} with {many} arguments that are not shown"),
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

/// The command line that makes the same note.
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

/// A word as a shell takes it for itself.
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
