//! The permutations of the IID track: which arrangement belongs to (seed, index). `kernels/reference/iid_shuffle.py` says how.

use crate::multiversion::multiversion;

const LANES: usize = 8;
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// Steps of the lanes whose swaps are done together: 16 places a step.
const STEPS: usize = 64;
const HIGH: u64 = 0xffff_ffff_0000_0000;

/// The output function of SplitMix64.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// SplitMix64, with unbiased bounded draws.
pub struct Single {
    state: u64,
}

impl Single {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A uniform number below `bound`.
    #[inline]
    fn below(&mut self, bound: u64) -> u64 {
        loop {
            let product = u128::from(self.next()) * u128::from(bound);
            let low = product as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }
}

/// Eight generators xoshiro256++ side by side.
pub struct Lanes {
    states: [[u64; LANES]; 4],
}

impl Lanes {
    #[inline(always)]
    fn next(&mut self) -> [u64; LANES] {
        let mut out = [0; LANES];
        let [s0, s1, s2, s3] = &mut self.states;
        for lane in 0..LANES {
            out[lane] = s0[lane].wrapping_add(s3[lane]).rotate_left(23).wrapping_add(s0[lane]);
            let shifted = s1[lane] << 17;
            s2[lane] ^= s0[lane];
            s3[lane] ^= s1[lane];
            s1[lane] ^= s2[lane];
            s0[lane] ^= s3[lane];
            s2[lane] ^= shifted;
            s3[lane] = s3[lane].rotate_left(45);
        }
        out
    }
}

/// The two streams of one permutation.
fn streams(seed: u64, index: u64) -> (Lanes, Single) {
    let mut start = Single { state: mix(mix(seed).wrapping_add(index)) };
    let mut states = [[0; LANES]; 4];
    for word in states.iter_mut().flatten() {
        *word = start.next();
    }
    (Lanes { states }, Single { state: start.next() })
}

/// Partners of the next places below and including `top`: two in a word, and beside them the low halves of the products.
struct Partners {
    places: [[u64; LANES]; STEPS],
    lows: [[u64; LANES]; STEPS],
    /// Whether some low half is below its bound, so that it has to be looked at.
    suspicious: bool,
}

multiversion! {
    /// Draw partners for the places `top`, `top` - 1, ...; those past place 1 are of no use.
    fn draw_partners(lanes: &mut Lanes, top: u64, out: &mut Partners) {
        let mut suspicious = 0;
        let mut state = Lanes { states: lanes.states };
        for step in 0..STEPS {
            let words = state.next();
            let bound = (top + 1).wrapping_sub(16 * step as u64) & 0xffff_ffff;
            let pairs = out.places[step].iter_mut().zip(&mut out.lows[step]);
            for ((lane, &word), (place, low)) in (0u64..).zip(&words).zip(pairs) {
                let even = bound.wrapping_sub(2 * lane) & 0xffff_ffff;
                let odd = even.wrapping_sub(1) & 0xffff_ffff;
                let first = (word & 0xffff_ffff) * even;
                let second = (word >> 32) * odd;
                *place = (first >> 32) | (second & HIGH);
                *low = (first & 0xffff_ffff) | (second << 32);
                suspicious |= u64::from((first & 0xffff_ffff) < even) | u64::from((second & 0xffff_ffff) < odd);
            }
        }
        *lanes = state;
        out.suspicious = suspicious != 0;
    }
}

/// Shuffle in place: from the last place down, each swaps with a uniform one of the places up to itself.
fn fisher_yates(symbols: &mut [u8], seed: u64, index: u64) {
    let (mut lanes, mut single) = streams(seed, index);
    let mut partners = Partners { places: [[0; LANES]; STEPS], lows: [[0; LANES]; STEPS], suspicious: false };
    let mut top = symbols.len() - 1;
    while top > 0 {
        draw_partners(&mut lanes, top as u64, &mut partners);
        let count = top.min(STEPS * 2 * LANES);
        if partners.suspicious {
            redraw_biased(&mut partners, &mut single, top as u64, count);
        }
        let flat = partners.places.as_flattened();
        for (pair, &both) in flat[..count / 2].iter().enumerate() {
            symbols.swap(top - 2 * pair, (both & 0xffff_ffff) as usize);
            symbols.swap(top - 2 * pair - 1, (both >> 32) as usize);
        }
        if count % 2 == 1 {
            symbols.swap(top + 1 - count, (flat[count / 2] & 0xffff_ffff) as usize);
        }
        top -= count;
    }
}

/// Replace the draws whose low half shows bias, in the order of their places.
fn redraw_biased(partners: &mut Partners, single: &mut Single, top: u64, count: usize) {
    for draw in 0..count {
        let (word, shift) = (draw / 2, draw % 2 * 32);
        let low = partners.lows.as_flattened()[word] >> shift & 0xffff_ffff;
        let bound = top + 1 - draw as u64;
        if low < bound && low < (1 << 32) % bound {
            let place = &mut partners.places.as_flattened_mut()[word];
            *place = *place & !(0xffff_ffff << shift) | single.below(bound) << shift;
        }
    }
}

multiversion! {
    /// Fill words with bits that are 1 with probability q / 256.
    fn draw_bits(lanes: &mut Lanes, q: u32, words: &mut [u64]) {
        let lowest = q.trailing_zeros();
        let mut state = Lanes { states: lanes.states };
        for block in words.chunks_mut(LANES) {
            let mut bits = [0; LANES];
            for digit in lowest..8 {
                let drawn = state.next();
                let or = if q >> digit & 1 == 1 { u64::MAX } else { 0 };
                for lane in 0..LANES {
                    bits[lane] = (bits[lane] & drawn[lane]) | ((bits[lane] | drawn[lane]) & or);
                }
            }
            block.copy_from_slice(&bits[..block.len()]);
        }
        *lanes = state;
    }
}

/// `n` bits of which `ones` are 1, the first bit lowest in the first word; bits past the end are 0.
pub fn arrange_bits(n: usize, ones: usize, seed: u64, index: u64, words: &mut [u64]) {
    let rare = ones.min(n - ones);
    let (mut lanes, mut single) = streams(seed, index);
    let q = (256 * rare as u64 / n as u64) as u32;
    if q > 0 {
        draw_bits(&mut lanes, q, words);
    } else {
        words.fill(0);
    }
    let tail = if n.is_multiple_of(64) { u64::MAX } else { (1 << (n % 64)) - 1 };
    words[n.div_ceil(64) - 1] &= tail;
    let mut count = words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
    let wrong = u64::from(count > rare);
    while count != rare {
        let place = single.below(n as u64) as usize;
        if words[place / 64] >> (place % 64) & 1 == wrong {
            words[place / 64] ^= 1 << (place % 64);
            count = if wrong == 1 { count - 1 } else { count + 1 };
        }
    }
    if rare != ones {
        words.iter_mut().for_each(|word| *word = !*word);
        words[n.div_ceil(64) - 1] &= tail;
    }
}

/// Put permutation `index` of `symbols`, which are not binary, into `out`.
pub fn shuffle(symbols: &[u8], seed: u64, index: u64, out: &mut [u8]) {
    out.copy_from_slice(symbols);
    if !symbols.is_empty() {
        fisher_yates(out, seed, index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arrangements_of_four_symbols_come_evenly() {
        let mut seen = std::collections::BTreeMap::new();
        for index in 0..24_000 {
            let mut out = [0; 4];
            shuffle(&[1, 2, 3, 4], 7, index, &mut out);
            *seen.entry(out).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn bits_keep_their_number_and_their_evenness() {
        for (n, ones) in [(6, 2), (6, 4), (6, 0), (6, 6)] {
            let mut seen = std::collections::BTreeMap::new();
            for index in 0..15_000 {
                let mut words = [0];
                arrange_bits(n, ones, 3, index, &mut words);
                assert_eq!(words[0].count_ones() as usize, ones);
                assert_eq!(words[0] >> n, 0);
                *seen.entry(words[0]).or_insert(0) += 1;
            }
            let kinds = [1, 6, 15, 20, 15, 6, 1][ones];
            assert_eq!(seen.len(), kinds);
            assert!(seen.values().all(|&count| count * kinds > 13_500 && count * kinds < 16_500), "{seen:?}");
        }
    }
}
