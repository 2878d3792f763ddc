//! Settings in force: reads the files they name, resolves secrets, and refuses what has faults.

mod doubts;
pub(crate) mod files;
pub(crate) mod named_values;
pub(crate) mod secrets;
pub(crate) mod source_parsers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::named_values::NamedValues;
use super::conditions::sample_filter;
use super::conditions::sample_filter::SampleFilter;
use crate::clients::credentials::ServerAccess;
use crate::config;
use crate::config::credentials::SecretRef;
use crate::config::metrics;
use crate::config::settings::Config;
use crate::config::storage::Storage;
use crate::engine::policy::Policy;
use crate::engine::service_aliases::ServiceAliases;
use crate::ingest::auth::Authentication;
use crate::ingest::dispatch::SourceParser;
use crate::ingest::generic::mapping::Mapping;
use crate::model::directory::Directory;
use crate::model::event::{AppliedSettings, Event, Fact, RuleFile};
use crate::model::fault::Fault;
use crate::model::id::hex;
use crate::rules;
use crate::rules::rule_set::RuleSet;
use crate::store::database::DatabaseLocation;
use crate::store::postgresql::PostgresAddress;

/// The settings in force, with everything they refer to.
#[derive(Debug)]
pub struct Settings {
    /// The settings file's content.
    pub config: Config,
    /// Policy of the engine, compiled from the rules and the settings.
    pub policy: Policy,
    /// Authentication of each source, by name.
    pub proofs: BTreeMap<String, Authentication>,
    /// Parser of each source, by name.
    pub readers: BTreeMap<String, SourceParser>,
    /// Mapping for CloudEvents that are sent to no named source.
    pub cloudevents: Option<Mapping>,
    /// Credentials and TLS for the servers of each `metrics:` entry that fetches samples.
    pub metrics_access: BTreeMap<String, ServerAccess>,
    /// Credentials and TLS for the APIs of sources that are polled.
    pub api_access: BTreeMap<String, ServerAccess>,
    /// Authentication of remote-write senders, by the entry's name.
    pub pushes: BTreeMap<String, Authentication>,
    /// Series selected by the conditions of each `metrics:` entry, by its name.
    pub asked: BTreeMap<String, SampleFilter>,
    /// Warnings about the rules; they do not prevent loading.
    pub warnings: Vec<Fault>,
    /// Authentication of clients outside this machine; `None`: loopback only.
    pub access: Option<Authentication>,
    /// Location of the database.
    pub place: DatabaseLocation,
    /// All of it as text, for the log.
    pub logged: AppliedSettings,
    /// The settings file; `None`: the defaults.
    pub file: Option<PathBuf>,
}

impl Settings {
    /// Reads the settings file, or takes the defaults, and everything that it refers to.
    ///
    /// # Errors
    /// Every fault found, in any of the files.
    pub fn load(file: Option<&Path>) -> Result<Self, Vec<Fault>> {
        let (config, text) = match file {
            None => (Config::default(), String::new()),
            Some(path) => {
                let text = files::read(path).map_err(|fault| vec![fault])?;
                (
                    config::parse::parse(&path.display().to_string(), &text)?,
                    text,
                )
            }
        };
        let base = files::directory_of(file);
        let named = NamedValues::new(file.unwrap_or(&base), &text);
        let files = files::rule_files(&base, &config.rules, &config.labels.scale, &named)?;
        let rules = rules::parse::load_for(&files, &config.labels.scale)?;
        Self::put_together(config, rules, &files, file, &text)
    }

