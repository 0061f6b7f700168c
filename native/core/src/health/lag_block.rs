//! The predictors of the Lag Predictor Test on one block of samples.

use crate::simd::{multiversion, sample};

pub const LAGS: usize = 64;
pub const PREDICTORS: usize = LAGS + 2;
/// Indices of the predictors that are not lags.
const LINE: usize = LAGS;
const VOTE: usize = LAGS + 1;
/// Lags that the vote chooses from.
pub const VOTING_LAGS: usize = LAGS / 3;
/// Samples of a block: runs and counts of a lane fit into bytes.
pub const BLOCK: usize = 128;
/// Longest run that a lane begins a block with.
const LONGEST_BEGUN: u32 = 127;
/// A block and the samples before it, newest first: the sample at `i` comes after those at `i + 1` and on.
pub type Near = [u8; BLOCK + LAGS];
/// A number for each predictor.
pub type Numbers = [u32; PREDICTORS];

/// Results of all predictors in a block.
pub struct InBlock {
    /// The longest run of any predictor.
    pub longest: u32,
    /// The highest count of any predictor in the window so far.
    pub most: u32,
    pub runs: Numbers,
    pub in_window: Numbers,
}

multiversion! {
    /// Count the correct predictions in a block of `n` samples with 64 samples before it. Loops are plain and, where
    /// possible, of fixed length, so that the compiler makes vector code of them.
    pub fn count_block(near: &Near, n: usize, runs: &Numbers, in_window: &Numbers, mask: u8, best: usize) -> InBlock {
        let n = n.min(BLOCK);
        let mut found = InBlock { longest: 0, most: 0, runs: [0; PREDICTORS], in_window: *in_window };
        // A lane for each lag. Runs that began before the block are cut to what a byte holds, and corrected afterwards.
        let mut run = [0u8; LAGS];
        let mut longest = [0u8; LAGS];
        let mut count = [0u8; LAGS];
        let mut begun = 0;
        for lag in 0..LAGS {
            run[lag] = runs[lag].min(LONGEST_BEGUN) as u8;
            begun = begun.max(runs[lag]);
        }
        for at in (0..n).rev() {
            let past = &near[at + 1..at + 1 + LAGS];
            for lag in 0..LAGS {
                let right = if past[lag] == near[at] { u8::MAX } else { 0 };
                run[lag] = run[lag].saturating_add(1) & right;
                longest[lag] = longest[lag].max(run[lag]);
                count[lag] = count[lag].wrapping_sub(right);
            }
        }
        let mut top = 0;
        for lag in 0..LAGS {
            top = top.max(longest[lag]);
            found.in_window[lag] += u32::from(count[lag]);
            found.runs[lag] = u32::from(run[lag]);
        }
        found.longest = u32::from(top);
        if begun > LONGEST_BEGUN {
            end_long_runs(near, n, runs, &mut found);
        }
        let (line, vote) = right_by_line_and_vote(near, mask, best);
        note_single(&mut found, LINE, line, n, runs[LINE]);
        note_single(&mut found, VOTE, vote, n, runs[VOTE]);
        let mut most = 0;
        for index in 0..PREDICTORS {
            most = most.max(found.in_window[index]);
        }
        found.most = most;
        found
    }
    checked by COUNT_BLOCK: |run| {
        let mut near: Near = [0; BLOCK + LAGS];
        near.copy_from_slice(&sample::bytes::<{ BLOCK + LAGS }>(3));
        let of = |n, begun, best| {
            let found = run(&near, n, &[begun; PREDICTORS], &[9; PREDICTORS], 3, best);
            (found.longest, found.most, found.runs, found.in_window)
        };
        (of(BLOCK, 5, 2), of(77, 200, VOTING_LAGS))
    }
}

