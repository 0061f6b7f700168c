//! Counts of repeated tuples of every length, SP 800-90B 6.3.5 and 6.3.6.
//!
//! Most data need no suffix array. Suffixes are distributed by their first bits. Within a bucket, numbers of 64 bits
//! are sorted, with the next symbols above the place; equal ones are sorted again by the symbols after these. For data
//! whose repeats are too long for that, a suffix array is computed in linear time.

use super::prefix_counts::{self, PrefixCounts};
use super::radix_sort::{distribute, sort, sort_parts, DIGIT_BITS};
use super::short_tuples::{short_tuples, ShortTuples};
use super::suffix_array;
use super::text::{count_buckets, place_in_buckets, Text};
use super::tuple_sums::{TupleCounts, TupleSums};
use crate::memory::{self, collected, copied, extend, push, reserve, resize, with_room, OutOfMemory};
use crate::simd::{multiversion, sample};

/// Most bits by which suffixes are distributed.
const BUCKET_BITS: usize = 12;
/// Deepest nesting of groups within groups.
const DEEPEST: usize = 64;

pub fn tuple_counts(bytes: &[u8], n: usize, k: usize) -> Result<TupleCounts, OutOfMemory> {
    let text = Text::new(bytes, n, k)?;
    if let Some(short) = short_tuples(&text)? {
        if let Some(counts) = finished(Sorter::new(&text)?.run_beyond(&short))? {
            return Ok(counts);
        }
    }
    if !text.is_repetitive()? {
        if let Some(counts) = finished(Sorter::new(&text)?.run())? {
            return Ok(counts);
        }
    }
    let sums = if k == 2 {
        suffix_array::prefixes_of_all(&text, &unpacked(bytes, n)?)?
    } else {
        suffix_array::prefixes_of_all(&text, bytes)?
    };
    sums.finish(&[])
}

/// Why a sorter stopped.
enum Stop {
    /// The data are too repetitive: its budget is spent.
    Repetitive,
    OutOfMemory,
}

impl From<OutOfMemory> for Stop {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// The counts, or None if the data were too repetitive.
fn finished(counts: Result<TupleCounts, Stop>) -> Result<Option<TupleCounts>, OutOfMemory> {
    match counts {
        Ok(counts) => Ok(Some(counts)),
        Err(Stop::Repetitive) => Ok(None),
        Err(Stop::OutOfMemory) => Err(OutOfMemory),
    }
}

/// Packed bits, one a byte.
fn unpacked(packed: &[u8], n: usize) -> Result<Vec<u8>, OutOfMemory> {
    let mut bits = memory::zeros(8 * packed.len())?;
    for (bits, byte) in bits.as_chunks_mut::<8>().0.iter_mut().zip(packed) {
        *bits = std::array::from_fn(|place| byte >> (7 - place) & 1);
    }
    bits.truncate(n);
    Ok(bits)
}

struct Sorter<'a> {
    text: &'a Text,
    /// Tuples of the buckets' length and up to `symbols` symbols more.
    prefixes: PrefixCounts,
    /// Longer tuples, and tuples of buckets that are too large for `prefixes`.
    sums: TupleSums,
    /// An entry holds the bits of `symbols` symbols above the place, stored so that later places come first: a suffix
    /// that ends within the symbols sorts before all that go on.
    place_bits: u32,
    symbols: usize,
    /// The bits of an entry that hold symbols: the highest ones.
    key: u64,
    /// Entries of the buckets and groups being sorted, the innermost last.
    entries: Vec<u64>,
    scratch: Vec<u64>,
    /// Entries and words that may still be read after the first sort.
    budget: isize,
}

impl<'a> Sorter<'a> {
    fn new(text: &'a Text) -> Result<Self, OutOfMemory> {
        let place_bits = (usize::BITS - text.n.leading_zeros()).max(1);
        let symbols = (64 - place_bits as usize) / text.width;
        let key = !(!0 >> (symbols * text.width));
        let budget = 3 * text.n as isize + (1 << 16);
        Ok(Self {
            text,
            prefixes: PrefixCounts::new(),
            sums: TupleSums::new()?,
            place_bits,
            symbols,
            key,
            entries: Vec::new(),
            scratch: Vec::new(),
            budget,
        })
    }