    fn put_together(
        config: Config,
        rules: RuleSet,
        files: &[(String, String)],
        file: Option<&Path>,
        text: &str,
    ) -> Result<Self, Vec<Fault>> {
        let base = files::directory_of(file);
        let values = NamedValues::new(file.unwrap_or(&base), text);
        let named = secrets::Place::new(base.clone(), values.clone());
        let mut faults = Vec::new();
        let mut proofs = BTreeMap::new();
        for source in &config.sources {
            let proof = named.source(source).map_err(|fault| faults.push(fault));
            proofs.extend(proof.map(|proof| (source.name.clone(), proof)));
        }
        let readers = source_parsers::readers(
            &config,
            &file
                .map(|file| file.display().to_string())
                .unwrap_or_default(),
            &mut faults,
        );
        let cloudevents = source_parsers::cloudevents(&mut faults);
        let (mut metrics_access, mut pushes) = (BTreeMap::new(), BTreeMap::new());
        for entry in &config.metrics {
            if let metrics::MetricsKind::RemoteWrite(auth) = &entry.kind {
                let proof = named.proof(auth).map_err(|fault| faults.push(fault));
                pushes.extend(proof.map(|proof| (entry.name.clone(), proof)));
            }
            let shown = named
                .metrics_access(entry)
                .map_err(|fault| faults.push(fault));
            metrics_access.extend(
                shown
                    .ok()
                    .flatten()
                    .map(|shown| (entry.name.clone(), shown)),
            );
        }
        let mut api_access = BTreeMap::new();
        for source in &config.sources {
            let shown = named.api_access(source).map_err(|fault| faults.push(fault));
            api_access.extend(
                shown
                    .ok()
                    .flatten()
                    .map(|shown| (source.name.clone(), shown)),
            );
        }
        let mut secret = |secret| {
            named
                .all(secret)
                .map_err(|fault| faults.push(fault))
                .unwrap_or_default()
        };
        let access = config
            .access
            .as_ref()
            .map(|access| Authentication::Bearer(secret(&access.token)));
        let place = match &config.storage {
            Storage::Sqlite(path) => DatabaseLocation::Sqlite(PathBuf::from(path)),
            Storage::Postgres { url, password } => {
                let password = password
                    .as_ref()
                    .map(|password| secret(password).into_iter().next().unwrap_or_default());
                DatabaseLocation::Postgres(PostgresAddress {
                    url: url.clone(),
                    password,
                })
            }
        };
        if let (Storage::Postgres { url, .. }, DatabaseLocation::Postgres(address)) =
            (&config.storage, &place)
            && let Err(fault) = address.check()
        {
            faults.push(values.fault("storage", url, fault.to_string()));
        }
        let (unfit, mut warnings) = sample_filter::faults(&rules.conditions, &config.metrics);
        faults.extend(unfit);
        warnings.extend(doubts::doubts(&config, &rules, &values, &base));
        if !faults.is_empty() {
            return Err(faults);
        }
        let asks = |entry: &metrics::MetricsSource| {
            SampleFilter::from_conditions(
                rules
                    .conditions
                    .iter()
                    .filter(|rule| rule.metrics == entry.name),
            )
        };
        let asked = config
            .metrics
            .iter()
            .map(|entry| (entry.name.clone(), asks(entry)))
            .collect();
        let file_of = |(name, text): &(String, String)| RuleFile {
            name: name.clone(),
            text: text.clone(),
        };
        Ok(Self {
            policy: in_force(rules, &config),
            config,
            proofs,
            readers,
            cloudevents,
            metrics_access,
            api_access,
            pushes,
            asked,
            warnings,
            access,
            place,
            logged: AppliedSettings {
                hash: hex(&hash_input(files, text), 16),
                text: text.to_owned(),
                rules: files.iter().map(file_of).collect(),
            },
            file: file.map(Path::to_owned),
        })
    }

    /// A path for data: relative ones start at the working directory, as Prometheus's storage does. Rules and secrets
    /// are found beside the settings file.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(path)
    }
}

/// Each source with the words that aliases may use for its kind.
fn schemes(config: &Config) -> Vec<(&str, &str)> {
    let words = |source: &config::sources::Source| {
        source
            .kind
            .words()
            .iter()
            .flat_map(|word| [*word, word.trim_end_matches("_audit")])
    };
    config
        .sources
        .iter()
        .flat_map(|source| words(source).map(|word| (source.name.as_str(), word)))
        .collect()
}

/// Builds the engine's policy from rules and settings.
#[must_use]
pub fn in_force(rules: RuleSet, config: &Config) -> Policy {
    Policy::new(rules, &config.services, &config.maintenance)
        .with_limits(config.limits)
        .with_people(Directory::new(&config.people, &config.robots))
        .with_aliases(ServiceAliases::new(&config.services, &schemes(config)))
        .with_severities(config.labels.scale.clone())
}

/// The last settings applied by these events, if any.
#[must_use]
pub fn put_in_force(events: &[Event]) -> Option<&AppliedSettings> {
    events.iter().rev().find_map(|event| {
        if let Fact::Settings(fact) = &event.fact {
            Some(fact)
        } else {
            None
        }
    })
}

