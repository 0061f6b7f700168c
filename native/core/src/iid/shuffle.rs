//! The permutations of the IID track: the arrangement that (seed, index) determines, as
//! `kernels/reference/iid_shuffle.py` specifies.

use super::xoshiro_lanes::{Lanes, Step, LANES};
use crate::memory::{collected, OutOfMemory};
use crate::simd::{multiversion, sample};

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// Steps of the lanes that are drawn together.
const STEPS: usize = 64;
const HIGH: u64 = 0xffff_ffff_0000_0000;
/// From this length on, sequences are arranged, not shuffled: swaps across much memory take longer.
pub const MANY: usize = 1 << 16;
/// Number of draws of 16 bits, and the least share that lets a symbol get some of the draws that are left.
const DRAWS: usize = 1 << 16;
const FREQUENT: usize = 16;

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

/// The two streams of one permutation.
fn streams(seed: u64, index: u64) -> (Lanes, Single) {
    let mut start = Single { state: mix(mix(seed).wrapping_add(index)) };
    let mut states = [[0; LANES]; 4];
    for word in states.iter_mut().flatten() {
        *word = start.next();
    }
    (Lanes { states }, Single { state: start.next() })
}

multiversion! {
    /// Partners of the places `top`, `top` - 1, ..., two from the halves of each word; true if some draw may be biased.
    fn partners(words: &[u64], top: u64, places: &mut [u64]) -> bool {
        let mut suspicious = false;
        for (pair, (&word, place)) in words.iter().zip(places).enumerate() {
            let even = top + 1 - 2 * pair as u64;
            let odd = even.wrapping_sub(1) & !HIGH;
            let (first, second) = ((word & !HIGH) * even, (word >> 32) * odd);
            *place = first >> 32 | second & HIGH;
            suspicious |= ((first & !HIGH) < even) | ((second & !HIGH) < odd);
        }
        suspicious
    }
    checked by PARTNERS: |run| {
        let mut places = [0; 40];
        (run(&sample::words::<40>(), 5000, &mut places), places)
    }
}

/// Shuffle in place: from the last place down, each is swapped with a uniformly drawn place up to itself.
fn fisher_yates(symbols: &mut [u8], seed: u64, index: u64) {
    let (mut lanes, mut single) = streams(seed, index);
    let mut words = [Step::default(); STEPS];
    let mut places = [Step::default(); STEPS];
    let mut top = symbols.len().saturating_sub(1);
    let mut left = symbols;
    while top > 0 {
        let count = top.min(STEPS * 2 * LANES);
        let steps = count.div_ceil(2 * LANES);
        lanes.fill(&mut words[..steps]);
        let words = &words[..steps].as_flattened()[..count.div_ceil(2)];
        let places = &mut places.as_flattened_mut()[..words.len()];
        if partners(words, top as u64, places) {
            redraw_biased(words, places, &mut single, top as u64, count);
        }
        for (draw, &both) in places.iter().enumerate() {
            for partner in [both & !HIGH, both >> 32].into_iter().take(count - 2 * draw) {
                let Some((last, rest)) = left.split_last_mut() else { return };
                // Otherwise the place is its own partner.
                if let Some(partner) = rest.get_mut(partner as usize) {
                    std::mem::swap(last, partner);
                }
                left = rest;
            }
        }
        top -= count;
    }
}

/// Replace the draws whose low half would make them biased, in the order of their places.
fn redraw_biased(words: &[u64], places: &mut [u64], single: &mut Single, top: u64, count: usize) {
    for draw in 0..count {
        let shift = draw % 2 * 32;
        let bound = top + 1 - draw as u64;
        let low = (words[draw / 2] >> shift & !HIGH).wrapping_mul(bound) & !HIGH;
        if low < bound && low < (1 << 32) % bound {
            let place = &mut places[draw / 2];
            *place = *place & !(!HIGH << shift) | single.below(bound) << shift;
        }
    }
}

