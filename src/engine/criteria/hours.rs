//! The hours of a criterion: what happens outside of them does not count for it.

use super::finding::NextChange;
use crate::model::spans::Span;
use crate::model::time::Time;
use crate::rules::rule_set::Criterion;

/// Phrase for something outside a criterion's counted hours, in sentences.
pub(crate) const OUTSIDE: &str = "outside the counted hours";

/// True if an instant counts for a criterion.
pub(crate) fn counts_at(criterion: &Criterion, at: Time) -> bool {
    criterion
        .hours
        .as_ref()
        .is_none_or(|hours| hours.contains(at))
}

/// True if a span has lasted at a time that counts for a criterion; if not, adds the instant at
/// which it will have, should it go on.
pub(crate) fn counts_span(
    criterion: &Criterion,
    span: &Span,
    now: Time,
    next: &mut NextChange,
) -> bool {
    let Some(hours) = &criterion.hours else {
        return true;
    };
    if span.start > now {
        next.add(Some(span.start));
        return false;
    }
    let lasts = span.end.is_none_or(|end| end > now);
    let end = span.end.map_or(now, |end| end.min(now));
    let counts = hours.contains(span.start)
        || !hours.within(&(span.start..end)).is_empty()
        || (lasts && hours.contains(now));
    if !counts && lasts {
        next.add(hours.next(now));
    }
    counts
}
