//! Random moments for fault injection.

use std::hash::{BuildHasher, RandomState};

use super::harness::tell;

/// Random moments that can be had again: the seed is printed, and `AFTERWORD_SEED` sets it.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "to repeat a failed run with its seed"
        )]
        let given = std::env::var("AFTERWORD_SEED").ok();
        let seed = given.map_or_else(
            || RandomState::new().hash_one(0),
            |text| text.parse().unwrap(),
        );
        tell(&format!("AFTERWORD_SEED={seed}"));
        Self(seed)
    }

    /// The numbers of one seed, the same in every run.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number. SplitMix64 (Steele, Lea, Flood 2014).
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is above zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).unwrap()
    }
}
