//! The counts behind the ten estimators of SP 800-90B 6.3. Twins of `kernels/reference/{bit_statistics,tuples,
//! multi_mcw,lag,multi_mmc,lz78y}.py`, which specify each of them.

mod bit_statistics;
mod context_trie;
mod lag;
mod lanes;
mod lz78y;
mod multi_mcw;
mod multi_mmc;
mod multi_mmc_bits;
mod order_records;
mod prefix_counts;
pub mod radix_sort;
mod scoreboard;
mod short_tuples;
mod suffix_array;
pub mod symbols;
mod text;
mod tuple_sums;
mod tuples;

pub use symbols::{check_alphabet, Symbols};
pub use tuple_sums::TupleCounts;

use crate::memory::OutOfMemory;
use crate::simd::Path;

/// The paths of this module that are chosen at run time.
pub(crate) static PATHS: &[&Path] = &[
    &bit_statistics::BIT_COUNTS,
    &lag::OF_BITS,
    &lag::OF_SYMBOLS,
    &lanes::PATH,
    &lz78y::MAJORITY,
    &multi_mcw::OF_BITS,
    &multi_mcw::OF_SYMBOLS,
    &multi_mmc_bits::OF_BITS,
    &prefix_counts::TAKE_LANES,
    &short_tuples::BUCKET_SIZES,
    &short_tuples::COUNT_LEAVES,
    &short_tuples::DISTRIBUTE,
    &short_tuples::FIND,
    &short_tuples::INTO_LEAVES,
    &suffix_array::COMPARED,
    &text::COUNT_BUCKETS,
    &text::PLACE_IN_BUCKETS,
    &tuples::COMMON_PREFIXES,
];

/// Number of ones and of the transitions 00, 01, 10, 11.
pub fn bit_counts(bits: Symbols<'_>) -> Result<(u64, u64, u64, u64, u64), OutOfMemory> {
    Ok(bit_statistics::bit_counts(&bits.words()?, bits.n))
}

/// Number of collision times that are 2 and that are 3.
pub fn collision_counts(bits: Symbols<'_>) -> Result<(u64, u64), OutOfMemory> {
    Ok(bit_statistics::collision_counts(&bits.words()?, bits.n))
}

/// Histogram of the gaps between equal blocks of 6 bits.
pub fn gap_histogram(bits: Symbols<'_>) -> Result<Vec<u64>, OutOfMemory> {
    bit_statistics::gap_histogram(&bits.words()?, bits.n)
}

/// Counts of the most common tuples, v, and the repeated pairs of W-tuples for W = u, ..., v.
pub fn tuple_counts(symbols: Symbols<'_>) -> Result<TupleCounts, OutOfMemory> {
    tuples::tuple_counts(symbols.bytes, symbols.n, symbols.k)
}

/// C and the longest run of correct predictions.
pub fn multi_mcw(symbols: Symbols<'_>) -> Result<(u64, u64), OutOfMemory> {
    match symbols.bits()? {
        Some(words) => multi_mcw::of_bits(&words, symbols.n),
        None => Ok(multi_mcw::of_symbols(symbols.bytes, symbols.k)),
    }
}

/// C and the longest run of correct predictions.
pub fn lag(symbols: Symbols<'_>) -> Result<(u64, u64), OutOfMemory> {
    Ok(match symbols.bits()? {
        Some(words) => lag::of_bits(&words, symbols.n),
        None => lag::of_symbols(symbols.bytes),
    })
}

/// C and the longest run of correct predictions.
pub fn multi_mmc(symbols: Symbols<'_>) -> Result<(u64, u64), OutOfMemory> {
    match symbols.bits()? {
        Some(words) => multi_mmc_bits::of_bits(&words, symbols.n),
        None => multi_mmc::of_symbols(symbols.bytes, symbols.k),
    }
}

/// C and the longest run of correct predictions.
pub fn lz78y(symbols: Symbols<'_>) -> Result<(u64, u64), OutOfMemory> {
    match symbols.bits()? {
        Some(words) => lz78y::of_bits(&words, symbols.n),
        None => lz78y::of_symbols(symbols.bytes, symbols.k),
    }
}
