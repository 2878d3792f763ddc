//! Planned work: what the settings name, and what was told of since.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::App;
use crate::model::event::{Event, Fact};
use crate::model::id::Subject;
use crate::model::time::Time;
use crate::store::error::StoreError;

/// Planned work that never counts as degradation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The service; `None`: all.
    pub service: Option<String>,
    /// Its first instant.
    pub from: Time,
    /// The first instant after it.
    pub to: Time,
    /// What is done.
    pub why: String,
    /// Who told of it: `settings`, or the name of a source.
    pub source: String,
}

impl App {
    /// The planned work that is not long over, in the order in which it begins; what was called off is left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn planned(&self) -> Result<Vec<Planned>, StoreError> {
        let settings = self.settings();
        let mut last: BTreeMap<Subject, Event> = BTreeMap::new();
        last.extend(
            self.store
                .planned()?
                .into_iter()
                .map(|event| (event.subject, event)),
        );
        let told = last.into_values().filter_map(|event| match event.fact {
            Fact::Maintenance(window) if window.to > window.from => Some(Planned {
                service: event.service.as_deref().map(str::to_owned),
                from: window.from,
                to: window.to,
                why: window.why,
                source: event.source.to_string(),
            }),
            _ => None,
        });
        let named = settings.config.maintenance.iter().map(|window| Planned {
            service: window.service.clone(),
            from: window.from,
            to: window.to,
            why: window.why.clone(),
            source: "settings".to_owned(),
        });
        let mut all: Vec<Planned> = named.chain(told).collect();
        all.sort_by(|one, other| (one.from, &one.service).cmp(&(other.from, &other.service)));
        Ok(all)
    }
}