/// Where the straight line and the vote are right: bit `at` is for the sample at `at`, which counts in a block only.
#[inline(always)]
fn right_by_line_and_vote(near: &Near, mask: u8, best: usize) -> (u128, u128) {
    let of = |from: usize| near[from..].first_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]);
    let (actual, one, two) = (of(0), of(1), of(2));
    let (nearest, middle, far) = (of(best), of(2 * best), of(3 * best));
    let mut line = [0u8; BLOCK];
    let mut vote = [0u8; BLOCK];
    for at in 0..BLOCK {
        line[at] = u8::from(one[at].wrapping_mul(2).wrapping_sub(two[at]) & mask == actual[at]);
        let agreed = u8::from(middle[at] == far[at]).wrapping_neg();
        vote[at] = u8::from((middle[at] & agreed | nearest[at] & !agreed) == actual[at]);
    }
    (packed(&line), packed(&vote))
}

/// Flags, one a byte, as bits.
#[inline(always)]
fn packed(flags: &[u8; BLOCK]) -> u128 {
    let mut bits = [0u8; BLOCK / 8];
    for part in 0..BLOCK / 8 {
        let eight = flags[8 * part..].first_chunk().unwrap_or(&[0; 8]);
        // Each factor 2^(56 - 7 i) brings flag i to bit 56 + i.
        bits[part] = (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
    }
    u128::from_le_bytes(bits)
}

/// Count a predictor that was right where `bits` are 1, the highest of `n` bits first, with a run of `begun` before.
#[inline(always)]
fn note_single(found: &mut InBlock, index: usize, bits: u128, n: usize, begun: u32) {
    if n == 0 {
        return;
    }
    let bits = bits << (BLOCK - n); // now the last sample is bit 128 - n
    let first = bits.leading_ones().min(n as u32);
    let mut longest = begun.saturating_add(first);
    found.runs[index] = if first == n as u32 { longest } else { (bits >> (BLOCK - n)).trailing_ones() };
    let (mut rest, mut run) = (bits, 0);
    while rest != 0 {
        rest &= rest << 1;
        run += 1;
    }
    longest = longest.max(run);
    found.longest = found.longest.max(longest);
    found.in_window[index] += bits.count_ones();
}

/// Correct the runs of a block that are longer than a byte holds.
#[cold]
fn end_long_runs(near: &Near, n: usize, runs: &Numbers, found: &mut InBlock) {
    for lag in 0..LAGS {
        if runs[lag] > LONGEST_BEGUN {
            let rest = (0..n).rev().find(|&at| near[at] != near[at + 1 + lag]).map_or(0, |at| at + 1);
            let run = runs[lag].saturating_add((n - rest) as u32);
            found.longest = found.longest.max(run);
            if rest == 0 {
                found.runs[lag] = run;
            }
        }
    }
}

/// The last sample plus the last difference.
#[inline(always)]
fn line_at(near: &Near, at: usize, mask: u8) -> u8 {
    near[at + 1].wrapping_mul(2).wrapping_sub(near[at + 2]) & mask
}

/// The value of two or more of three samples, otherwise that of the nearest.
#[inline(always)]
fn vote_at(near: &Near, at: usize, best: usize) -> u8 {
    let (middle, far) = (near[at + 2 * best], near[at + 3 * best]);
    if middle == far {
        middle
    } else {
        near[at + best]
    }
}

/// Whether each predictor is right about the sample at `at`, which has only `known` samples before it.
pub fn judge_sample(near: &Near, at: usize, known: usize, mask: u8, best: usize) -> [bool; PREDICTORS] {
    let mut right = [false; PREDICTORS];
    for lag in 1..=known {
        right[lag - 1] = near[at + lag] == near[at];
    }
    right[LINE] = known >= 2 && line_at(near, at, mask) == near[at];
    right[VOTE] = if known >= 3 * best {
        vote_at(near, at, best) == near[at]
    } else {
        // Two samples before the start of the data would be equal; a single one equals no sample.
        known >= 2 * best && near[at + best] == near[at]
    };
    right
}
