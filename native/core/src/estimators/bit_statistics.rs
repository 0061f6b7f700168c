//! Counts for the MCV, Markov, collision and compression estimates of bits, SP 800-90B 6.3.1 to 6.3.4.

use super::symbols::bit;
use crate::memory::{resize, zeros, OutOfMemory};
use crate::simd::{multiversion, sample};

const BLOCK_BITS: usize = 6;
const DICTIONARY_BLOCKS: usize = 1000;

multiversion! {
    /// Number of ones and of the transitions 00, 01, 10, 11.
    pub fn bit_counts(words: &[u64], n: usize) -> (u64, u64, u64, u64, u64) {
        let (mut ones, mut both, mut rises, mut falls) = (0u64, 0u64, 0u64, 0u64);
        for (index, &word) in words.iter().enumerate() {
            // The bit after each bit: from this word and the next one.
            let next = word >> 1 | words.get(index + 1).map_or(0, |next| next << 63);
            let pairs = n - 1 - (64 * index).min(n - 1);
            let counted = if pairs >= 64 { !0 } else { (1 << pairs) - 1 };
            ones += u64::from(word.count_ones());
            both += u64::from((word & next & counted).count_ones());
            rises += u64::from((!word & next & counted).count_ones());
            falls += u64::from((word & !next & counted).count_ones());
        }
        (ones, n as u64 - 1 - both - rises - falls, rises, falls, both)
    }
    checked by BIT_COUNTS: |run| run(&sample::words::<3>(), 150)
}

/// For a byte of bits and the place to start: collisions of 2 and of 3, and how many bits of the byte were used.
const STEPS: usize = 8;
/// Parts of the data that are walked through in parallel: within a part each step waits for the one before it.
const WALKS: usize = 4;
/// Most steps to find out whether two walks meet.
const MOST_STEPS: usize = 1 << 12;

/// Number of collision times that are 2 and that are 3.
pub fn collision_counts(words: &[u64], n: usize) -> (u64, u64) {
    let table = collision_table();
    // A multiple of 2 and of 3: if all times are equal, a walk that begins there is on the path of the first one.
    let part = n / WALKS / 6 * 6;
    let ends: [usize; WALKS] = std::array::from_fn(|walk| if walk + 1 < WALKS { (walk + 1) * part } else { n });
    let mut walks: [Walk; WALKS] = std::array::from_fn(|walk| Walk::new(words, n, walk * part));
    for _ in 0..part / STEPS {
        for walk in &mut walks {
            walk.take_byte(&table);
        }
    }
    for (walk, end) in walks.iter_mut().zip(ends) {
        walk.take_bytes_until(end, &table);
    }
    let [mut whole, others @ ..] = walks;
    for (walk, other) in others.into_iter().enumerate() {
        // The place where `other` began was a guess. If the walk so far meets its path, both are equal from there on.
        let mut guessed = Walk::new(words, n, ends[walk]);
        for _ in 0..MOST_STEPS {
            if whole.i == guessed.i {
                break;
            }
            (if whole.i < guessed.i { &mut whole } else { &mut guessed }).take_one();
        }
        if whole.i == guessed.i && guessed.i <= other.i {
            whole.add(&other, &guessed);
        } else {
            whole.take_bytes_until(ends[walk + 1], &table);
        }
    }
    while whole.take_one() {}
    (whole.twos, whole.threes)
}

/// Counts collisions one after another, from some bit on.
#[derive(Clone, Copy)]
struct Walk<'a> {
    words: &'a [u64],
    n: usize,
    /// The bit that the next collision time starts with.
    i: usize,
    twos: u64,
    threes: u64,
}

impl<'a> Walk<'a> {
    fn new(words: &'a [u64], n: usize, i: usize) -> Self {
        Self { words, n, i, twos: 0, threes: 0 }
    }

    #[inline(always)]
    fn take_byte(&mut self, table: &[(u8, u8, u8); 256]) {
        let (index, shift) = (self.i / 64, self.i % 64);
        let next = self.words.get(index + 1).copied().unwrap_or(0);
        let byte = (self.words[index] >> shift | next << 1 << (63 - shift)) & 0xff;
        let (two, three, used) = table[byte as usize];
        self.twos += u64::from(two);
        self.threes += u64::from(three);
        self.i += usize::from(used);
    }

    #[inline(always)]
    fn take_bytes_until(&mut self, end: usize, table: &[(u8, u8, u8); 256]) {
        while self.i + STEPS <= end {
            self.take_byte(table);
        }
    }

    /// Take one collision; false if there is no further one.
    fn take_one(&mut self) -> bool {
        let i = self.i;
        if i + 1 < self.n && bit(self.words, i) == bit(self.words, i + 1) {
            self.twos += 1;
            self.i += 2;
        } else if i + 2 < self.n {
            self.threes += 1;
            self.i += 3;
        } else {
            return false;
        }
        true
    }

