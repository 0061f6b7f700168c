//! Permutation statistics of SP 800-90B 5.1.1 to 5.1.10 as integers; `kernels/reference/iid.py` specifies each of them.

use crate::memory::{with_room, zeros, OutOfMemory};
use crate::simd::{multiversion, sample};

/// Number of statistics; the compression statistic is the last one.
pub const COUNT: usize = 19;
pub const COMPRESSION: usize = 18;
const LAGS: [usize; 5] = [1, 2, 8, 16, 32];
/// Samples that are handled together: their flags fill a word.
const BLOCK: usize = 64;

/// Statistic i is wanted if bit i is set.
#[derive(Clone, Copy)]
pub struct Mask(pub u32);

impl Mask {
    pub fn has(self, statistic: usize) -> bool {
        self.0 >> statistic & 1 == 1
    }

    fn any(self, statistics: std::ops::Range<usize>) -> bool {
        statistics.into_iter().any(|statistic| self.has(statistic))
    }
}

/// Number of runs of equal flags, and the longest, from words of 64 flags.
#[derive(Default)]
struct Runs {
    last: Option<u64>,
    runs: u64,
    /// Longest and current series of flags that equal the one before: one less than the run.
    longest: u32,
    current: u32,
}

impl Runs {
    /// Take the next `len` flags, the first one lowest.
    #[inline(always)]
    fn push(&mut self, flags: u64, len: u32) {
        let before = self.last.unwrap_or(!flags & 1);
        let valid = if len == 64 { u64::MAX } else { (1 << len) - 1 };
        let same = !(flags ^ (flags << 1 | before)) & valid;
        self.last = Some(flags >> (len - 1) & 1);
        self.runs += u64::from(len - same.count_ones());
        if same == u64::MAX {
            self.current += 64;
            return;
        }
        self.longest = self.longest.max(self.current + same.trailing_ones());
        while holds_streak(same, self.longest + 1) {
            self.longest += 1;
        }
        self.current = (same << (64 - len)).leading_ones();
    }

    fn result(&self) -> (u64, u64) {
        if self.runs == 0 {
            return (0, 0);
        }
        (self.runs, u64::from(self.longest.max(self.current)) + 1)
    }
}

/// Whether a word has `length` ones in a row.
#[inline(always)]
fn holds_streak(mut word: u64, length: u32) -> bool {
    if length > 64 {
        return false;
    }
    let mut have = 1;
    while have < length && word != 0 {
        let step = have.min(length - have);
        word &= word >> step;
        have += step;
    }
    word != 0
}

/// A word whose bit i is flag i; flags are 0 or 1.
#[inline(always)]
pub fn pack(flags: &[u8; BLOCK]) -> u64 {
    let mut word = 0;
    for (byte, eight) in flags.chunks_exact(8).enumerate() {
        let lows = u64::from_le_bytes([eight[0], eight[1], eight[2], eight[3], eight[4], eight[5], eight[6], eight[7]]);
        word |= (lows.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * byte);
    }
    word
}

multiversion! {
    /// Number of directional runs, the longest, and the most increases or decreases.
    fn directional(x: &[u8]) -> [u64; 3] {
        let mut runs = Runs::default();
        let mut ups = 0;
        let pairs = x.len() - 1;
        let mut flags = [0; BLOCK];
        for start in (0..pairs).step_by(BLOCK) {
            let len = BLOCK.min(pairs - start);
            let (left, right) = (&x[start..start + len], &x[start + 1..start + 1 + len]);
            if len < BLOCK {
                flags = [0; BLOCK];
            }
            for ((flag, a), b) in flags.iter_mut().zip(left).zip(right) {
                *flag = u8::from(a <= b);
            }
            let word = pack(&flags);
            ups += u64::from(word.count_ones());
            runs.push(word, len as u32);
        }
        let (number, longest) = runs.result();
        [number, longest, ups.max(pairs as u64 - ups)]
    }
    checked by DIRECTIONAL: |run| run(&sample::bytes::<150>(5))
}