    #[inline(always)]
    fn entry(&self, i: usize, offset: usize) -> u64 {
        let key = if i + offset < self.text.n { self.text.bits_from(i + offset) & self.key } else { 0 };
        key | (((1 << self.place_bits) - 1) - i as u64)
    }

    #[inline(always)]
    fn place(&self, entry: u64) -> usize {
        let mask = (1u64 << self.place_bits) - 1;
        (mask - (entry & mask)) as usize
    }

    /// Count all tuples.
    fn run(mut self) -> Result<TupleCounts, Stop> {
        let (n, width) = (self.text.n, self.text.width);
        let prefix = (BUCKET_BITS / width).max(1);
        let bucket_bits = prefix * width;
        let shift = 64 - bucket_bits as u32;
        let mut sizes = memory::zeros(1 << bucket_bits)?;
        count_buckets(&self.text.words, n, width, shift, &mut sizes);
        let mut next = with_room(sizes.len())?;
        let mut start = 0;
        for &size in &sizes {
            next.push(start);
            start += size;
        }
        let mut places = memory::zeros::<u32>(n)?;
        place_in_buckets(&self.text.words, n, width, shift, &mut next, &mut places);
        let mut shared = Vec::new();
        let mut rest = places.as_slice();
        for &size in &sizes {
            let (members, others) = rest.split_at(size as usize);
            rest = others;
            if size < 2 {
                continue;
            }
            self.sort_bucket(members, prefix)?;
            if members.len() > prefix_counts::MOST_SUFFIXES {
                self.sums.start_group(prefix)?;
                self.push_sorted(0, members.len(), prefix)?;
                self.sums.push(prefix as u32)?;
                continue;
            }
            common_prefixes(&self.entries, &self.text.symbols_in, self.symbols as u8, &mut shared)?;
            if members[members.len() - 1] as usize + prefix + self.symbols > n {
                // Suffixes that end within the symbols share no more than their length.
                for (pair, shared) in self.entries.windows(2).zip(&mut shared) {
                    let later = self.place(pair[0]).max(self.place(pair[1]));
                    *shared = (*shared).min((n - later).saturating_sub(prefix).min(self.symbols) as u8);
                }
            }
            self.prefixes.take(&shared);
            if shared.contains(&(self.symbols as u8)) {
                self.push_ties(prefix)?;
            }
        }
        let mut shorter = self.bucket_counts(sizes, prefix)?;
        extend(&mut shorter, self.prefixes.most.iter().copied().zip(self.prefixes.pairs).take(self.symbols))?;
        Ok(self.sums.finish(&shorter)?)
    }

    /// Count the tuples longer than windows.
    fn run_beyond(mut self, short: &ShortTuples) -> Result<TupleCounts, Stop> {
        let mut places = short.places(self.text)?;
        places.sort_unstable();
        for group in places.chunk_by(|a, b| a.0 == b.0) {
            self.entries.clear();
            for &(_, place) in group {
                let entry = self.entry(place as usize, short.window);
                push(&mut self.entries, entry)?;
            }
            sort(&mut self.entries, &mut self.scratch)?;
            self.sums.start_group(short.window)?;
            self.push_sorted(0, group.len(), short.window)?;
            self.sums.push(short.window as u32)?;
        }
        Ok(self.sums.finish(&short.counts)?)
    }

    /// Make the entries of a bucket's places, sorted.
    fn sort_bucket(&mut self, members: &[u32], prefix: usize) -> Result<(), OutOfMemory> {
        let digit_bits = (members.len().ilog2() + 1).min(DIGIT_BITS);
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut starts = [0u32; 1 << DIGIT_BITS];
        scratch.clear();
        reserve(&mut scratch, members.len())?;
        scratch.extend(members.iter().map(|&i| {
            let entry = self.entry(i as usize, prefix);
            starts[(entry >> (64 - digit_bits)) as usize] += 1;
            entry
        }));
        self.entries.clear();
        resize(&mut self.entries, members.len(), 0)?;
        distribute(&scratch, &mut self.entries, &mut starts[..1 << digit_bits], 64 - digit_bits);
        self.scratch = scratch;
        sort_parts(&mut self.entries, &starts[..1 << digit_bits], &mut self.scratch)
    }

