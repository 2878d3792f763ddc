//! Maintenance windows: those in the settings, and those reported by sources.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::core::Core;
use crate::model::event::{Event, Fact};
use crate::model::id::Subject;
use crate::model::time::Time;
use crate::store::error::StoreError;

/// A window of planned work that never counts as degradation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PlannedWindow {
    /// Service; `None`: all.
    pub service: Option<String>,
    /// First instant.
    pub from: Time,
    /// First instant after it.
    pub to: Time,
    /// Purpose.
    pub why: String,
    /// Origin: `settings`, or the name of a source.
    pub source: String,
}

/// Windows that did not end long ago, by start; cancelled ones are left out. Blocks.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn windows(core: &Core) -> Result<Vec<PlannedWindow>, StoreError> {
    let settings = core.settings();
    let mut last: BTreeMap<Subject, Event> = BTreeMap::new();
    last.extend(
        core.store
            .planned()?
            .into_iter()
            .map(|event| (event.subject, event)),
    );
    let told = last.into_values().filter_map(|event| match event.fact {
        Fact::Maintenance(window) if window.to > window.from => Some(PlannedWindow {
            service: event.service.as_deref().map(str::to_owned),
            from: window.from,
            to: window.to,
            why: window.why,
            source: event.source.to_string(),
        }),
        _ => None,
    });
    let named = settings
        .config
        .maintenance
        .iter()
        .map(|window| PlannedWindow {
            service: window.service.clone(),
            from: window.from,
            to: window.to,
            why: window.why.clone(),
            source: "settings".to_owned(),
        });
    let mut all: Vec<PlannedWindow> = named.chain(told).collect();
    all.sort_by(|one, other| (one.from, &one.service).cmp(&(other.from, &other.service)));
    Ok(all)
}
