//! Random numbers that a seed repeats.

use std::time::Duration;

/// splitmix64
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// What `CRASH_SEED` says, else another one each time; printed, with what it is for.
    ///
    /// # Panics
    /// `CRASH_SEED` is no number.
    #[must_use]
    pub fn of_environment(what: &str) -> Self {
        let seed = match std::env::var("CRASH_SEED") {
            Ok(text) => text.parse().expect("CRASH_SEED is a number"),
            Err(_) => std::hash::BuildHasher::hash_one(
                &std::collections::hash_map::RandomState::new(),
                what,
            ),
        };
        println!("crash: {what}: CRASH_SEED={seed}");
        Self(seed)
    }

    /// Those of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..sides`.
    ///
    /// # Panics
    /// `sides` is 0.
    pub fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.number() % sides as u64).expect("less than a usize")
    }

    /// Dice of one's own, for another thread.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self(self.number())
    }

    /// A moment between these.
    pub fn moment(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.number() % (to - from))
    }
}