multiversion! {
    /// Number of runs about the median, and the longest: of samples that are at least `threshold`, and of smaller ones.
    fn about_the_median(x: &[u8], threshold: u8) -> (u64, u64) {
        let mut runs = Runs::default();
        let mut flags = [0; BLOCK];
        for block in x.chunks(BLOCK) {
            for (flag, &symbol) in flags.iter_mut().zip(block) {
                *flag = u8::from(symbol >= threshold);
            }
            runs.push(pack(&flags), block.len() as u32);
        }
        runs.result()
    }
    checked by ABOUT_THE_MEDIAN: |run| run(&sample::bytes::<150>(5), 2)
}

multiversion! {
    /// Number of runs of equal bits, and the longest.
    fn bit_runs(words: &[u64], n: usize) -> (u64, u64) {
        let mut runs = Runs::default();
        for (place, &word) in words.iter().enumerate() {
            runs.push(word, (n - 64 * place).min(64) as u32);
        }
        runs.result()
    }
    checked by BIT_RUNS: |run| run(&sample::words::<3>(), 150)
}

multiversion! {
    /// n times the largest distance of a partial sum from its expectation.
    fn excursion(x: &[u8], total: u64) -> u64 {
        let (n, total) = (x.len() as i64, total as i64);
        // No sample changes the distance by more than this.
        let step = total.max(255 * n - total);
        let (mut distance, mut largest) = (0i64, 0i64);
        for block in x.chunks(BLOCK) {
            let length = block.len() as i64;
            if distance.abs() + length * step > largest {
                let mut inside = distance;
                for &symbol in block {
                    inside += n * i64::from(symbol) - total;
                    largest = largest.max(inside.abs());
                }
            }
            let sum: u32 = block.iter().map(|&symbol| u32::from(symbol)).sum();
            distance += n * i64::from(sum) - length * total;
        }
        largest as u64
    }
    checked by EXCURSION: |run| run(&sample::bytes::<150>(5), 290)
}

multiversion! {
    /// As `excursion`, for bits.
    fn bit_excursion(words: &[u64], n: usize, ones: usize) -> u64 {
        let (n, ones) = (n as i64, ones as i64);
        let step = ones.max(n - ones);
        let (mut distance, mut largest) = (0i64, 0i64);
        for (place, &word) in words.iter().enumerate() {
            let length = (n - 64 * place as i64).min(64);
            if distance.abs() + length * step > largest {
                let mut inside = distance;
                for bit in 0..length {
                    inside += n * (word >> bit & 1) as i64 - ones;
                    largest = largest.max(inside.abs());
                }
            }
            distance += n * i64::from(word.count_ones()) - length * ones;
        }
        largest as u64
    }
    checked by BIT_EXCURSION: |run| run(&sample::words::<3>(), 150, 60)
}

/// 2^52 times the average, and the maximum, of the number of samples up to a collision; both 0 without one.
fn collisions(x: &[u8]) -> [u64; 2] {
    let mut last_seen = [0u32; 256]; // places count from 1
    let (mut start, mut count, mut longest) = (1u32, 0u64, 0u32);
    for (place, &symbol) in (1u32..).zip(x) {
        let seen = std::mem::replace(&mut last_seen[usize::from(symbol)], place);
        if seen >= start {
            count += 1;
            longest = longest.max(place + 1 - start);
            start = place + 1;
        }
    }
    if count == 0 {
        return [0, 0];
    }
    let total = u128::from(start - 1);
    [((total << 52) / u128::from(count)) as u64, u64::from(longest)]
}

multiversion! {
    /// How many samples equal the sample `lag` places later.
    fn periodicity(x: &[u8], lag: usize) -> u64 {
        let (left, right) = (&x[..x.len().saturating_sub(lag)], &x[lag.min(x.len())..]);
        let mut equal = 0;
        for (a, b) in left.chunks(128).zip(right.chunks(128)) {
            equal += u64::from(a.iter().zip(b).map(|(a, b)| u8::from(a == b)).sum::<u8>());
        }
        equal
    }
    checked by PERIODICITY: |run| run(&sample::bytes::<300>(5), 2)
}

multiversion! {
    /// Sum of the products of samples `lag` places apart.
    fn covariance(x: &[u8], lag: usize) -> u64 {
        let (left, right) = (&x[..x.len().saturating_sub(lag)], &x[lag.min(x.len())..]);
        let mut sum = 0;
        for (a, b) in left.chunks(1 << 14).zip(right.chunks(1 << 14)) {
            sum += u64::from(a.iter().zip(b).map(|(&a, &b)| u32::from(a) * u32::from(b)).sum::<u32>());
        }
        sum
    }
    checked by COVARIANCE: |run| run(&sample::bytes::<300>(256), 2)
}

