//! The Lag predictor, SP 800-90B 6.3.8.

use super::scoreboard::Scoreboard;
use crate::multiversion::multiversion;

const LAGS: usize = 128;

multiversion! {
    /// Bits: what came d bits before is the word shifted by d.
    pub fn of_bits(words: &[u64], n: usize) -> (u64, u64) {
        let mut board = Scoreboard::<LAGS>::new();
        let mut right = [0u64; LAGS];
        let (mut before, mut last) = (0u64, 0u64);
        for (index, &word) in words.iter().enumerate() {
            for (lag, agree) in right.iter_mut().enumerate() {
                let lag = lag + 1;
                let (newer, older, by) = if lag < 64 { (word, last, lag) } else { (last, before, lag - 64) };
                let shifted = newer << by | (older >> 1) >> (63 - by as u32 % 64);
                *agree = !(word ^ if by == 64 { before } else { shifted });
            }
            let valid = n - 64 * index;
            if index < 3 || valid < 64 {
                let inside = if valid < 64 { (1u64 << valid) - 1 } else { !0 };
                for (lag, agree) in right.iter_mut().enumerate() {
                    // A lag reaches back before the first bit for a while.
                    let missing = (lag + 1).saturating_sub(64 * index);
                    *agree &= inside & if missing >= 64 { 0 } else { !0 << missing };
                }
            }
            board.play(&right);
            (before, last) = (last, word);
        }
        (board.correct, board.longest_run())
    }
}

multiversion! {
    /// Symbols: blocks of 64 are compared with the block d symbols before.
    pub fn of_symbols(symbols: &[u8]) -> (u64, u64) {
        let mut board = Scoreboard::<LAGS>::new();
        let mut right = [0u64; LAGS];
        for start in (0..symbols.len()).step_by(64) {
            let block = &symbols[start..symbols.len().min(start + 64)];
            if let (Ok(block), true) = (<&[u8; 64]>::try_from(block), start >= LAGS) {
                for (lag, agree) in right.iter_mut().enumerate() {
                    let from = start - lag - 1;
                    let earlier: &[u8] = &symbols[from..from + 64];
                    *agree = equal_flags(block, earlier);
                }
            } else {
                for (lag, agree) in right.iter_mut().enumerate() {
                    *agree = 0;
                    for (step, &symbol) in block.iter().enumerate() {
                        let same = start + step > lag && symbols[start + step - lag - 1] == symbol;
                        *agree |= u64::from(same) << step;
                    }
                }
            }
            board.play(&right);
        }
        (board.correct, board.longest_run())
    }
}

/// Bit i says whether byte i of both blocks is the same.
#[inline(always)]
fn equal_flags(a: &[u8; 64], b: &[u8]) -> u64 {
    let mut flags = 0u64;
    for (part, (a, b)) in a.chunks_exact(8).zip(b.chunks_exact(8)).enumerate() {
        let mut eight = 0u64;
        for (step, (a, b)) in a.iter().zip(b).enumerate() {
            eight |= u64::from(a == b) << step;
        }
        flags |= eight << (8 * part);
    }
    flags
}
