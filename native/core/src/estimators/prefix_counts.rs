//! Counts of tuples of up to 64 symbols more than those that a bucket shares, all lengths at once.

use crate::simd::{multiversion, sample};

/// Number of lengths counted.
pub const LANES: usize = 64;
const HALF: usize = LANES / 2;
/// Suffixes of one bucket, at most: their pairs fit into 32 bits.
pub const MOST_SUFFIXES: usize = 1 << 16;

/// For tuples of 1 to 64 symbols more than the bucket shares: the count of the most common one, and the equal pairs.
pub struct PrefixCounts {
    pub most: [u64; LANES],
    pub pairs: [u64; LANES],
}

impl PrefixCounts {
    pub fn new() -> Self {
        Self { most: [0; LANES], pairs: [0; LANES] }
    }

    /// Take one bucket: the number of further symbols that each suffix shares with the one before it; at most 65,535
    /// numbers.
    pub fn take(&mut self, shared: &[u8]) {
        take_lanes(shared, &mut self.most, &mut self.pairs);
    }
}

multiversion! {
    /// In sorted order equal tuples are neighbours: the j-th of them makes j - 1 new pairs.
    fn take_lanes(shared: &[u8], most: &mut [u64; LANES], pairs: &mut [u64; LANES]) {
        let (mut low, mut high) = (Half::default(), Half::default());
        let mut is_high = false;
        for &length in shared {
            low.push(length);
            let beyond = length.saturating_sub(HALF as u8);
            if beyond > 0 || is_high {
                high.push(beyond);
            }
            is_high = beyond > 0;
        }
        for (lane, half) in [low, high].iter().enumerate() {
            for place in 0..HALF {
                let total = HALF * lane + place;
                most[total] = most[total].max(u64::from(half.most[place]) + 1);
                pairs[total] += u64::from(half.pairs[place]);
            }
        }
    }
    checked by TAKE_LANES: |run| {
        let (mut most, mut pairs) = ([2; LANES], [1; LANES]);
        run(&sample::bytes::<150>(65), &mut most, &mut pairs);
        (most, pairs)
    }
}

struct Half {
    equal: [u32; HALF],
    most: [u32; HALF],
    pairs: [u32; HALF],
}

impl Default for Half {
    fn default() -> Self {
        Self { equal: [0; HALF], most: [0; HALF], pairs: [0; HALF] }
    }
}

impl Half {
    #[inline(always)]
    fn push(&mut self, length: u8) {
        for place in 0..HALF {
            let equal = if u32::from(length) > place as u32 { self.equal[place] + 1 } else { 0 };
            self.equal[place] = equal;
            self.most[place] = self.most[place].max(equal);
            self.pairs[place] += equal;
        }
    }
}
