//! Which metrics anybody asks for. Everything else a target offers or a sender pushes is skipped before it is decoded.

/// A set of metric names, quick to say no: it is asked once a line of a page, and most lines are not for us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricFilter {
    /// In order, each once.
    names: Vec<Box<[u8]>>,
    /// Open addressing over a power of two of slots, at most a quarter of them taken; none when no name is wanted.
    slots: Vec<HashSlot>,
    all: bool,
}

/// Where a name stands: a part of its hash, and its place in `names` counted from 1. 0 is an empty slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct HashSlot {
    tag: u32,
    place: u32,
}

impl MetricFilter {
    /// These names and no others.
    pub fn these<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
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
        for (name, place) in names.iter().zip(1..) {
            let hash = hash(name);
            let mut at = first_slot(hash, slots.len());
            while slots[at].place != 0 {
                at = (at + 1) % slots.len();
            }
            slots[at] = HashSlot {
                tag: tag(hash),
                place,
            };
        }
        Self {
            names,
            slots,
            all: false,
        }
    }

    /// Every name.
    #[must_use]
    pub fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Whether it is [`MetricFilter::all`].
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Whether a metric of this name is asked for.
    #[must_use]
    #[inline]
    pub fn has(&self, name: &[u8]) -> bool {
        if self.slots.is_empty() {
            return self.all;
        }
        let hash = hash(name);
        let mut at = first_slot(hash, self.slots.len());
        loop {
            let HashSlot { tag: found, place } = self.slots[at];
            if place == 0 {
                return false;
            }
            if found == tag(hash) && *self.names[place as usize - 1] == *name {
                return true;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

/// The ends and the length of a name, mixed. Names that differ only in the middle share it and are told apart by comparing them: what is
/// wanted is chosen by whoever runs this, so nobody can choose names that collide.
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
    fn names_that_share_their_ends_are_told_apart() {
        let wanted = MetricFilter::these([
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
            assert!(wanted.has(name.as_bytes()), "{name}");
        }
        for name in [
            "u",
            "upp",
            "http_requests_c_seconds_count",
            "http_requests_a_seconds_count_",
        ] {
            assert!(!wanted.has(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn none_and_all() {
        assert!(!MetricFilter::default().has(b"up"));
        assert!(!MetricFilter::these([]).has(b""));
        assert!(MetricFilter::all().has(b"up"));
        assert!(MetricFilter::all().is_all());
        assert_eq!(
            MetricFilter::these(["b", "a", "b"]),
            MetricFilter::these(["a", "b"])
        );
    }

    proptest! {
        #[test]
        fn it_is_a_set(names: BTreeSet<String>, others: Vec<String>, all in any::<bool>()) {
            let wanted = if all { MetricFilter::all() } else { MetricFilter::these(names.iter().map(String::as_str)) };
            for name in names.iter().chain(&others) {
                assert_eq!(wanted.has(name.as_bytes()), all || names.contains(name), "{name}");
            }
        }
    }
}
