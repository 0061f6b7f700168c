//! Sorted suffixes of any text, however repetitive, in linear time.

use libsais::SuffixArrayConstruction;

use super::tuple_sums::TupleSums;

/// Push the common prefixes of all neighbours among the sorted suffixes of `text`, one symbol a byte.
pub fn push_all(text: &[u8], sums: &mut TupleSums) {
    let sorted = SuffixArrayConstruction::for_text(text).in_owned_buffer32().single_threaded().run();
    let with_prefixes = sorted.and_then(|suffixes| suffixes.plcp_construction().single_threaded().run());
    let Ok(found) = with_prefixes else {
        unreachable!("texts below 2^31 symbols are in the domain of the suffix array library")
    };
    let prefixes = found.plcp();
    sums.reserve(prefixes.iter().copied().max().unwrap_or(0) as usize);
    // The prefix of a suffix is the one it shares with the suffix before it. Looked up many at a time: the memory's latency is hidden.
    let mut looked_up = [0u32; 1 << 10];
    for suffixes in found.suffix_array()[1..].chunks(looked_up.len()) {
        for (length, &suffix) in looked_up.iter_mut().zip(suffixes) {
            *length = prefixes[suffix as usize] as u32;
        }
        for &length in &looked_up[..suffixes.len()] {
            sums.push(length);
        }
    }
    sums.push(0);
}
