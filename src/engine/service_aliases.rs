//! Service aliases: the names that sources use for services.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::settings::Service;

/// The names by which sources call services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAliases {
    /// By source, then name.
    by_source: BTreeMap<String, BTreeMap<String, Arc<str>>>,
    /// By name alone, at any source.
    anywhere: BTreeMap<String, Arc<str>>,
}

impl ServiceAliases {
    /// The aliases of these services; `sources` are pairs of name and scheme.
    ///
    /// An alias `scheme:word` maps `word` at the source of that name and at sources of that
    /// scheme. As a whole, an alias holds at every source.
    #[must_use]
    pub fn new(services: &[Service], sources: &[(&str, &str)]) -> Self {
        let mut aliases = Self::default();
        for service in services {
            let name: Arc<str> = service.name.as_str().into();
            for alias in &service.aliases {
                aliases
                    .anywhere
                    .entry(alias.clone())
                    .or_insert_with(|| Arc::clone(&name));
                let Some((scheme, word)) = alias.split_once(':') else {
                    continue;
                };
                let of_kind = sources
                    .iter()
                    .filter(|(_, of)| *of == scheme)
                    .map(|(source, _)| *source);
                for source in of_kind.chain([scheme]) {
                    aliases
                        .by_source
                        .entry(source.to_owned())
                        .or_default()
                        .entry(word.to_owned())
                        .or_insert_with(|| Arc::clone(&name));
                }
            }
        }
        aliases
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.anywhere.is_empty()
    }

    /// The service that `source` calls by that name.
    pub(crate) fn service(&self, source: &str, name: &str) -> Option<&Arc<str>> {
        self.by_source
            .get(source)
            .and_then(|names| names.get(name))
            .or_else(|| self.anywhere.get(name))
    }
}