    /// From the sizes of the buckets: for tuples of 1 to `prefix` symbols, the count of the most common one, and the
    /// pairs.
    fn bucket_counts(&self, mut sizes: Vec<u32>, prefix: usize) -> Result<Vec<(u64, u64)>, OutOfMemory> {
        let (n, width) = (self.text.n, self.text.width);
        let mut counts = Vec::new();
        for length in (1..=prefix).rev() {
            if length < prefix {
                sizes = collected(sizes.chunks(1 << width).map(|chunk| chunk.iter().sum()))?;
            }
            let mut whole = copied(&sizes)?;
            // The last places have fewer symbols than `length`.
            for i in (n + 1).saturating_sub(length)..n {
                whole[(self.text.bits_from(i) >> (64 - length * width)) as usize] -= 1;
            }
            let most = whole.iter().copied().max().unwrap_or(0);
            let pairs = whole.iter().map(|&size| u64::from(size) * u64::from(size).saturating_sub(1) / 2).sum();
            push(&mut counts, (u64::from(most), pairs))?;
        }
        counts.reverse();
        Ok(counts)
    }

    /// Sort and push each group of entries that differ only in their places.
    fn push_ties(&mut self, offset: usize) -> Result<(), Stop> {
        let (mut j, to) = (0, self.entries.len());
        while j < to {
            let mut end = j + 1;
            while end < to && (self.entries[end] ^ self.entries[j]) & self.key == 0 {
                end += 1;
            }
            if end > j + 1 {
                let base = offset + self.symbols;
                self.sums.start_group(base)?;
                self.push_group(j, end, offset)?;
                self.sums.push(base as u32)?;
            }
            j = end;
        }
        Ok(())
    }

    /// Push the common prefixes within entries `from..to`, sorted, whose suffixes share `offset` symbols. Returns the
    /// place of the last suffix.
    fn push_sorted(&mut self, from: usize, to: usize, offset: usize) -> Result<usize, Stop> {
        let n = self.text.n;
        let mut j = from;
        loop {
            let entry = self.entries[j];
            let mut end = j + 1;
            while end < to && (self.entries[end] ^ entry) & self.key == 0 {
                end += 1;
            }
            let last = if end == j + 1 { self.place(entry) } else { self.push_group(j, end, offset)? };
            if end == to {
                return Ok(last);
            }
            let next = self.entries[end];
            let same = self.text.in_common(entry, next);
            // Only a suffix at the data's end can share less than its bits do.
            let most = n - last.max(self.place(next));
            self.sums.push((offset + same).min(most) as u32)?;
            j = end;
        }
    }

    /// Push the common prefixes within entries `from..to`, which differ only in their places.
    fn push_group(&mut self, from: usize, to: usize, offset: usize) -> Result<usize, Stop> {
        let n = self.text.n;
        let deeper = offset + self.symbols;
        let mut j = from;
        // Suffixes that end here come first, the shortest first, each a prefix of the next.
        while j + 1 < to && self.place(self.entries[j]) + deeper >= n {
            self.sums.push((n - self.place(self.entries[j])) as u32)?;
            j += 1;
        }
        if j + 1 == to {
            return Ok(self.place(self.entries[j]));
        }
        self.budget -= (to - j) as isize;
        if to - j == 2 {
            let (a, b) = (self.place(self.entries[j]), self.place(self.entries[j + 1]));
            let mut words = 0;
            let shared = self.text.common_prefix(a, b, deeper, &mut words);
            self.budget -= words as isize;
            self.sums.push(shared as u32)?;
            let a_is_less = if shared == n - a.max(b) {
                a > b
            } else {
                self.text.symbol(a + shared) < self.text.symbol(b + shared)
            };
            return if self.budget <= 0 { Err(Stop::Repetitive) } else { Ok(if a_is_less { b } else { a }) };
        }
        if self.budget <= 0 || offset > DEEPEST * self.symbols {
            return Err(Stop::Repetitive);
        }
        let base = self.entries.len();
        for index in j..to {
            let entry = self.entry(self.place(self.entries[index]), deeper);
            push(&mut self.entries, entry)?;
        }
        sort(&mut self.entries[base..], &mut self.scratch)?;
        let last = self.push_sorted(base, self.entries.len(), deeper);
        self.entries.truncate(base);
        last
    }
}

