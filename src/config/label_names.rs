//! `labels:`, for all sources and for one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalars::TextList;
use crate::model::event::Severity;
use crate::model::settings::LabelNames;

/// `labels:`, here and in a source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLabels {
    /// Labels that name the service.
    #[schemars(extend("default" = ["service", "app", "job"]))]
    service: Option<TextList>,
    /// Labels that give the severity.
    #[schemars(extend("default" = ["severity"]))]
    severity: Option<TextList>,
    /// Labels that name the environment.
    #[schemars(extend("default" = ["environment", "env", "stage"]))]
    environment: Option<TextList>,
    /// Custom severity words and the severity each maps to.
    #[schemars(extend("default" = {}))]
    severities: Option<BTreeMap<String, RawSeverity>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RawSeverity {
    Critical,
    Warning,
    Info,
    None,
}

impl From<RawSeverity> for Severity {
    fn from(raw: RawSeverity) -> Self {
        match raw {
            RawSeverity::Critical => Self::Critical,
            RawSeverity::Warning => Self::Warning,
            RawSeverity::Info => Self::Info,
            RawSeverity::None => Self::None,
        }
    }
}

impl RawLabels {
    /// True if it names the service labels.
    pub(crate) fn names_service(&self) -> bool {
        self.service.is_some()
    }

    /// Label names with omitted keys taken from `base`.
    pub(crate) fn with_fallback(self, base: &LabelNames) -> LabelNames {
        let names = |words: Option<TextList>, base: &[String]| {
            words.map_or_else(|| base.to_vec(), |words| words.0)
        };
        let severities = self.severities.map(|map| {
            map.into_iter()
                .map(|(word, severity)| (word.to_lowercase(), severity.into()))
                .collect()
        });
        LabelNames {
            service: names(self.service, &base.service),
            severity: names(self.severity, &base.severity),
            environment: names(self.environment, &base.environment),
            severities: severities.unwrap_or_else(|| base.severities.clone()),
            scale: base.scale.clone(),
            ignored: base.ignored.clone(),
        }
    }
}
