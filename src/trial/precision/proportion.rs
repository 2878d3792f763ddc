//! Proportions of small samples with their confidence intervals.

use serde::Serialize;

/// The quantile of the normal distribution for 95 %: 2.5 % lie beyond it on either side.
const Z: f64 = 1.959_964;

/// Minimum number of answers for a proportion. The interval of `n` unanimous answers is
/// `z² / (n + z²)` wide, and no other is narrower: below 8 it leaves more than a third of the range
/// open even then.
pub(crate) const ENOUGH: usize = 8;

/// A proportion of answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Proportion {
    /// Numerator.
    pub right: usize,
    /// Denominator.
    pub of: usize,
    /// The proportion with its confidence interval; `None` with too few answers.
    #[serde(flatten)]
    pub told: Option<ProportionInterval>,
}

/// A proportion with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ProportionInterval {
    /// The proportion, from 0 to 1.
    pub share: f64,
    /// Lower bound, with 2.5 % below it.
    pub low: f64,
    /// Upper bound, with 2.5 % above it.
    pub high: f64,
}

impl Proportion {
    /// The proportion `right` / `of`.
    #[must_use]
    pub(crate) fn of(right: usize, of: usize) -> Self {
        let told = (of >= ENOUGH).then(|| {
            let (low, high) = wilson(right, of);
            ProportionInterval {
                share: number(right) / number(of),
                low,
                high,
            }
        });
        Self { right, of, told }
    }
}

/// Wilson's score interval for 95 % (E. B. Wilson 1927; R. G. Newcombe, Statistics in Medicine 17,
/// 1998, method 3). It stays within 0 and 1, and holds for small samples and for proportions near 0
/// and 1, unlike the normal approximation.
#[must_use]
pub(crate) fn wilson(right: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (number(of), number(right) / number(of));
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let all = 1.0 + Z * Z / n;
    // Rounding must not exclude the observed proportion.
    (
        ((centre - half) / all).clamp(0.0, share),
        ((centre + half) / all).clamp(share, 1.0),
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of incidents are far below 2^52"
)]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert, proptest};

    use super::{ENOUGH, Proportion, Z, wilson};

    #[test]
    fn it_gives_published_intervals() {
        // The first two are textbook values; the others are from Newcombe's table I, method 3.
        for (right, of, low, high) in [
            (8, 10, 0.4902, 0.9433),
            (0, 10, 0.0, 0.2775),
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson(right, of);
            assert!(
                (found.0 - low).abs() < 6e-5 && (found.1 - high).abs() < 6e-5,
                "{right} of {of}: {found:?}"
            );
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn enough_is_where_agreement_narrows_it_to_a_third() {
        let width = |of| 1.0 - wilson(of, of).0;
        assert!(width(ENOUGH - 1) > 1.0 / 3.0 && width(ENOUGH) < 1.0 / 3.0);
        assert!((width(5) - Z * Z / (5.0 + Z * Z)).abs() < 1e-12);
        assert!(Proportion::of(7, 7).told.is_none() && Proportion::of(0, 8).told.is_some());
    }

    proptest! {
        #[test]
        fn it_holds_the_share_and_is_the_same_seen_from_the_other_side(
            (right, of) in (1usize..5000).prop_flat_map(|of| (0..=of, proptest::strategy::Just(of)))
        ) {
            let (low, high) = wilson(right, of);
            let share = right as f64 / of as f64;
            prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
            let (other_low, other_high) = wilson(of - right, of);
            prop_assert!((low - (1.0 - other_high)).abs() < 1e-9 && (high - (1.0 - other_low)).abs() < 1e-9);
            // Twice the answers narrow the interval.
            let (nearer_low, nearer_high) = wilson(2 * right, 2 * of);
            prop_assert!(nearer_high - nearer_low < high - low);
        }
    }
}
