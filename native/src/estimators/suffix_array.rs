//! Sorted suffixes of any text, however repetitive, in linear time.

use libsais::SuffixArrayConstruction;

use super::huge_pages::zeros;
use super::prefetch::prefetch;
use super::tuple_sums::TupleSums;

/// Suffixes that are looked up at a time.
const BATCH: usize = 1 << 7;

/// Push the common prefixes of all neighbours among the sorted suffixes of `text`, one symbol a byte.
pub fn push_all(text: &[u8], sums: &mut TupleSums) {
    let (mut suffixes, mut prefixes) = (zeros(text.len(), 0i32), zeros(text.len(), 0i32));
    let sorted = SuffixArrayConstruction::for_text(text).in_borrowed_buffer(&mut suffixes).single_threaded().run();
    let with_prefixes =
        sorted.and_then(|sorted| sorted.plcp_construction().in_borrowed_buffer(&mut prefixes).single_threaded().run());
    if with_prefixes.is_err() {
        unreachable!("texts below 2^31 symbols are in the domain of the suffix array library")
    }
    sums.reserve(prefixes.iter().copied().max().unwrap_or(0) as usize);
    // The prefix of a suffix is the one it shares with the suffix before it. Looked up many at a time: the memory's latency is hidden.
    let mut looked_up = [0u32; BATCH];
    let mut rest = &suffixes[1..];
    while !rest.is_empty() {
        let (batch, others) = rest.split_at(rest.len().min(BATCH));
        rest = others;
        for (length, &suffix) in looked_up.iter_mut().zip(batch) {
            *length = prefixes[suffix as usize] as u32;
        }
        for &suffix in &rest[..rest.len().min(BATCH)] {
            prefetch(&prefixes, suffix as usize);
        }
        let lengths = &looked_up[..batch.len()];
        lengths.iter().for_each(|&length| sums.expect(length));
        lengths.iter().for_each(|&length| sums.push(length));
    }
    sums.push(0);
}
