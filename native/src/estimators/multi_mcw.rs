//! The MultiMCW predictor, SP 800-90B 6.3.7.

use super::scoreboard::{Runs, Scoreboard};
use crate::multiversion::multiversion;

const WINDOWS: [usize; 4] = [63, 255, 1023, 4095];

multiversion! {
    /// Bits: windows are odd, so the ones in each say what it predicts.
    pub fn of_bits(words: &[u64], n: usize) -> (u64, u64) {
        let mut board = Scoreboard::<4>::new();
        // Twice the ones in each window, less its size: positive if it predicts 1.
        let mut balance = WINDOWS.map(|size| -(size as i64));
        let mut right = [0u64; 4];
        for (index, &word) in words.iter().enumerate() {
            let mut leaving = WINDOWS.map(|size| bits_before(words, 64 * index, size));
            let mut entering = word;
            let mut predicted = [0u64; 4];
            for _ in 0..64 {
                for window in 0..4 {
                    predicted[window] = predicted[window] << 1 | u64::from(balance[window] > 0);
                    balance[window] += 2 * ((entering & 1) as i64 - (leaving[window] & 1) as i64);
                    leaving[window] >>= 1;
                }
                entering >>= 1;
            }
            for (right, predicted) in right.iter_mut().zip(predicted) {
                *right = !(predicted.reverse_bits() ^ word);
            }
            let valid = n - 64 * index;
            for (window, size) in WINDOWS.iter().enumerate() {
                let missing = size.saturating_sub(64 * index);
                right[window] &= if missing >= 64 { 0 } else { !0 << missing };
                right[window] &= if valid < 64 { (1 << valid) - 1 } else { !0 };
            }
            board.play(&right);
        }
        (board.correct, board.longest_run())
    }
}

/// 64 bits from `size` before `place`; those before the first bit are 0.
#[inline(always)]
fn bits_before(words: &[u64], place: usize, size: usize) -> u64 {
    if place >= size {
        let from = place - size;
        let (word, shift) = (from / 64, from % 64);
        let newer = words.get(word + 1).copied().unwrap_or(0);
        words[word] >> shift | (newer << 1) << (63 - shift)
    } else if place + 64 > size {
        words[0] << (size - place)
    } else {
        0
    }
}

/// The most common symbol of a window, ties to the one seen last.
struct Window {
    size: usize,
    /// Of each symbol: count in the window, and above ties the place it was last seen at.
    standing: [u64; 256],
    mode: usize,
}

const ONE: u64 = 1 << 32;

impl Window {
    fn new(size: usize, first: u8) -> Self {
        Self { size, standing: [0; 256], mode: usize::from(first) }
    }

    /// Symbol `i` enters, and the one `size` before it leaves.
    #[inline(always)]
    fn push(&mut self, symbols: &[u8], i: usize, k: usize) {
        let symbol = usize::from(symbols[i]);
        self.standing[symbol] = ((self.standing[symbol] & !(ONE - 1)) + ONE) | i as u64;
        if i >= self.size {
            let leaver = usize::from(symbols[i - self.size]);
            self.standing[leaver] -= ONE;
            if leaver == self.mode {
                self.mode = highest(&self.standing[..k]);
            }
        }
        if self.standing[symbol] >= self.standing[self.mode] {
            self.mode = symbol;
        }
    }
}

#[inline(always)]
fn highest(standing: &[u64]) -> usize {
    let most = standing.iter().copied().fold(0, u64::max);
    standing.iter().position(|&one| one == most).unwrap_or(0)
}

multiversion! {
    /// Symbols of larger alphabets.
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
}
