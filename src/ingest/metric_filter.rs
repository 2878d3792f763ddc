//! The set of metric names that conditions query. Samples of other metrics are skipped before they
//! are decoded, whether scraped or pushed.

/// A set of metric names, fast at rejecting: it is consulted for every line of a page, and few lines
/// match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricFilter {
    /// Sorted, each once.
    names: Vec<Box<[u8]>>,
    /// Open addressing over a power of two of slots, at most a quarter of them taken; empty if
    /// there are no names.
    slots: Vec<HashSlot>,
    all: bool,
}

/// A part of a name's hash, and the position of the name in `names` from 1; 0 marks an empty slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct HashSlot {
    tag: u32,
    position: u32,
}

impl MetricFilter {
    /// A filter that matches these names.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names: Vec<Box<[u8]>> = names
            .into_iter()
            .map(|name| name.as_bytes().into())
            .collect();
        names.sort();
        names.dedup();
        let mut slots = vec![
            HashSlot::default();
            if names.is_empty() {
                0
            } else {
                (names.len() * 4).next_power_of_two()
            }
        ];
        for (name, position) in names.iter().zip(1..) {
            let hash = hash(name);
            let mut at = first_slot(hash, slots.len());
            while slots[at].position != 0 {
                at = (at + 1) % slots.len();
            }
            slots[at] = HashSlot {
                tag: tag(hash),
                position,
            };
        }
        Self {
            names,
            slots,
            all: false,
        }
    }

    /// A filter that matches every name, to compare with.
    #[must_use]
    pub fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Tests whether the name is in the set.
    #[must_use]
    #[inline]
    pub fn matches(&self, name: &[u8]) -> bool {
        if self.slots.is_empty() {
            return self.all;
        }
        let hash = hash(name);
        let mut at = first_slot(hash, self.slots.len());
        loop {
            let HashSlot {
                tag: found,
                position,
            } = self.slots[at];
            if position == 0 {
                return false;
            }
            if found == tag(hash) && *self.names[position as usize - 1] == *name {
                return true;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

/// A hash of the ends and the length of a name. Names that differ only in the middle collide and
/// are compared. Collisions cannot be forced from outside: the names come from the rules.
#[inline]
fn hash(name: &[u8]) -> u64 {
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (
            name.iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte)),
            0,
        ),
    };
    let mixed = first.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ last.wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(32);
    (mixed ^ name.len() as u64).wrapping_mul(0x94d0_49bb_1331_11eb)
}

#[inline]
fn first_slot(hash: u64, slots: usize) -> usize {
    (hash >> 40) as usize & (slots - 1)
}

#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 8) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{any, proptest};

    use super::MetricFilter;

    #[test]
    fn names_with_equal_ends_are_distinguished() {
        let filter = MetricFilter::from_names([
            "up",
            "http_requests_a_seconds_count",
            "http_requests_b_seconds_count",
            "",
            "up",
        ]);
        for name in [
            "up",
            "http_requests_a_seconds_count",
            "http_requests_b_seconds_count",
            "",
        ] {
            assert!(filter.matches(name.as_bytes()), "{name}");
        }
        for name in [
            "u",
            "upp",
            "http_requests_c_seconds_count",
            "http_requests_a_seconds_count_",
        ] {
            assert!(!filter.matches(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn empty_filter_matches_nothing_and_all_everything() {
        assert!(!MetricFilter::default().matches(b"up"));
        assert!(!MetricFilter::from_names([]).matches(b""));
        assert!(MetricFilter::all().matches(b"up"));
        assert_eq!(
            MetricFilter::from_names(["b", "a", "b"]),
            MetricFilter::from_names(["a", "b"])
        );
    }

    proptest! {
        #[test]
        fn filter_behaves_as_a_set(names: BTreeSet<String>, others: Vec<String>, all in any::<bool>()) {
            let filter = if all { MetricFilter::all() } else { MetricFilter::from_names(names.iter().map(String::as_str)) };
            for name in names.iter().chain(&others) {
                assert_eq!(filter.matches(name.as_bytes()), all || names.contains(name), "{name}");
            }
        }
    }
}
