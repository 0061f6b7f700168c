//! The counts behind the ten estimators of SP 800-90B 6.3. Twins of `kernels/reference/{bit_statistics,tuples,multi_mcw,
//! lag,multi_mmc,lz78y}.py`, which say what each one is.

mod bit_statistics;
mod context_trie;
mod huge_pages;
mod lag;
mod lanes;
mod lz78y;
mod multi_mcw;
mod multi_mmc;
mod multi_mmc_bits;
mod order_records;
mod prefetch;
mod prefix_counts;
mod python;
pub mod radix_sort;
mod scoreboard;
mod short_tuples;
mod suffix_array;
mod symbols;
mod text;
mod tuple_sums;
mod tuples;

pub use python::register;
