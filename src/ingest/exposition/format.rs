//! The two exposition formats, as a `Content-Type` announces them.

/// The `Accept` header of a scrape: OpenMetrics, else the text format, with names in UTF-8 as they
/// are. It is what Prometheus 3 sends, without protobuf.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,\
                          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// An exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4, and 1.0.0, which is the same with names in UTF-8.
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    Text,
    /// OpenMetrics 1.0 and before. <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
}

impl Format {
    /// The format a `Content-Type` announces. An unknown one is parsed as text, which most targets
    /// mean that announce nothing.
    #[must_use]
    pub fn from_content_type(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}
