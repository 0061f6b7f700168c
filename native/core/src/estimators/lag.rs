//! The Lag predictor, SP 800-90B 6.3.8.

use super::scoreboard::Scoreboard;
use crate::simd::{multiversion, sample};

const LAGS: usize = 128;

/// Words of bits that are counted before the leader is determined.
const BLOCK: usize = 4;
/// Words that the longest lag looks back.
const REACH: usize = LAGS / 64;

multiversion! {
    /// Binary samples: the bits d before are the word shifted by d.
    pub fn of_bits(words: &[u64], n: usize) -> (u64, u64) {
        let mut board = Scoreboard::<LAGS>::new();
        // The first words, in which lags look back before the first bit.
        let mut index = (REACH + 1).min(words.len());
        for word in 0..index {
            board.play(&in_words(words, n, word));
        }
        let mut counts = [0u64; LAGS];
        while index + BLOCK <= n / 64 {
            let Some(near) = words[index - REACH..].first_chunk() else { break };
            count_block(near, &mut counts);
            board.play_block(BLOCK, &counts, |lag, word| agreement(near, word + REACH, lag));
            index += BLOCK;
        }
        for word in index..words.len() {
            board.play(&in_words(words, n, word));
        }
        (board.correct, board.longest_run())
    }
    checked by OF_BITS: |run| run(&sample::words::<8>(), 8 * 64 - 9)
}

/// In which steps of a word each lag is right, where it may look back before the first bit.
fn in_words(words: &[u64], n: usize, index: usize) -> [u64; LAGS] {
    let mut near = [0; REACH + 1];
    for (back, near) in near.iter_mut().rev().enumerate().take(index + 1) {
        *near = words[index - back];
    }
    let inside = if n - 64 * index < 64 { (1u64 << (n % 64)) - 1 } else { !0 };
    std::array::from_fn(|lag| {
        let missing = (lag + 1).saturating_sub(64 * index);
        agreement(&near, REACH, lag) & inside & if missing >= 64 { 0 } else { !0 << missing }
    })
}

/// In which steps of word `at` the bit `lag` + 1 steps before was the same.
#[inline(always)]
fn agreement<const N: usize>(words: &[u64; N], at: usize, lag: usize) -> u64 {
    let (back, shift) = (lag / 64, lag % 64);
    // Shifted by `shift` plus one, which may be 64.
    !(words[at] ^ (words[at - back] << shift << 1 | words[at - back - 1] >> (63 - shift)))
}

/// How often each lag is right in a block, where no lag looks back before the first word.
#[inline(always)]
fn count_block(words: &[u64; REACH + BLOCK], counts: &mut [u64; LAGS]) {
    for (back, counts) in counts.chunks_exact_mut(64).enumerate() {
        for (shift, count) in counts.iter_mut().enumerate() {
            *count = 0;
            for word in 0..BLOCK {
                *count += u64::from(agreement(words, word + REACH, 64 * back + shift).count_ones());
            }
        }
    }
}

multiversion! {
    /// Larger alphabets: each block of 64 samples is compared with the block d samples before.
    pub fn of_symbols(symbols: &[u8]) -> (u64, u64) {
        let mut board = Scoreboard::<LAGS>::new();
        let mut right = [0u64; LAGS];
        for start in (0..symbols.len()).step_by(64) {
            let block = &symbols[start..symbols.len().min(start + 64)];
            if let (Ok(block), true) = (<&[u8; 64]>::try_from(block), start >= LAGS) {
                for (lag, agree) in right.iter_mut().enumerate() {
                    let from = start - lag - 1;
                    if let Ok(earlier) = symbols[from..from + 64].try_into() {
                        *agree = equal_flags(block, earlier);
                    }
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
    checked by OF_SYMBOLS: |run| run(&sample::bytes::<200>(3))
}

/// Bit i says whether byte i of both blocks is the same.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn equal_flags(a: &[u8; 64], b: &[u8; 64]) -> u64 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8};
    let mut flags = 0u64;
    for part in 0..4 {
        // SAFETY: SSE2 is part of x86-64; 16 bytes from byte 16 * part on lie within both blocks, at any alignment.
        let equal = unsafe {
            let a = _mm_loadu_si128(a.as_ptr().add(16 * part).cast::<__m128i>());
            let b = _mm_loadu_si128(b.as_ptr().add(16 * part).cast::<__m128i>());
            _mm_movemask_epi8(_mm_cmpeq_epi8(a, b))
        };
        flags |= u64::from(equal as u16) << (16 * part);
    }
    flags
}

#[cfg(not(target_arch = "x86_64"))]
use portable_flags as equal_flags;

/// The portable twin of `equal_flags`.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable_flags(a: &[u8; 64], b: &[u8; 64]) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let mut flags = 0u64;
    for part in 0..8 {
        let eight = |bytes: &[u8; 64]| u64::from_le_bytes(std::array::from_fn(|byte| bytes[8 * part + byte]));
        let different = eight(a) ^ eight(b);
        // The highest bit of each byte that is 0, and of no other; then the eight bits are put next to one another.
        let equal = !(((different & LOW) + LOW) | different | LOW) >> 7;
        flags |= (equal.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * part);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_compare_blocks_agree() {
        let mut a = [0u8; 64];
        for round in 0..2000usize {
            let b = std::array::from_fn(|i| ((i * i + round * 7) % 251 * (i + round) % 3) as u8);
            let plain = (0..64).fold(0u64, |flags, i| flags | u64::from(a[i] == b[i]) << i);
            assert_eq!((equal_flags(&a, &b), portable_flags(&a, &b)), (plain, plain));
            a = b;
            a[round % 64] ^= 0x80;
        }
    }
}
