//! Sorted suffixes of any text in linear time, even if it is very repetitive.

use libsais::{LibsaisError, SuffixArrayConstruction};

use super::text::Text;
use super::tuple_sums::TupleSums;
use crate::memory::huge_pages::zeros;
use crate::memory::prefetch::prefetch;
use crate::memory::OutOfMemory;
use crate::simd::{multiversion, sample};

/// Number of suffixes that are looked up at a time.
const BATCH: usize = 1 << 7;
/// Words that may be compared for each suffix, on average.
const WORDS_A_SUFFIX: usize = 4;
const MORE_WORDS: usize = 1 << 16;

/// The common prefixes of all neighbours among the sorted suffixes of `text`; `symbols` is the same text, one a byte.
pub fn prefixes_of_all(text: &Text, symbols: &[u8]) -> Result<TupleSums, OutOfMemory> {
    let mut suffixes = zeros::<i32>(text.n)?;
    let sorted = SuffixArrayConstruction::for_text(symbols)
        .in_borrowed_buffer(&mut suffixes)
        .single_threaded()
        .run()
        .map_err(|error| no_memory(&error))?;
    if let Some(sums) = compared(text, sorted.suffix_array())? {
        return Ok(sums);
    }
    let mut prefixes = zeros::<i32>(text.n)?;
    let found = sorted.plcp_construction().in_borrowed_buffer(&mut prefixes).single_threaded().run();
    drop(found.map_err(|error| no_memory(&error))?);
    looked_up(&suffixes, &prefixes)
}

/// The library allocates its own working memory; a lack of it is the only error that it can return here.
fn no_memory(error: &LibsaisError) -> OutOfMemory {
    match error {
        LibsaisError::OutOfMemory => OutOfMemory,
        _ => unreachable!("texts below 2^31 symbols, and its own suffix arrays, are in the domain of the library"),
    }
}

multiversion! {
    /// Compare neighbours; None if their prefixes are too long for that.
    fn compared(text: &Text, suffixes: &[i32]) -> Result<Option<TupleSums>, OutOfMemory> {
        let mut sums = TupleSums::new()?;
        let (mut words, mut most_words) = (0, MORE_WORDS);
        let mut last = suffixes[0] as usize;
        for batch in suffixes[1..].chunks(BATCH) {
            let mut prefixes = [0u32; BATCH];
            for (prefix, &suffix) in prefixes.iter_mut().zip(batch) {
                let suffix = suffix as usize;
                *prefix = text.common_prefix(last, suffix, 0, &mut words) as u32;
                last = suffix;
                if words > most_words {
                    return Ok(None);
                }
            }
            for &prefix in &prefixes[..batch.len()] {
                sums.push(prefix)?;
            }
            most_words += WORDS_A_SUFFIX * batch.len();
        }
        sums.push(0)?;
        Ok(Some(sums))
    }
    checked by COMPARED: |run| {
        let symbols = sample::bytes::<64>(3);
        let mut suffixes: [i32; 64] = std::array::from_fn(|place| place as i32);
        suffixes.sort_unstable_by_key(|&place| &symbols[place as usize..]);
        let counts = Text::new(&symbols, 64, 3).and_then(|text| run(&text, &suffixes)?.map(|sums| sums.finish(&[])).transpose());
        counts.map(|counts| counts.map(|counts| (counts.most_common, counts.longest, counts.pairs)))
    }
}

/// From the prefix that each suffix, in the order of the text, shares with the suffix sorted before it.
fn looked_up(suffixes: &[i32], prefixes: &[i32]) -> Result<TupleSums, OutOfMemory> {
    let mut sums = TupleSums::new()?;
    sums.reserve(prefixes.iter().copied().max().unwrap_or(0) as usize)?;
    // Many at a time, with the next ones loaded ahead: this hides the latency of memory.
    let mut lengths = [0u32; BATCH];
    let mut rest = &suffixes[1..];
    while !rest.is_empty() {
        let (batch, others) = rest.split_at(rest.len().min(BATCH));
        rest = others;
        for (length, &suffix) in lengths.iter_mut().zip(batch) {
            *length = prefixes[suffix as usize] as u32;
        }
        for &suffix in &rest[..rest.len().min(BATCH)] {
            prefetch(prefixes, suffix as usize);
        }
        let lengths = &lengths[..batch.len()];
        lengths.iter().for_each(|&length| sums.expect(length));
        for &length in lengths {
            sums.push(length)?;
        }
    }
    sums.push(0)?;
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::noise;
    use super::*;

    #[test]
    fn both_ways_to_find_prefixes_agree() {
        for (k, n) in [(2u64, 20_000), (2, 20_001), (3, 9000), (200, 30_000)] {
            let mut symbols: Vec<u8> =
                noise(n, k).iter().map(|word| ((word >> 20) % k).min((word >> 40) % k) as u8).collect();
            symbols.copy_within(100..700, n - 600);
            let text = Text::of_symbols(&symbols, k as usize);
            let sorted =
                SuffixArrayConstruction::for_text(&symbols).in_owned_buffer32().single_threaded().run().unwrap();
            let by_comparison = compared(&text, sorted.suffix_array()).unwrap().unwrap().finish(&[]).unwrap();
            let found = sorted.plcp_construction().single_threaded().run().unwrap();
            let by_look_up = looked_up(found.suffix_array(), found.plcp()).unwrap().finish(&[]).unwrap();
            assert_eq!(by_comparison.most_common, by_look_up.most_common);
            assert_eq!((by_comparison.longest, by_comparison.pairs), (by_look_up.longest, by_look_up.pairs));
        }
    }
}
