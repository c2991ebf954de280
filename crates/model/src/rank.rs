//! Seeded shuffling without a shuffle: a row's rank is a hash of the campaign's seed and the address's hash.
//!
//! Ranks spread mailbox providers and sign-up dates evenly over the run, the same way each time.

/// SplitMix64's finaliser: a fast bijection that spreads every input bit.
#[must_use]
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The rank of an address in a campaign, 0..=i64::MAX.
#[must_use]
pub fn rank(campaign_seed: i64, address_hash: i64) -> i64 {
    let spread = mix(mix(campaign_seed.cast_unsigned()) ^ address_hash.cast_unsigned());
    (spread >> 1).cast_signed()
}

/// The seed from which one delivery's Message-ID, boundaries and jitter come.
#[must_use]
pub fn row_seed(id: i64, rank: i64) -> u64 {
    mix(mix(id.cast_unsigned()) ^ rank.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_stable_and_differ_by_campaign() {
        assert_eq!(rank(1, 42), rank(1, 42));
        assert_ne!(rank(1, 42), rank(2, 42));
        assert!((0..1000).all(|h| rank(7, h) >= 0));
    }
}