    /// Continue from the end of `other`, which was at this walk's place when it was `then`.
    fn add(&mut self, other: &Self, then: &Self) {
        self.i = other.i;
        self.twos += other.twos - then.twos;
        self.threes += other.threes - then.threes;
    }
}

fn collision_table() -> [(u8, u8, u8); 256] {
    std::array::from_fn(|byte| {
        let (mut twos, mut threes, mut i) = (0, 0, 0usize);
        while i + 3 <= STEPS {
            if (byte >> i ^ byte >> (i + 1)) & 1 == 0 {
                twos += 1;
                i += 2;
            } else {
                threes += 1;
                i += 3;
            }
        }
        (twos, threes, i as u8)
    })
}

/// Blocks in three words.
const BLOCKS_A_TURN: usize = 3 * 64 / BLOCK_BITS;
/// Gaps below this are counted without checking the length of the histogram.
const SHORT_GAPS: usize = 1 << 12;

/// Histogram of the gaps between equal blocks of 6 bits, for blocks after the first 1000.
pub fn gap_histogram(words: &[u64], n: usize) -> Result<Vec<u64>, OutOfMemory> {
    let blocks = n / BLOCK_BITS;
    if blocks <= DICTIONARY_BLOCKS {
        return Ok(Vec::new());
    }
    let mut gaps = Gaps { last: [0; 1 << BLOCK_BITS], short: [[0; SHORT_GAPS]; 2], long: zeros(SHORT_GAPS)? };
    let whole = blocks / BLOCKS_A_TURN;
    for (turn, words) in words.as_chunks::<3>().0.iter().enumerate().take(whole) {
        gaps.take(words, turn * BLOCKS_A_TURN, BLOCKS_A_TURN)?;
    }
    let mut rest = [0; 3];
    let from = 3 * whole.min(words.len());
    words[from.min(words.len())..].iter().zip(&mut rest).for_each(|(word, rest)| *rest = *word);
    gaps.take(&rest, whole * BLOCKS_A_TURN, blocks % BLOCKS_A_TURN)?;
    Ok(gaps.finish())
}

struct Gaps {
    /// Number, from 1 on, of the latest block of each value.
    last: [u32; 1 << BLOCK_BITS],
    /// Histograms of short gaps, used in turns: additions to a single one would wait for each other.
    short: [[u32; SHORT_GAPS]; 2],
    long: Vec<u64>,
}

impl Gaps {
    /// Take some blocks of three words, with `before` blocks before them.
    #[inline(always)]
    fn take(&mut self, words: &[u64; 3], before: usize, blocks: usize) -> Result<(), OutOfMemory> {
        for place in 0..blocks {
            let (word, shift) = (BLOCK_BITS * place / 64, BLOCK_BITS * place % 64);
            let mut block = words[word] >> shift;
            if shift > 64 - BLOCK_BITS {
                block |= words[word + 1] << (64 - shift);
            }
            let last = &mut self.last[(block & ((1 << BLOCK_BITS) - 1)) as usize];
            let index = before + place + 1;
            let gap = index - *last as usize;
            *last = index as u32;
            if index <= DICTIONARY_BLOCKS {
                continue;
            }
            if let Some(count) = self.short[place % 2].get_mut(gap) {
                *count += 1;
            } else {
                if gap >= self.long.len() {
                    resize(&mut self.long, 2 * gap, 0)?;
                }
                self.long[gap] += 1;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<u64> {
        for (gap, count) in self.long[..SHORT_GAPS].iter_mut().enumerate() {
            *count = u64::from(self.short[0][gap]) + u64::from(self.short[1][gap]);
        }
        let largest = self.long.iter().rposition(|&count| count > 0).unwrap_or(0);
        self.long.truncate(largest + 1);
        self.long
    }
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::noise;
    use super::*;

    #[test]
    fn table_and_steps_find_the_same_collisions() {
        let words = noise(40, 7);
        // Zeros interrupted by a single 1: walks that begin after it may never meet the first one.
        let mut interrupted = vec![0; 40];
        interrupted[5] = 1;
        for (words, n) in [1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 2000, 2001, 2002, 2003, 2560]
            .into_iter()
            .flat_map(|n| [(&words, n), (&interrupted, n)])
        {
            let (mut twos, mut threes, mut i) = (0, 0, 0);
            while i + 1 < n {
                if bit(words, i) == bit(words, i + 1) {
                    twos += 1;
                    i += 2;
                } else if i + 2 < n {
                    threes += 1;
                    i += 3;
                } else {
                    break;
                }
            }
            assert_eq!(collision_counts(words, n), (twos, threes));
        }
    }
}