/// Fill words with bits that are 1 with probability q / 256.
fn draw_bits(lanes: &mut Lanes, q: u32, words: &mut [u64]) {
    let lowest = q.trailing_zeros();
    let mut drawn = [Step::default(); 8];
    for block in words.chunks_mut(LANES) {
        let drawn = &mut drawn[lowest as usize..];
        lanes.fill(drawn);
        let mut bits = [0; LANES];
        for (digit, drawn) in (lowest..).zip(drawn) {
            let or = if q >> digit & 1 == 1 { u64::MAX } else { 0 };
            for (bits, &drawn) in bits.iter_mut().zip(&*drawn) {
                *bits = (*bits & drawn) | ((*bits | drawn) & or);
            }
        }
        block.copy_from_slice(&bits[..block.len()]);
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

/// Put permutation `index` of fewer symbols than `MANY`, which are not binary, into `out`.
pub fn shuffle(symbols: &[u8], seed: u64, index: u64, out: &mut [u8]) {
    out.copy_from_slice(symbols);
    fisher_yates(out, seed, index);
}

/// Arranges many symbols at random: symbols are drawn about in proportion to their counts; then places are changed
/// until the counts are right.
pub struct Urn {
    /// The symbol that 16 random bits stand for.
    drawn: Vec<u8>,
    /// How often each symbol occurs.
    counts: [u32; 256],
}

impl Urn {
    pub fn new(counts: &[usize; 256]) -> Result<Self, OutOfMemory> {
        let n: usize = counts.iter().sum();
        let mut shares = counts.map(|count| count * DRAWS / n);
        let left = DRAWS - shares.iter().sum::<usize>();
        let mut frequent: Vec<usize> = (0..256).filter(|&symbol| shares[symbol] >= FREQUENT).collect();
        frequent.sort_by_key(|&symbol| std::cmp::Reverse(counts[symbol]));
        frequent.iter().cycle().take(left).for_each(|&symbol| shares[symbol] += 1);
        let drawn = (0..=255).zip(shares).flat_map(|(symbol, share)| std::iter::repeat_n(symbol, share));
        Ok(Self { drawn: collected(drawn)?, counts: counts.map(|count| count as u32) })
    }

    /// Put arrangement `index` into `out`, which has room for all symbols.
    pub fn arrange(&self, seed: u64, index: u64, out: &mut [u8]) {
        let (mut lanes, mut single) = streams(seed, index);
        // How many of each symbol are too many; negative if there are too few.
        let mut excess = self.draw(&mut lanes, out);
        let mut short = excess.map(|count| count.min(0)).iter().sum::<i32>();
        let mut lacking = 0;
        while short < 0 {
            let place = &mut out[single.below(out.len() as u64) as usize];
            let symbol = usize::from(*place);
            if excess[symbol] > 0 {
                while excess[lacking] >= 0 {
                    lacking += 1;
                }
                excess[symbol] -= 1;
                excess[lacking] += 1;
                *place = lacking as u8;
                short += 1;
            }
        }
    }

    /// Fill with symbols drawn one by one; return how many of each are too many.
    fn draw(&self, lanes: &mut Lanes, out: &mut [u8]) -> [i32; 256] {
        let Some(drawn) = self.drawn.first_chunk::<DRAWS>() else {
            unreachable!("shares add up to all draws");
        };
        // Several counts, so that additions for equal symbols need not wait for each other.
        let mut counts = [[0; 256]; 4];
        let mut steps = [Step::default(); STEPS];
        for symbols in out.chunks_mut(4 * LANES * STEPS) {
            lanes.fill(&mut steps);
            let words = steps.as_flattened();
            let (fours, rest) = symbols.as_chunks_mut::<4>();
            for (four, word) in fours.iter_mut().zip(words) {
                *four = std::array::from_fn(|place| drawn[(word >> (16 * place) & 0xffff) as usize]);
                four.iter().zip(&mut counts).for_each(|(&symbol, counts)| counts[usize::from(symbol)] += 1);
            }
            for (place, symbol) in rest.iter_mut().enumerate() {
                *symbol = drawn[(words[fours.len()] >> (16 * place) & 0xffff) as usize];
                counts[0][usize::from(*symbol)] += 1;
            }
        }
        std::array::from_fn(|symbol| {
            let found: u32 = counts.iter().map(|counts| counts[symbol]).sum();
            found as i32 - self.counts[symbol] as i32
        })
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
    fn many_symbols_keep_their_numbers_and_come_everywhere() {
        // Few of some symbols, many of others; the number of symbols is no multiple of anything.
        let symbols: Vec<u8> =
            (0..MANY as u32 + 1001).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 20) as u8 & (i >> 9) as u8).collect();
        let mut counts = [0; 256];
        symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
        let urn = Urn::new(&counts).unwrap();
        let mut out = vec![0; symbols.len()];
        let mut sum = vec![0u64; symbols.len()];
        for index in 0..64 {
            urn.arrange(5, index, &mut out);
            let mut found = [0; 256];
            out.iter().for_each(|&symbol| found[usize::from(symbol)] += 1);
            assert_eq!(found, counts);
            sum.iter_mut().zip(&out).for_each(|(sum, &symbol)| *sum += u64::from(symbol));
        }
        let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
        let all = mean(&sum);
        let deviation = (sum.iter().map(|&sum| (sum as f64 - all).powi(2)).sum::<f64>() / sum.len() as f64).sqrt();
        for part in sum.chunks(4096) {
            assert!((mean(part) - all).abs() < 5.0 * deviation / (part.len() as f64).sqrt());
        }
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
