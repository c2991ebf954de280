//! Inputs that nobody would write: a corpus, mutated by a seeded generator, through a parser that must not fall.
//!
//! `cargo xtask fuzz` runs the targets for some time, plain `cargo test` for [`FEW`] inputs each. A target is a test named
//! `fuzz::something` that calls [`run`]. What must hold: the same seed gives the same inputs, and a panic names the seed, the
//! round and the input. It knows nothing of coverage; the corpus and its words lead it to the deep places.

use crate::rng::{rng, seed};
use rand::Rng;
use rand::rngs::StdRng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Inputs of a target where no time is given.
pub const FEW: u64 = 1_500;
/// Longest input.
const LONGEST: usize = 64 << 10;
/// How much of a failing input is shown.
const SHOWN: usize = 8 << 10;

/// Sends mutated inputs through a parser, for `POSTROAD_FUZZ_SECONDS` or for [`FEW`] inputs. `words` are pieces that mean
/// something to the parser.
///
/// # Panics
/// When the parser does, with what is needed to repeat it.
pub fn run(corpus: &[Vec<u8>], words: &[&str], mut parser: impl FnMut(&[u8])) {
    assert!(!corpus.is_empty(), "a corpus has something in it");
    let seed = seed(1);
    let mut rng = rng(seed);
    let limit = Limit::of_environment();
    let mut round = 0;
    while limit.goes_on(round) {
        let mut input = corpus[rng.random_range(0..corpus.len())].clone();
        for _ in 0..rng.random_range(1..12) {
            mutate(&mut input, corpus, words, &mut rng);
        }
        input.truncate(LONGEST);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| parser(&input))) {
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                .unwrap_or_default();
            let shown = input[..input.len().min(SHOWN)].escape_ascii();
            panic!("POSTROAD_SEED={seed}, round {round}: {said}\ninput: {shown}");
        }
        round += 1;
    }
}

enum Limit {
    Until(Instant),
    Rounds(u64),
}

impl Limit {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test runner's environment and clock are the arguments here"
    )]
    fn of_environment() -> Self {
        match std::env::var("POSTROAD_FUZZ_SECONDS") {
            Ok(text) => {
                let seconds = text.parse().expect("POSTROAD_FUZZ_SECONDS is a number");
                Self::Until(Instant::now() + Duration::from_secs(seconds))
            }
            Err(_) => Self::Rounds(FEW),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "as above")]
    fn goes_on(&self, round: u64) -> bool {
        match self {
            Self::Until(end) => Instant::now() < *end,
            Self::Rounds(rounds) => round < *rounds,
        }
    }
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str], rng: &mut StdRng) {
    let at = rng.random_range(0..=input.len());
    let end = (at + rng.random_range(0..200_usize)).min(input.len());
    match rng.random_range(0..9_u8) {
        0 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8_u8),
        1 => input.insert(at, rng.random()),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].to_vec();
            for _ in 0..rng.random_range(1..20) {
                input.splice(at..at, piece.iter().copied());
            }
        }
        4 if !words.is_empty() => {
            let word = words[rng.random_range(0..words.len())];
            input.splice(at..at, word.bytes());
        }
        5 => {
            let other = &corpus[rng.random_range(0..corpus.len())];
            let from = rng.random_range(0..=other.len());
            let to = (from + rng.random_range(0..2_000_usize)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        6 => input.truncate(at),
        7 => {
            // Line ends and blanks are where parsers part.
            let sign = [b'\n', b'\r', b' ', b'\t', 0, b':', b'<', b'=', 0x1b]
                [rng.random_range(0..9_usize)];
            input.splice(at..at, std::iter::repeat_n(sign, rng.random_range(1..30)));
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte = rng.random();
            }
        }
    }
    input.truncate(LONGEST);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_falls_is_found() {
        let found = catch_unwind(|| {
            run(&[b"abc".to_vec()], &["boom"], |input| {
                assert!(!input.windows(4).any(|w| w == b"boom"), "it fell");
            });
        });
        let said = *found.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains("POSTROAD_SEED=1") && said.contains("it fell"), "{said}");
    }
}
