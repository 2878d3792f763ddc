//! What the buckets, the count and the sum of one histogram of OpenMetrics must agree on.

use crate::model::labels::Labels;

use super::line::SampleLine;
use super::number;

/// The histogram being read; between metrics, none.
#[derive(Default)]
pub(crate) struct Histogram {
    /// Its labels without `le`, and its time.
    of: Option<(Labels, Option<f64>)>,
    /// The last bucket's bound and value.
    bucket: Option<(f64, f64)>,
    /// `_count` or `_gcount`.
    count: Option<f64>,
    /// `_sum`, which only grows.
    has_sum: bool,
    /// `_gsum`, which may fall.
    gauge_sum: Option<f64>,
    has_negative_bounds: bool,
}

impl Histogram {
    /// Takes in one of its samples, or begins the next with it.
    pub(crate) fn sample(
        &mut self,
        group: &Labels,
        seconds: Option<f64>,
        suffix: &str,
        line: &SampleLine,
    ) -> Result<(), String> {
        let is_same = self
            .of
            .as_ref()
            .is_some_and(|(labels, time)| labels == group && *time == seconds);
        if !is_same {
            std::mem::take(self).end()?;
            self.of = Some((group.clone(), seconds));
        }
        match suffix {
            "_bucket" => {
                let bound = line
                    .labels
                    .get("le")
                    .and_then(|text| number::float(text.as_bytes()))
                    .unwrap_or(f64::INFINITY);
                if let Some((last_bound, last_value)) = self.bucket
                    && (bound <= last_bound || line.value < last_value)
                {
                    return Err(
                        "this bucket is below the one above. Expected buckets in order of le, with values that do not fall".to_owned()
                    );
                }
                self.bucket = Some((bound, line.value));
                self.has_negative_bounds |= bound < 0.0;
            }
            "_count" | "_gcount" => self.count = Some(line.value),
            "_sum" => self.has_sum = true,
            "_gsum" => self.gauge_sum = Some(line.value),
            _ => {}
        }
        Ok(())
    }

    /// It is over: what was still to come did not come.
    pub(crate) fn end(self) -> Result<(), String> {
        if self.of.is_none() {
            return Ok(());
        }
        let total = self
            .bucket
            .filter(|(bound, _)| *bound == f64::INFINITY)
            .map(|(_, value)| value);
        let has_sum = self.has_sum || self.gauge_sum.is_some();
        let fault = if total.is_none() {
            "the histogram above has no last bucket. Expected one with le=\"+Inf\""
        } else if self.count.is_some_and(|count| Some(count) != total) {
            "the count of the histogram above is not its last bucket's. Expected the same"
        } else if self.count.is_some() != has_sum {
            "the histogram above has a sum or a count alone. Expected both or none"
        } else if self.has_negative_bounds && self.has_sum {
            "the histogram above counts what is negative and has a _sum, which only grows. Expected no _sum"
        } else if !self.has_negative_bounds && self.gauge_sum.is_some_and(|sum| sum < 0.0) {
            "the histogram above has a negative _gsum and no bucket for what is negative. Expected such a bucket"
        } else {
            return Ok(());
        };
        Err(fault.to_owned())
    }
}
