//! Randomness that can be repeated: every random test starts from a seed that its failure shows.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The generator of a seed.
#[must_use]
pub fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// The seed of a random test: `default`, or `POSTROAD_SEED` when a failure is to be repeated. Name it in each
/// assertion of the test.
///
/// # Panics
/// When `POSTROAD_SEED` is not a number.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the test runner's environment is the argument here")]
pub fn seed(default: u64) -> u64 {
    match std::env::var("POSTROAD_SEED") {
        Ok(text) => text.parse().expect("POSTROAD_SEED is a number"),
        Err(_) => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| rng(seed).random::<u64>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
