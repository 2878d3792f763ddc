//! Snapshot tests of the sources: every file of `tests/payloads/KIND/` is parsed by the source of
//! that kind, and the events are compared with the snapshot beside it.
//!
//! `NAME.json` (or another extension) is a body, `NAME.headers` its relevant headers, one per line,
//! and `NAME.snap` the expected events. `source.yaml` holds further keys of the source's settings
//! entry, `settings.yaml` further sections. `INSTA_UPDATE=always` writes the snapshots.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use afterword::app::settings::Settings;
use afterword::ingest::message::{Headers, Message};
use afterword::ingest::reading::{Reading, Reported, Start};
use afterword::model::time::Time;

use super::harness::{World, repository};

/// When every message comes.
const NOW: &str = "2026-11-23T12:00:00Z";

/// A body with what came beside it, and the settings of a source that sends such ones.
pub(crate) struct Payload {
    /// `KIND/NAME`
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) settings: Rc<Settings>,
}

/// All of them.
pub(crate) fn payloads() -> Vec<Payload> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
    let mut found = Vec::new();
    for directory in listed(&all).into_iter().filter(|path| path.is_dir()) {
        let settings = Rc::new(settings(&directory));
        let kind = directory
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let beside_bodies = |file: &PathBuf| {
            let ending = file
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            matches!(ending.as_str(), "snap" | "headers" | "yaml" | "md" | "new")
        };
        for file in listed(&directory)
            .into_iter()
            .filter(|file| !beside_bodies(file))
        {
            let name = format!("{kind}/{}", file.file_stem().unwrap().to_string_lossy());
            let (body, headers, settings) = (
                std::fs::read(&file).unwrap(),
                beside(&file),
                Rc::clone(&settings),
            );
            found.push(Payload {
                name,
                file,
                body,
                headers,
                settings,
            });
        }
    }
    assert!(!found.is_empty(), "no payloads in {}", all.display());
    found
}

/// The one of that name, `KIND/NAME`.
pub(crate) fn payload(name: &str) -> Payload {
    payloads()
        .into_iter()
        .find(|payload| payload.name == name)
        .unwrap_or_else(|| panic!("no payload {name}"))
}

/// The settings with one source of a kind, as its payloads are read.
pub(crate) fn settings_of(kind: &str) -> Settings {
    settings(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/payloads")
            .join(kind),
    )
}

#[test]
fn every_payload_matches_its_snapshot() {
    for payload in payloads() {
        let told = told(&payload.settings, &payload.body, &payload.headers);
        insta::with_settings!({
            snapshot_path => payload.file.parent().unwrap(),
            prepend_module_to_snapshot => false,
            omit_expression => true,
            description => format!("what {} says", payload.name),
        }, { insta::assert_snapshot!(payload.file.file_stem().unwrap().to_string_lossy().into_owned(), told) });
    }
}

/// The settings with one source of the kind that the directory is named after.
fn settings(directory: &Path) -> Settings {
    let kind = directory
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let rest = std::fs::read_to_string(directory.join("settings.yaml")).unwrap_or_default();
    let text = format!("{rest}sources:\n{}", source_entry("source", &kind));
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("afterword.yaml");
    std::fs::write(&file, text).unwrap();
    Settings::load(Some(&file))
        .unwrap_or_else(|faults| panic!("{}: {faults:?}", directory.display()))
}

/// An entry of `sources:` without authentication, as the payloads of the kind need it.
fn source_entry(name: &str, kind: &str) -> String {
    let file = repository()
        .join("tests/payloads")
        .join(kind)
        .join("source.yaml");
    let more = std::fs::read_to_string(file).unwrap_or_default();
    let more: String = more.lines().map(|line| format!("    {line}\n")).collect();
    format!("  - name: {name}\n    kind: {kind}\n    auth: none\n{more}")
}

/// A service with a source of each kind, named after it.
pub(crate) fn world_with_sources<'k>(kinds: impl IntoIterator<Item = &'k str>) -> World {
    let mut world = World::new();
    let mut text = format!("listen: 127.0.0.1:{}\nsources:\n", world.port);
    for kind in kinds {
        text.push_str(&source_entry(&kind.replace('_', "-"), kind));
    }
    world.write("afterword.yaml", &text);
    world.start();
    world
}

impl Payload {
    /// The directory that it is in.
    pub(crate) fn kind(&self) -> &str {
        self.name.split('/').next().unwrap()
    }

    /// Posts it to the source of its kind, which takes it.
    pub(crate) fn post(&self, world: &World) {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = std::str::from_utf8(&self.body).unwrap();
        let path = format!("/ingest/{}", self.kind().replace('_', "-"));
        let answer = world.http.try_post(&path, body, &headers).unwrap();
        assert_eq!(answer.status, 200, "{}: {}", self.name, answer.body);
    }
}

/// What came beside the body in a file.
fn beside(file: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file.with_extension("headers")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect()
}

fn told(settings: &Settings, body: &[u8], headers: &[(String, String)]) -> String {
    let headers: Headers<'_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let names = settings.config.sources[0]
        .labels
        .as_ref()
        .unwrap_or(&settings.config.labels);
    let now: Time = NOW.parse().unwrap();
    let message = Message {
        source: "source",
        headers: &headers,
        body,
        names,
        now,
    };
    match afterword::ingest::dispatch::read(&settings.readers["source"], &message, &mut |_| false) {
        Ok(reading) => shown(&reading),
        Err(fault) => format!("fault: {fault}"),
    }
}

/// The reading, an event a paragraph, without what only repeats it.
fn shown(reading: &Reading) -> String {
    let mut text = String::new();
    for event in reading.events() {
        let mut value = serde_json::to_value(event).unwrap();
        let event = value.as_object_mut().unwrap();
        event.remove("id");
        event.remove("source");
        let _ = writeln!(text, "{}", serde_json::to_string_pretty(&value).unwrap());
    }
    for fault in &reading.faults {
        let _ = writeln!(text, "fault: {fault}");
    }
    for (what, count) in [
        ("leases", count(reading, |report| report.lease.is_some())),
        (
            "unstarted",
            count(reading, |report| report.start == Start::Guessed),
        ),
        ("if on", count(reading, |report| report.only_if_firing)),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{what}: {count}");
        }
    }
    if reading.truncated > 0 {
        let _ = writeln!(text, "left out by the sender: {}", reading.truncated);
    }
    if let Some(reply) = &reading.reply {
        let _ = writeln!(text, "reply ({}): {}", reply.media_type, reply.body);
    }
    if let Some(address) = &reading.confirm {
        let _ = writeln!(text, "to confirm: {address}");
    }
    if text.is_empty() {
        "nothing\n".to_owned()
    } else {
        text
    }
}

fn count(reading: &Reading, has: fn(&Reported) -> bool) -> usize {
    reading.reports.iter().filter(|report| has(report)).count()
}

fn listed(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}
