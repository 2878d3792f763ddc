//! `samples:` of a scenario: results of a condition's query, in the notation of promtool's unit
//! tests.

use crate::model::fault::Fault;
use crate::model::labels::Labels;
use crate::rules::scenario::event::{ScenarioSample, ScenarioSamples};
use crate::yaml::scalar::Spanned;

/// Maximum number of values, since a few letters could otherwise fill the memory.
const MOST_VALUES: usize = 10_000;

/// The parts of `samples:` other than `at`.
pub(crate) struct SeriesValues {
    pub(crate) condition: String,
    pub(crate) values: Spanned<String>,
    pub(crate) labels: Labels,
}

/// Parses one entry of samples that begins at `at` and is in `line`.
pub(crate) fn read(
    file: &str,
    at: crate::rules::seconds::Seconds,
    line: u64,
    given: SeriesValues,
) -> Result<ScenarioSamples, Fault> {
    let SeriesValues {
        condition,
        values: text,
        labels,
    } = given;
    let mut values = Vec::new();
    let mut offset = 0;
    for word in text.value.split(char::is_whitespace) {
        if !word.is_empty() {
            let fault = |message| text.place(offset).fault(file, message);
            expand(word, &mut values).map_err(fault)?;
        }
        offset += word.chars().count() + 1;
    }
    if values.is_empty() {
        return Err(text.position.fault(
            file,
            "`values` is empty; write for example \"0x3 0.03x40 _x2 stale 0\"",
        ));
    }
    Ok(ScenarioSamples {
        at,
        line,
        condition,
        labels,
        values,
    })
}

/// Appends the values of one word: `a`, `axN`, `a+bxN`, `a-bxN`, `_`, `_xN` or `stale`. As in
/// promtool, `xN` repeats a value N more times.
fn expand(word: &str, values: &mut Vec<ScenarioSample>) -> Result<(), String> {
    let bad = || {
        format!(
            "{word:?} is not a value; write a number, `axN`, `a+bxN`, `a-bxN`, `_`, `_xN` or `stale`"
        )
    };
    if word == "stale" {
        return add(word, values, 1, |_| ScenarioSample::Stale);
    }
    if let Some(rest) = word.strip_prefix('_') {
        let times = if rest.is_empty() {
            1
        } else {
            times(rest).ok_or_else(bad)?
        };
        return add(word, values, times, |_| ScenarioSample::Gap);
    }
    let (first, rest) = number(word).ok_or_else(bad)?;
    if rest.is_empty() {
        return add(word, values, 1, |_| ScenarioSample::Value(first));
    }
    let (step, rest) = if rest.starts_with('x') {
        (0.0, rest)
    } else {
        number(rest)
            .filter(|_| rest.starts_with(['+', '-']))
            .ok_or_else(bad)?
    };
    let more = times(rest).ok_or_else(bad)?;
    // Added one by one as in promtool, so that rounding errors are the same.
    let mut next = first;
    add(word, values, more.saturating_add(1), |place| {
        if place > 0 {
            next += step;
        }
        ScenarioSample::Value(next)
    })
}

fn add(
    word: &str,
    values: &mut Vec<ScenarioSample>,
    count: usize,
    value: impl FnMut(usize) -> ScenarioSample,
) -> Result<(), String> {
    if count > MOST_VALUES.saturating_sub(values.len()) {
        return Err(format!(
            "with {word:?} the samples exceed {MOST_VALUES} values"
        ));
    }
    values.extend((0..count).map(value));
    Ok(())
}

/// Parses `xN`. A number too large for the type exceeds the maximum anyway.
fn times(text: &str) -> Option<usize> {
    let digits = text
        .strip_prefix('x')
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(digits.parse().unwrap_or(usize::MAX))
}

/// A decimal number, `Inf` or `NaN` at the start, and the remaining text. Never hexadecimal: `0x3`
/// is four times 0.
fn number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = text.len() - unsigned.len();
    let word = unsigned
        .get(..3)
        .filter(|word| ["inf", "nan"].contains(&word.to_ascii_lowercase().as_str()));
    let length = match word {
        Some(word) => word.len(),
        None => decimal(unsigned),
    };
    let (number, rest) = text.split_at(sign + length);
    Some((number.parse().ok()?, rest))
}

/// Length in bytes of the decimal number at the start of `text`: digits, a point, and an exponent.
fn decimal(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end += 1 + digits(end + 1);
    }
    if let Some(exponent) = text[end..].strip_prefix(['e', 'E']) {
        let from = end + 1 + usize::from(exponent.starts_with(['+', '-']));
        let length = digits(from);
        if length > 0 {
            end = from + length;
        }
    }
    end
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::{MOST_VALUES, ScenarioSample, expand};

    fn values(text: &str) -> Result<Vec<ScenarioSample>, String> {
        let mut values = Vec::new();
        text.split_whitespace()
            .try_for_each(|word| expand(word, &mut values))
            .map(|()| values)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let values = values(text).unwrap_or_else(|fault| panic!("{fault}"));
        let words: Vec<String> = values
            .iter()
            .map(|sample| match sample {
                ScenarioSample::Value(value) => value.to_string(),
                ScenarioSample::Gap => "_".to_owned(),
                ScenarioSample::Stale => "stale".to_owned(),
            })
            .collect();
        assert_eq!(words.join(" "), expected, "{text}");
    }

    /// The first four are the examples of Prometheus's page on unit tests for rules.
    #[test]
    fn the_notation_is_that_of_promtool() {
        check("-2+4x3", "-2 2 6 10");
        check("1-2x4", "1 -1 -3 -5 -7");
        check("1x4", "1 1 1 1 1");
        check("1 _x3 stale", "1 _ _ _ stale");
        check(
            "0x3 0.03x2 _x2 stale 0",
            "0 0 0 0 0.03 0.03 0.03 _ _ stale 0",
        );
        check("1x0 _x0 _ 5", "1 _ 5");
        check("0.1+0.1x2", "0.1 0.2 0.30000000000000004");
        check("1e2 1E-1x1 1e+1-1e0x2 .5 5.", "100 0.1 0.1 10 9 8 0.5 5");
        check(
            "Inf -inf +Inf NaN NaNx1 inf-1x1",
            "inf -inf inf NaN NaN NaN inf inf",
        );
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in [
            "x3", "1x", "1x-3", "1x1.5", "1+x3", "1+2", "1+2y3", "one", "_3", "__", "_x",
            "stalex2", "0x1f", "1,2", "1e", "--1", ".", "ünx", "1ä",
        ] {
            let fault = values(text).unwrap_err();
            assert!(fault.contains("is not a value"), "{text}: {fault}");
        }
    }

    #[test]
    fn no_more_than_a_bounded_number_of_values_is_held() {
        assert_eq!(
            values(&format!("1x{}", MOST_VALUES - 1)).map(|values| values.len()),
            Ok(MOST_VALUES)
        );
        assert_eq!(
            values(&format!("_x{MOST_VALUES}")).map(|values| values.len()),
            Ok(MOST_VALUES)
        );
        for text in [
            "1x10000",
            "_x10001",
            "_x10000 1",
            "1x9999 stale",
            "1x18446744073709551615",
            "_x99999999999999999999999",
        ] {
            assert!(
                values(text).unwrap_err().contains("exceed 10000 values"),
                "{text}"
            );
        }
    }
}