/// Compiles the policy that a log record applied.
///
/// # Errors
/// Every fault, if this version does not accept settings that the writing version did.
pub fn as_logged(fact: &AppliedSettings) -> Result<Policy, Vec<Fault>> {
    let name = "the settings in the log";
    if fact.rules.is_empty() {
        let message =
            "they were logged by an earlier version, which kept rules and settings in one text; this version cannot replay them".to_owned();
        return Err(vec![Fault {
            file: name.to_owned(),
            line: 1,
            column: 1,
            message,
        }]);
    }
    let config = if fact.text.is_empty() {
        Config::default()
    } else {
        config::parse::parse(name, &fact.text)?
    };
    let files: Vec<(String, String)> = fact
        .rules
        .iter()
        .map(|file| (file.name.clone(), file.text.clone()))
        .collect();
    let rules = rules::parse::load_for(&files, &config.labels.scale)?;
    Ok(in_force(rules, &config))
}

/// The rules and settings as one text.
fn hash_input(files: &[(String, String)], text: &str) -> String {
    let rules = files
        .iter()
        .map(|(name, text)| format!("# {name}\n{text}\n"));
    rules.chain([text.to_owned()]).collect()
}

/// Hash of the current contents of the settings and rule files, as they would be logged if loaded.
/// `None` if the settings were read from no file.
pub(crate) fn fingerprint(settings: &Settings) -> Option<String> {
    let file = settings.file.as_deref()?;
    let told = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect::<String>();
    let text = match files::read(file) {
        Ok(text) => text,
        Err(fault) => return Some(fault.to_string()),
    };
    // New settings may name other rules. While they are faulty, their text alone is what a person is working on.
    let (globs, scale) = config::parse::parse("", &text).map_or_else(
        |_| {
            let config = &settings.config;
            (config.rules.clone(), config.labels.scale.clone())
        },
        |config| (config.rules, config.labels.scale),
    );
    let named = NamedValues::new(file, &text);
    Some(
        match files::rule_files(&files::directory_of(Some(file)), &globs, &scale, &named) {
            Ok(files) => hex(&hash_input(&files, &text), 16),
            Err(faults) => format!("{} {}", told(faults), hex(&text, 16)),
        },
    )
}

impl Settings {
    /// Refuses new settings that differ in what only a restart can change.
    ///
    /// # Errors
    /// A fault for each such key.
    pub(crate) fn may_become(&self, settings: Self) -> Result<Self, Vec<Fault>> {
        let (old, new) = (&self.config, &settings.config);
        let named = [
            ("listen", old.listen == new.listen),
            ("storage", old.storage == new.storage),
        ];
        let file = self.file.clone().unwrap_or_default();
        let faults: Vec<Fault> = named
            .iter()
            .filter(|(_, same)| !same)
            .map(|(key, _)| {
                files::fault(
                    &file,
                    format!("`{key}` cannot change while the service runs; restart it"),
                )
            })
            .collect();
        if faults.is_empty() {
            Ok(settings)
        } else {
            Err(faults)
        }
    }
}

impl Settings {
    /// The address of a calendar that is a secret; `webcal` is the web. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn address(&self, secret: &SecretRef) -> Result<String, Fault> {
        let address =
            secrets::Place::beside(self.file.as_deref(), &self.logged.text).first(secret)?;
        Ok(address
            .strip_prefix("webcal://")
            .map_or(address.clone(), |rest| format!("https://{rest}")))
    }

    /// Reloads the credentials for the servers of a `metrics:` entry, whose tokens may be rotated
    /// in place. `None`: no such entry, or one that fetches nothing. Blocks.
    ///
    /// # Errors
    /// When a secret is missing or unusable.
    pub fn reload_metrics_access(&self, name: &str) -> Result<Option<ServerAccess>, Fault> {
        let named = self
            .config
            .metrics
            .iter()
            .find(|metrics| metrics.name == name);
        named.map_or(Ok(None), |metrics| {
            secrets::Place::beside(self.file.as_deref(), &self.logged.text).metrics_access(metrics)
        })
    }

    /// Reloads the credentials for the API of a polled source. Blocks.
    ///
    /// # Errors
    /// When a secret is missing or unusable.
    pub fn reload_api_access(&self, name: &str) -> Result<Option<ServerAccess>, Fault> {
        let named = self
            .config
            .sources
            .iter()
            .find(|source| source.name == name);
        named.map_or(Ok(None), |source| {
            secrets::Place::beside(self.file.as_deref(), &self.logged.text).api_access(source)
        })
    }
}
