//! The MultiMCW predictor, SP 800-90B 6.3.7.

#[cfg(target_arch = "x86_64")]
use super::lanes::Vectors;
use super::lanes::{vectors_are_right, Lanes, Portable, Steps};
use super::scoreboard::{Runs, Scoreboard};
use crate::memory::{zeros, OutOfMemory};
use crate::simd::{multiversion, sample};

const WINDOWS: [usize; 4] = [63, 255, 1023, 4095];

/// Binary samples: windows are odd, so the number of ones in each decides its prediction.
pub fn of_bits(words: &[u64], n: usize) -> Result<(u64, u64), OutOfMemory> {
    if vectors_are_right() {
        with_vectors(words, n)
    } else {
        of_bits_by::<Portable>(words, n)
    }
}

multiversion! {
    fn with_vectors(words: &[u64], n: usize) -> Result<(u64, u64), OutOfMemory> {
        of_bits_by::<Portable>(words, n)
    }
    on vectors { of_bits_by::<Vectors>(words, n) }
    checked by OF_BITS: |run| run(&sample::words::<12>(), 12 * 64 - 9)
}

/// Steps that the largest window looks back from a word, in whole words, and the words whose counts are kept with them.
const HISTORY: usize = 4096;
const BLOCK: usize = 64;

/// Ones before each bit of a byte, the lowest bit first.
static ONES_BEFORE: [[u8; 8]; 256] = {
    let mut ones = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut place = 1;
        while place < 8 {
            ones[byte][place] = ones[byte][place - 1] + (byte >> (place - 1) & 1) as u8;
            place += 1;
        }
        byte += 1;
    }
    ones
};

#[inline(always)]
fn of_bits_by<L: Lanes>(words: &[u64], n: usize) -> Result<(u64, u64), OutOfMemory> {
    let mut board = Scoreboard::<4>::new();
    // Ones before each step: for the steps of the block and those before it.
    let mut counts = zeros::<i32>(HISTORY + 64 * BLOCK)?;
    let mut ones: i32 = 0;
    for (block, words) in words.chunks(BLOCK).enumerate() {
        for (index, &word) in words.iter().enumerate() {
            let steps = HISTORY + 64 * index..HISTORY + 64 * (index + 1);
            for (counts, byte) in counts[steps.clone()].as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
                for (count, before) in counts.iter_mut().zip(ONES_BEFORE[usize::from(byte)]) {
                    *count = ones.wrapping_add(i32::from(before));
                }
                ones = ones.wrapping_add(byte.count_ones() as i32);
            }
            let from = 64 * (block * BLOCK + index);
            let valid = n - from;
            let mut right = [0; 4];
            for (right, size) in right.iter_mut().zip(WINDOWS) {
                let (now, then) = (&counts[steps.clone()], &counts[steps.start - size..steps.end - size]);
                let mut in_window: Steps = [0; 64];
                for ((in_window, now), then) in in_window.iter_mut().zip(now).zip(then) {
                    *in_window = now.wrapping_sub(*then);
                }
                let hits = !(L::above(&in_window, -1, size as i32 / 2) ^ word);
                // A window predicts once it is full.
                let missing = size.saturating_sub(from);
                let full = if missing >= 64 { 0 } else { !0 << missing };
                *right = hits & full & if valid < 64 { (1 << valid) - 1 } else { !0 };
            }
            board.play(&right);
        }
        counts.copy_within(64 * BLOCK.., 0);
    }
    Ok((board.correct, board.longest_run()))
}

/// The most common symbol of a window; ties go to the symbol seen last.
struct Window {
    size: usize,
    /// For each symbol its count in the window and, to break ties, the place where it was seen last. Signed, because
    /// vectors compare signed numbers faster.
    standing: [i64; 256],
    mode: usize,
    /// No other symbol stands above this limit, and the mode not below: no search is needed before the mode falls below
    /// it.
    rivals_limit: i64,
}

const ONE: i64 = 1 << 32;

impl Window {
    fn new(size: usize, first: u8) -> Self {
        Self { size, standing: [0; 256], mode: usize::from(first), rivals_limit: 0 }
    }

    /// Sample `i` enters, and the sample `size` before it leaves.
    #[inline(always)]
    fn push(&mut self, symbols: &[u8], i: usize, k: usize) {
        let symbol = usize::from(symbols[i]);
        self.standing[symbol] = ((self.standing[symbol] & !(ONE - 1)) + ONE) | i as i64;
        if i >= self.size {
            let leaver = usize::from(symbols[i - self.size]);
            self.standing[leaver] -= ONE;
            if leaver == self.mode && self.standing[leaver] < self.rivals_limit {
                self.search(symbols, k);
            }
        }
        let standing = self.standing[symbol];
        if standing > self.rivals_limit && symbol != self.mode {
            self.rivals_limit = standing;
            if standing >= self.standing[self.mode] {
                self.mode = symbol;
            }
        }
    }

    #[inline(always)]
    fn search(&mut self, symbols: &[u8], k: usize) {
        let (before, standing) = (self.mode, &mut self.standing[..k]);
        let most = standing.iter().copied().fold(0, i64::max);
        self.mode = usize::from(symbols[(most & (ONE - 1)) as usize]);
        self.rivals_limit = most;
        if self.mode == before {
            // The mode stays. No further search is needed soon if the others stand lower.
            standing[self.mode] = 0;
            self.rivals_limit = standing.iter().copied().fold(0, i64::max);
            standing[self.mode] = most;
        }
    }
}

multiversion! {
    /// Larger alphabets.
    pub fn of_symbols(symbols: &[u8], k: usize) -> (u64, u64) {
        let mut windows = WINDOWS.map(|size| Window::new(size, symbols[0]));
        let mut scores = [0u64; 4];
        let (mut winner, mut correct, mut runs) = (0usize, 0u64, Runs::default());
        for (i, &symbol) in symbols.iter().enumerate() {
            let mut right = [false; 4];
            for (window, right) in windows.iter_mut().zip(&mut right) {
                *right = i >= window.size && window.mode == usize::from(symbol);
                window.push(symbols, i, k);
            }
            if i >= WINDOWS[0] {
                runs.step(right[winner]);
                correct += u64::from(right[winner]);
            }
            for (window, &right) in right.iter().enumerate() {
                if right {
                    scores[window] += 1;
                    if scores[window] >= scores[winner] {
                        winner = window;
                    }
                }
            }
        }
        (correct, runs.longest)
    }
    checked by OF_SYMBOLS: |run| run(&sample::bytes::<300>(3), 3)
}
