//! What a page must keep beyond its single lines, in either format.

use super::Format;
use super::comment::Comment;
use super::cursor::SyntaxFault;
use super::line::SampleLine;
use super::openmetrics::Metrics;
use super::text::Families;

/// The rules of a format, with what the page has said so far.
pub(crate) enum Rules {
    Text(Families),
    OpenMetrics(Box<Metrics>),
}

impl Rules {
    pub(crate) fn of(format: Format) -> Self {
        match format {
            Format::Text => Self::Text(Families::default()),
            Format::OpenMetrics => Self::OpenMetrics(Box::default()),
        }
    }

    pub(crate) fn comment(&mut self, comment: &Comment<'_>) -> Result<(), SyntaxFault> {
        match self {
            Self::Text(families) => families.comment(comment),
            Self::OpenMetrics(metrics) => metrics.comment(comment),
        }
    }

    pub(crate) fn sample(&mut self, line: &SampleLine) -> Result<(), SyntaxFault> {
        match self {
            Self::Text(families) => families.sample(line),
            Self::OpenMetrics(metrics) => metrics.sample(line),
        }
    }

    /// The page is over.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxFault> {
        match self {
            Self::Text(_) => Ok(()),
            Self::OpenMetrics(metrics) => metrics.end(),
        }
    }
}
