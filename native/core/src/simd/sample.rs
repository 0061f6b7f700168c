//! Small data on which the versions of a kernel are compared.

/// Words that look random: the first steps of SplitMix64.
pub fn words<const N: usize>() -> [u64; N] {
    std::array::from_fn(|index| {
        let mut word = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    })
}

/// Bytes below `k` with both short and long runs.
pub fn bytes<const N: usize>(k: u64) -> [u8; N] {
    let words = words::<16>();
    std::array::from_fn(|place| {
        let word = words[place / 8 % 16];
        (if place % 24 < 7 { word % k } else { (word >> (8 * (place % 8))) % k }) as u8
    })
}