/// The statistics that are the same for symbols and for the sums of conversion I.
fn fill_common(x: &[u8], mask: Mask, keys: &mut [u64; COUNT]) {
    if mask.any(1..4) {
        keys[1..4].copy_from_slice(&directional(x));
    }
    for (place, lag) in LAGS.into_iter().enumerate() {
        if mask.has(8 + place) {
            keys[8 + place] = periodicity(x, lag);
        }
        if mask.has(13 + place) {
            keys[13 + place] = covariance(x, lag);
        }
    }
}

/// Statistics 0 to 17 of samples that are not binary; those that the mask leaves out may be 0.
pub fn of_symbols(x: &[u8], total: u64, threshold: u8, mask: Mask) -> [u64; COUNT] {
    let mut keys = [0; COUNT];
    if mask.has(0) {
        keys[0] = excursion(x, total);
    }
    if mask.any(4..6) {
        (keys[4], keys[5]) = about_the_median(x, threshold);
    }
    if mask.any(6..8) {
        keys[6..8].copy_from_slice(&collisions(x));
    }
    fill_common(x, mask, &mut keys);
    keys
}

multiversion! {
    /// Conversion I: the number of ones of each byte.
    fn sums_of_bytes(bytes: &[u8], sums: &mut [u8]) {
        for (sum, byte) in sums.iter_mut().zip(bytes) {
            *sum = byte.count_ones() as u8;
        }
    }
    checked by SUMS_OF_BYTES: |run| {
        let mut sums = [0; 150];
        run(&sample::bytes::<150>(256), &mut sums);
        sums
    }
}

/// Statistics 0 to 17 of `n` bits, the first one lowest; `scale` is the difference of the two symbols.
pub fn of_bits(words: &[u64], n: usize, ones: usize, scale: u64, mask: Mask) -> Result<[u64; COUNT], OutOfMemory> {
    let mut keys = [0; COUNT];
    if mask.has(0) {
        keys[0] = scale * bit_excursion(words, n, ones);
    }
    if mask.any(4..6) {
        (keys[4], keys[5]) = bit_runs(words, n);
    }
    if !mask.any(1..4) && !mask.any(6..COMPRESSION) {
        return Ok(keys);
    }
    // Conversion II; the reverse order of the bits in a byte changes neither collisions nor sums.
    let mut bytes = with_room(8 * words.len())?;
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.truncate(n.div_ceil(8));
    if mask.any(6..8) {
        keys[6..8].copy_from_slice(&collisions(&bytes));
    }
    if mask.any(1..4) || mask.any(8..COMPRESSION) {
        let mut sums = zeros(bytes.len())?;
        sums_of_bytes(&bytes, &mut sums);
        fill_common(&sums, mask, &mut keys);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streaks_are_found_across_words() {
        for (flags, expected) in [
            (vec![(u64::MAX, 64), (u64::MAX, 64), (1, 64)], (2, 129)),
            (vec![(0, 64), (u64::MAX, 64)], (2, 64)),
            (vec![(0b1011, 4)], (3, 2)),
            (vec![(0, 1)], (1, 1)),
        ] {
            let mut runs = Runs::default();
            flags.iter().for_each(|&(word, len)| runs.push(word, len));
            assert_eq!(runs.result(), expected, "{flags:?}");
        }
        assert_eq!(Runs::default().result(), (0, 0));
    }

    #[test]
    fn examples_of_the_standard() {
        // 5.1.2 to 5.1.4, 5.1.7 and 5.1.8 of SP 800-90B
        assert_eq!(directional(&[2, 2, 2, 5, 7, 7, 9, 3, 1, 4, 4]), [3, 6, 8]);
        assert_eq!(collisions(&[2, 1, 1, 2, 0, 1, 0, 1, 1, 2]), [3 << 52, 4]);
        // 5.1.9 and 5.1.10
        assert_eq!(periodicity(&[2, 1, 2, 1, 0, 1, 0, 1, 1, 2], 2), 5);
        assert_eq!(covariance(&[5, 2, 6, 10, 12, 3, 1], 2), 164);
    }
}
