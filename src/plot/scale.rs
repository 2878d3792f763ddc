//! Axis scales: round tick positions and their labels.

use super::clip::instant;
use super::text;

/// Maximum intervals on the value axis.
const INTERVALS: f64 = 5.0;
/// Zero is part of the axis unless all values are this far from it, as a fraction of the largest:
/// they would be flattened.
pub(crate) const FAR: f64 = 0.8;
const PREFIXES: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
/// Tick intervals below a day, in seconds.
const STEPS: [i64; 17] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
];
const DAY: i64 = 86_400_000;

/// Value axis.
pub(crate) struct Values {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Ticks from `low` to `high`, both included.
    pub(crate) ticks: Vec<(f64, String)>,
}

/// Builds an axis that covers both values.
pub(crate) fn values(low: f64, high: f64) -> Values {
    let (mut low, mut high) = (low.min(high), high.max(low));
    if low > 0.0 && (low < FAR * high || low == high) {
        low = 0.0;
    } else if high < 0.0 && (high > FAR * low || low == high) {
        high = 0.0;
    }
    let size = low.abs().max(high.abs());
    if size == 0.0 {
        high = 1.0;
    } else if high - low < size * 1e-3 {
        // Closer than this, the labels would need more digits than there is room for.
        let middle = low + (high - low) / 2.0;
        (low, high) = (middle - size * 5e-4, middle + size * 5e-4);
    }
    let least = ((high - low) / INTERVALS).log10().floor() as i32;
    for exponent in least.. {
        for leading in [1.0, 2.0, 5.0] {
            let step = scaled(leading, exponent);
            // A quotient that is whole but for its last bit is whole.
            let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
            if last - first <= INTERVALS {
                let largest = scaled(first.abs().max(last.abs()) * leading, exponent);
                let tick = |place: i64| {
                    let times = place as f64 * leading;
                    (scaled(times, exponent), label(times, exponent, largest))
                };
                return Values {
                    low: scaled(first * leading, exponent),
                    high: scaled(last * leading, exponent),
                    ticks: (first as i64..=last as i64).map(tick).collect(),
                };
            }
        }
    }
    Values {
        low,
        high,
        ticks: Vec::new(),
    }
}

/// Computes `number * 10^exponent`, rounded once.
fn scaled(number: f64, exponent: i32) -> f64 {
    if exponent < 0 {
        number / 10f64.powi(-exponent)
    } else {
        number * 10f64.powi(exponent)
    }
}

/// Formats `number * 10^exponent` with the digits that an axis up to `largest` needs.
fn label(number: f64, exponent: i32, largest: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let size = largest.log10().floor() as i32;
    let (shift, unit) = match size {
        -3..=3 => (0, String::new()),
        4..=20 => (size / 3 * 3, PREFIXES[(size / 3 - 1) as usize].to_owned()),
        _ => (size, format!("e{size}")),
    };
    let digits = (shift - exponent).max(0) as usize;
    format!("{:.digits$}{unit}", scaled(number, exponent - shift))
}

/// Ticks of the time axis between two instants in milliseconds, `length` font sizes long: round
/// instants with their labels.
pub(crate) fn times(from: i64, to: i64, length: f64) -> Vec<(i64, String)> {
    let gap = 2.0;
    let fits = |step: i64, example: &str| {
        let count = (to - from) as f64 / step as f64;
        length >= count * (text::width(example) + gap)
    };
    let day = if to - from > 300 * DAY {
        "%Y-%m-%d"
    } else {
        "%-d %b"
    };
    for seconds in STEPS {
        let (clock, example) = if seconds % 60 == 0 {
            ("%H:%M", "00 May")
        } else {
            ("%H:%M:%S", "00:00:00")
        };
        if fits(seconds * 1_000, example) {
            return ticks(from, to, seconds * 1_000, clock, "%-d %b");
        }
    }
    let mut power = 1;
    let whole = |at: i64| format!("+{}", instant(at).format(day));
    let widest_day = if to - from > 300 * DAY {
        std::cmp::max_by(whole(from), whole(to), |one, other| {
            text::width(one).total_cmp(&text::width(other))
        })
    } else {
        "00 May".to_owned()
    };
    loop {
        for step in [1, 2, 5].map(|leading| leading * power * DAY) {
            // Of two years one may have a sign.
            if fits(step, &widest_day) {
                return ticks(from, to, step, day, day);
            }
        }
        power *= 10;
    }
}

fn ticks(from: i64, to: i64, step: i64, format: &str, midnight: &str) -> Vec<(i64, String)> {
    // Rounded down, before 1970 too.
    let first = -(-from).div_euclid(step) * step;
    let mut ticks = Vec::new();
    let mut at = first;
    while at <= to {
        let format = if at.rem_euclid(DAY) == 0 {
            midnight
        } else {
            format
        };
        ticks.push((at, instant(at).format(format).to_string()));
        at += step;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::{times, values};

    fn marks(low: f64, high: f64) -> String {
        values(low, high)
            .ticks
            .into_iter()
            .map(|(_, label)| label)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn values_are_marked_at_round_steps() {
        assert_eq!(marks(0.001, 0.27), "0 0.1 0.2 0.3");
        assert_eq!(marks(0.0, 0.3), "0 0.1 0.2 0.3");
        assert_eq!(marks(0.0, 1.0), "0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(marks(0.0, 0.0), "0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(marks(5.0, 5.0), "0 1 2 3 4 5");
        assert_eq!(marks(-5.0, -5.0), "-5 -4 -3 -2 -1 0");
        assert_eq!(marks(0.99, 0.9999), "0.990 0.992 0.994 0.996 0.998 1.000");
        assert_eq!(marks(0.0, 1_234_567.0), "0 0.5M 1.0M 1.5M");
        assert_eq!(marks(0.0, 40_000.0), "0 10k 20k 30k 40k");
        assert_eq!(marks(0.0, 3.1e-7), "0 1e-7 2e-7 3e-7 4e-7");
        assert_eq!(marks(-1e300, 1e300), "-1.0e300 -0.5e300 0 0.5e300 1.0e300");
        assert_eq!(
            marks(1e12 + 1.0, 1e12 + 2.0),
            "0.9995T 1.0000T 1.0005T 1.0010T"
        );
        assert_eq!(
            marks(0.0, 1e-299),
            "0 0.2e-299 0.4e-299 0.6e-299 0.8e-299 1.0e-299"
        );
    }

    #[test]
    fn times_are_marked_at_round_steps() {
        let minute = 60_000;
        let check = |from: i64, to: i64, expected: &str| {
            let told: Vec<String> = times(from, to, 40.0)
                .into_iter()
                .map(|(_, label)| label)
                .collect();
            assert_eq!(told.join(" "), expected);
        };
        check(0, 60 * minute, "1 Jan 00:10 00:20 00:30 00:40 00:50 01:00");
        check(
            -90 * minute,
            90 * minute,
            "22:30 23:00 23:30 1 Jan 00:30 01:00 01:30",
        );
        check(500, 10_500, "00:00:02 00:00:04 00:00:06 00:00:08 00:00:10");
        check(
            0,
            5 * 24 * 60 * minute,
            "1 Jan 2 Jan 3 Jan 4 Jan 5 Jan 6 Jan",
        );
    }
}