multiversion! {
    /// Whole symbols that each entry has in common with the one before it, at most `most`.
    fn common_prefixes(
        entries: &[u64],
        symbols_in: &[u8; 65],
        most: u8,
        shared: &mut Vec<u8>,
    ) -> Result<(), OutOfMemory> {
        shared.clear();
        extend(
            shared,
            entries.windows(2).map(|pair| symbols_in[(pair[0] ^ pair[1]).leading_zeros() as usize].min(most)),
        )
    }
    checked by COMMON_PREFIXES: |run| {
        let mut shared = Vec::new();
        let mut entries = sample::words::<40>();
        entries.sort_unstable();
        (run(&entries, &std::array::from_fn(|bits| bits as u8 / 3), 9, &mut shared), shared)
    }
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::noise;
    use super::super::text::tests::packed;
    use super::*;

    /// Text of `n` symbols below `k`, one a byte, skewed: each is the least of `draws` draws.
    fn symbols(n: usize, k: usize, draws: usize, seed: u64) -> Vec<u8> {
        let words = noise(n * draws, seed);
        words
            .chunks(draws)
            .map(|drawn| drawn.iter().map(|word| (word >> 20) as usize % k).min().unwrap() as u8)
            .collect()
    }

    fn check(symbols: &[u8], k: usize, has_short: bool) {
        let packed = packed(symbols);
        let text = Text::of_symbols(symbols, k);
        let expected = suffix_array::prefixes_of_all(&text, symbols).unwrap().finish(&[]).unwrap();
        let short = short_tuples(&text).unwrap();
        assert_eq!(short.is_some(), has_short, "n={} k={k}", symbols.len());
        let found = [
            short.and_then(|short| finished(Sorter::new(&text).unwrap().run_beyond(&short)).unwrap()),
            finished(Sorter::new(&text).unwrap().run()).unwrap(),
            Some(tuple_counts(if k == 2 { &packed } else { symbols }, symbols.len(), k).unwrap()),
        ];
        for (way, counts) in found.iter().enumerate().filter_map(|(way, counts)| Some((way, counts.as_ref()?))) {
            assert_eq!(counts.most_common, expected.most_common, "way {way}, n={}, k={k}", symbols.len());
            assert_eq!((counts.longest, &counts.pairs), (expected.longest, &expected.pairs), "way {way}, k={k}");
        }
    }

    #[test]
    fn windows_sorting_and_the_suffix_array_agree() {
        for k in [2, 3, 4, 7, 11, 16, 20, 100, 256] {
            for n in [5000, 70_001, 300_000] {
                check(&symbols(n, k, 1, (n + k) as u64), k, true);
            }
        }
        // Large leaves, without too many equal windows.
        check(&symbols(400_000, 256, 2, 5), 256, true);
        check(&symbols(600_000, 16, 2, 6), 16, true);
        // Long repeats, some in the middle and some at the end, where windows are cut off.
        let mut with_repeats = symbols(200_000, 2, 1, 7);
        with_repeats.copy_within(1000..1500, 90_000);
        with_repeats.copy_within(1000..1100, 199_900);
        check(&with_repeats, 2, true);
        let mut zeros_at_the_end = symbols(100_000, 256, 1, 8);
        zeros_at_the_end[99_950..].fill(0);
        check(&zeros_at_the_end, 256, true);
        let mut alike_at_the_end = symbols(100_000, 2, 1, 9);
        alike_at_the_end[99_970..].fill(0);
        check(&alike_at_the_end, 2, true);
        check(&vec![1; 10_000], 2, false);
        check(&symbols(1000, 2, 1, 10).repeat(50), 2, false);
    }
}
