//! Counts of repeated tuples of up to 40 bits, SP 800-90B 6.3.5 and 6.3.6. Most data have no longer repeats; places
//! need not be kept.
//!
//! Windows of 40 bits are distributed by their first 8 bits, then by 11 to 13 more bits into leaves of a few windows.
//! Counts of tuples of up to 19 to 21 bits are sums of leaf sizes. For longer tuples, each pair of windows of a small
//! leaf is compared: pairs always count, but the number of occurrences matters only from 35 on. Large leaves are
//! sorted. Equal windows are few, and are left to the caller, who knows their places.

use super::prefix_counts::{PrefixCounts, MOST_SUFFIXES};
use super::text::Text;
use super::tuple_sums::CUTOFF;
use crate::memory::huge_pages::zeros;
use crate::memory::{self, collected, push, with_room, OutOfMemory};
use crate::simd::{multiversion, sample};

/// Bits of a window, and the bits by which it is distributed.
const WINDOW_BITS: usize = 40;
const BUCKET_BITS: usize = 8;
/// For long data; shorter data have as few windows in a leaf with fewer leaves.
const MOST_LEAF_BITS: usize = 13;
const LEAST_LEAF_BITS: usize = 11;
const WINDOWS_A_LEAF: usize = 2;
const BUCKETS: usize = 1 << BUCKET_BITS;
const LEAVES: usize = 1 << MOST_LEAF_BITS;
/// One of this many windows may be equal to another.
const WINDOWS_A_TIE: usize = 256;
/// Shorter data need little work in any case.
const FEWEST_BITS: usize = 1 << 12;
/// Counters of the same value, used in turns: additions to a single one would wait for each other.
const TURNS: usize = 4;

/// Results of the windows.
pub struct ShortTuples {
    /// For tuples of 1, 2, ... `window` symbols: the count of the most common one, exact from 35 on, and the equal
    /// pairs.
    pub counts: Vec<(u64, u64)>,
    /// Symbols in a window.
    pub window: usize,
    /// Windows that occur more than once, as their bits, ascending.
    pub repeated: Vec<u64>,
}

impl ShortTuples {
    /// The places of the windows that occur more than once, each with its window.
    pub fn places(&self, text: &Text) -> Result<Vec<(u64, u32)>, OutOfMemory> {
        let mut found = Vec::new();
        if !self.repeated.is_empty() {
            let unused = WINDOW_BITS - self.window * text.width;
            find(&text.words, text.n + 1 - self.window, text.width, unused, &self.repeated, &mut found)?;
        }
        Ok(found)
    }
}

multiversion! {
    /// Find the places of some windows, ascending; a table with one entry for many windows excludes most of the others.
    fn find(
        words: &[u64],
        n: usize,
        width: usize,
        unused: usize,
        wanted: &[u64],
        found: &mut Vec<(u64, u32)>,
    ) -> Result<(), OutOfMemory> {
        let hash_bits = (wanted.len().ilog2() + 6).clamp(14, 20);
        let mut may_be = memory::zeros(1 << hash_bits)?;
        let mut outcome = Ok(());
        let mask = may_be.len() - 1;
        for window in wanted {
            may_be[(window >> unused) as usize & mask] = true;
        }
        super::text::for_each_beginning(words, n, width, |i, bits| {
            let window = bits >> (64 - WINDOW_BITS + unused);
            if may_be[window as usize & mask] && wanted.binary_search(&(window << unused)).is_ok() {
                outcome = outcome.and_then(|()| push(found, (window << unused, i as u32)));
            }
        });
        outcome
    }
    checked by FIND: |run| {
        let words = sample::words::<4>();
        let wanted = [words[0] >> 24, words[1] << 7 >> 24];
        let wanted = [wanted[0].min(wanted[1]), wanted[0].max(wanted[1])];
        let mut found = Vec::new();
        (run(&words, 150, 1, 0, &wanted, &mut found), found)
    }
}

/// Count; None for data that are too short or too repetitive.
pub fn short_tuples(text: &Text) -> Result<Option<ShortTuples>, OutOfMemory> {
    if text.n * text.width < FEWEST_BITS {
        return Ok(None);
    }
    let window = WINDOW_BITS / text.width;
    let mut sizes = [0u32; BUCKETS];
    bucket_sizes(&text.words, text.n, text.width, &mut sizes);
    let mut keys = zeros(text.n)?;
    let unused = (WINDOW_BITS - window * text.width) as u32;
    distribute(&text.words, text.n, text.width, !0 << unused, &sizes, &mut keys);
    // Windows that are cut off by the end of the data and filled with zeros.
    let cut = collected((text.n + 1 - window..text.n).map(|i| {
        let bits = text.bits_from(i) >> (64 - WINDOW_BITS);
        Cut { bucket: (bits >> 32) as usize, key: bits as u32, bits: (text.n - i) * text.width }
    }))?;
    let leaf_bits = (text.n / (BUCKETS * WINDOWS_A_LEAF)).max(1).ilog2() as usize;
    let leaf_bits = leaf_bits.clamp(LEAST_LEAF_BITS, MOST_LEAF_BITS);
    let mut counts = WindowCounts::new(&sizes, &cut, leaf_bits);
    let mut ends = [0u32; LEAVES];
    let most_repeated = text.n / WINDOWS_A_TIE + 16;
    let mut leafed = memory::zeros(sizes.iter().fold(0, |most, &size| most.max(size)) as usize + REACH)?;
    let mut rest = keys.as_slice();
    for (bucket, &size) in sizes.iter().enumerate() {
        let (keys, others) = rest.split_at(size as usize);
        rest = others;
        ends[..1 << leaf_bits].fill(0);
        into_leaves(keys, &mut leafed, &mut ends, leaf_bits);
        // The entry after the last leaf must differ from all of its windows.
        let unlike = !leafed[keys.len().saturating_sub(1)];
        leafed[keys.len()..][..REACH].fill(unlike);
        let cut = collected(cut.iter().copied().filter(|cut| cut.bucket == bucket))?;
        counts.take_sizes(&ends, &cut);
        if !count_leaves(bucket, &leafed, &ends, &cut, &mut counts)? || counts.repeated.len() > most_repeated {
            return Ok(None);
        }
    }
    Ok(Some(counts.finish(window, text.width)?))
}

/// A window that is cut off by the end of the data.
#[derive(Clone, Copy)]
struct Cut {
    bucket: usize,
    key: u32,
    /// Its length; the other bits of the key are 0.
    bits: usize,
}

multiversion! {
    /// Number of windows that begin with each value of 8 bits.
    fn bucket_sizes(words: &[u64], n: usize, width: usize, sizes: &mut [u32; BUCKETS]) {
        super::text::for_each_beginning(words, n, width, |_, bits| sizes[(bits >> (64 - BUCKET_BITS)) as usize] += 1);
    }
    checked by BUCKET_SIZES: |run| {
        let mut sizes = [0; BUCKETS];
        run(&sample::words::<4>(), 150, 1, &mut sizes);
        sizes
    }
}

multiversion! {
    /// Put the 32 bits after the first 8 of each window, masked by `used`, into its bucket.
    fn distribute(words: &[u64], n: usize, width: usize, used: u32, sizes: &[u32; BUCKETS], keys: &mut [u32]) {
        let mut next = [0u32; BUCKETS];
        let mut start = 0;
        for (next, &size) in next.iter_mut().zip(sizes) {
            *next = start;
            start += size;
        }
        super::text::for_each_beginning(words, n, width, |_, bits| {
            let slot = &mut next[(bits >> (64 - BUCKET_BITS)) as usize];
            keys[*slot as usize] = (bits >> (64 - WINDOW_BITS)) as u32 & used;
            *slot += 1;
        });
    }
    checked by DISTRIBUTE: |run| {
        let words = sample::words::<4>();
        let mut sizes = [0; BUCKETS];
        bucket_sizes::version(0, &words, 150, 1, &mut sizes);
        let mut keys = [0; 150];
        run(&words, 150, 1, !0, &sizes, &mut keys);
        keys
    }
}

multiversion! {
    /// Put keys with the same first bits next to one another; `ends` gets the end of each leaf.
    fn into_leaves(keys: &[u32], leafed: &mut [u32], ends: &mut [u32; LEAVES], leaf_bits: usize) {
        let leaf_of = |key: u32| (key >> (32 - leaf_bits)) as usize % LEAVES;
        for &key in keys {
            ends[leaf_of(key)] += 1;
        }
        let mut start = 0;
        for end in &mut ends[..1 << leaf_bits] {
            let size = *end;
            *end = start;
            start += size;
        }
        for &key in keys {
            let slot = &mut ends[leaf_of(key)];
            leafed[*slot as usize] = key;
            *slot += 1;
        }
    }
    checked by INTO_LEAVES: |run| {
        let keys = sample::words::<150>().map(|word| word as u32);
        let (mut leafed, mut ends) = ([0; 150], [0; LEAVES]);
        run(&keys, &mut leafed, &mut ends, 4);
        (leafed, ends[..16].to_vec())
    }
}

/// Sums over the buckets, by the number of bits of the tuple.
struct WindowCounts {
    /// Bits by which a bucket's windows are distributed.
    leaf_bits: usize,
    most: [u64; WINDOW_BITS + 1],
    pairs: [u64; WINDOW_BITS + 1],
    /// Pairs in small leaves by the number of bits they share, without the bucket's.
    sharing: [u64; 33],
    /// Counts in large leaves, by the number of bits beyond the leaf's.
    large: PrefixCounts,
    repeated: Vec<u64>,
}

impl WindowCounts {
    /// Start with the tuples of up to 8 bits.
    fn new(sizes: &[u32; BUCKETS], cut: &[Cut], leaf_bits: usize) -> Self {
        let mut counts = Self {
            leaf_bits,
            most: [0; WINDOW_BITS + 1],
            pairs: [0; WINDOW_BITS + 1],
            sharing: [0; 33],
            large: PrefixCounts::new(),
            repeated: Vec::new(),
        };
        counts.fold(&mut sizes.clone(), BUCKET_BITS, 1, cut, |cut| cut.bucket);
        counts
    }

    /// Number of bits that the windows of a leaf share.
    fn shared_bits(&self) -> usize {
        BUCKET_BITS + self.leaf_bits
    }

    /// Take a bucket's tuples of more than 8 bits, up to the length that the windows of a leaf share.
    fn take_sizes(&mut self, ends: &[u32; LEAVES], cut: &[Cut]) {
        let (mut sizes, leaves, shift) = (*ends, 1 << self.leaf_bits, 32 - self.leaf_bits);
        for leaf in (1..leaves).rev() {
            sizes[leaf] -= sizes[leaf - 1];
        }
        self.fold(&mut sizes[..leaves], self.shared_bits(), BUCKET_BITS + 1, cut, |cut| (cut.key >> shift) as usize);
    }

    /// Count tuples of `bits` down to `least` bits, from the number of windows that begin with each of the longest
    /// tuples.
    fn fold(&mut self, sizes: &mut [u32], bits: usize, least: usize, cut: &[Cut], place: impl Fn(&Cut) -> usize) {
        let mut length = sizes.len();
        for bits in (least..=bits).rev() {
            // A window that is cut off earlier has no tuple of this length; added back, it has the shorter ones.
            let shift = (sizes.len() / length).ilog2();
            let short = || cut.iter().filter(|cut| cut.bits < bits).map(|cut| place(cut) >> shift);
            short().for_each(|place| sizes[place] -= 1);
            let (mut most, mut pairs) = (0, 0);
            for &size in &sizes[..length] {
                most = most.max(size);
                pairs += u64::from(size) * u64::from(size.saturating_sub(1));
            }
            self.most[bits] = self.most[bits].max(u64::from(most));
            self.pairs[bits] += pairs / 2;
            short().for_each(|place| sizes[place] += 1);
            length /= 2;
            for place in 0..length {
                sizes[place] = sizes[2 * place] + sizes[2 * place + 1];
            }
        }
    }

    /// Convert the counts from bits to symbols.
    fn finish(mut self, window: usize, width: usize) -> Result<ShortTuples, OutOfMemory> {
        let shared = self.shared_bits();
        for bits in shared + 1..=WINDOW_BITS {
            self.most[bits] = self.large.most[bits - shared - 1];
            let of_small: u64 = self.sharing[bits - BUCKET_BITS..].iter().sum();
            self.pairs[bits] = of_small + self.large.pairs[bits - shared - 1];
        }
        self.repeated.sort_unstable();
        self.repeated.dedup();
        let counts = collected((1..=window).map(|symbols| (self.most[symbols * width], self.pairs[symbols * width])))?;
        Ok(ShortTuples { counts, window, repeated: self.repeated })
    }
}

multiversion! {
    /// Count the tuples of more bits than the windows of a leaf share; false if a leaf is too large.
    fn count_leaves(
        bucket: usize,
        leafed: &[u32],
        ends: &[u32; LEAVES],
        cut: &[Cut],
        counts: &mut WindowCounts,
    ) -> Result<bool, OutOfMemory> {
        let mut sharing = [[0u64; 33]; TURNS];
        let mut start = 0;
        let shift = 32 - counts.leaf_bits;
        for (leaf, &end) in ends[..1 << counts.leaf_bits].iter().enumerate() {
            let first = start;
            start = end as usize;
            let keys = &leafed[first..start];
            let is_cut = |cut: &&Cut| (cut.key >> shift) as usize == leaf;
            if keys.len() >= CUTOFF as usize || cut.iter().any(|cut| is_cut(&cut)) {
                if keys.len() > MOST_SUFFIXES {
                    return Ok(false);
                }
                let cut = collected(cut.iter().filter(is_cut).copied())?;
                count_large_leaf(bucket, keys, &cut, counts)?;
                continue;
            }
            let mut any_equal = false;
            let places = &PAIRS[STARTS[keys.len()]..STARTS[keys.len() + 1]];
            let reach = &leafed[first..first + REACH];
            for turns in places {
                for (&[a, b], sharing) in turns.iter().zip(&mut sharing) {
                    let different = reach[usize::from(a) % REACH] ^ reach[usize::from(b) % REACH];
                    sharing[different.leading_zeros() as usize] += 1;
                    any_equal |= different == 0;
                }
            }
            if any_equal {
                note_equal(bucket, keys, &mut counts.repeated)?;
            }
        }
        for turn in sharing {
            counts.sharing.iter_mut().zip(turn).for_each(|(total, part)| *total += part);
        }
        Ok(true)
    }
    checked by COUNT_LEAVES: |run| {
        let mut keys = [0; 100 + REACH];
        keys[..100].copy_from_slice(&sample::words::<100>().map(|word| word as u32 & !0xf));
        keys[7] = keys[8];
        let mut ends = [0; LEAVES];
        ends.iter_mut().enumerate().for_each(|(leaf, end)| *end = [5, 20, 60, 100][leaf.min(3)]);
        let mut counts = WindowCounts::new(&[0; BUCKETS], &[], 2);
        let outcome = run(3, &keys, &ends, &[], &mut counts);
        (outcome, counts.sharing, counts.large.most, counts.large.pairs, counts.repeated)
    }
}

/// Number of keys that the pairs of a small leaf may reach: a power of two.
const REACH: usize = 64;
const SMALL: usize = CUTOFF as usize - 1;

/// The pairs of places in small leaves, in whole turns; `STARTS` has the start for each size of a leaf. The last turn
/// is filled up with pairs of the first key and the key after the leaf: they share fewer bits than a leaf does, and
/// that count is never read.
const STARTS: [usize; SMALL + 2] = {
    let mut starts = [0; SMALL + 2];
    let mut size = 0;
    while size <= SMALL {
        starts[size + 1] = starts[size] + (size * (size + 1) / 2 - size).div_ceil(TURNS);
        size += 1;
    }
    starts
};
static PAIRS: [[[u8; 2]; TURNS]; STARTS[SMALL + 1]] = {
    let mut pairs = [[[0; 2]; TURNS]; STARTS[SMALL + 1]];
    let mut size = 2;
    while size <= SMALL {
        let (mut a, mut b, mut place) = (0, 1, STARTS[size] * TURNS);
        while place < STARTS[size + 1] * TURNS {
            pairs[place / TURNS][place % TURNS] = if b < size { [a as u8, b as u8] } else { [0, size as u8] };
            (a, b) = if a + 1 < b { (a + 1, b) } else { (0, b + 1) };
            place += 1;
        }
        size += 1;
    }
    pairs
};

/// Record the windows of a small leaf that occur more than once.
#[cold]
fn note_equal(bucket: usize, keys: &[u32], repeated: &mut Vec<u64>) -> Result<(), OutOfMemory> {
    for (place, key) in keys.iter().enumerate() {
        if keys[place + 1..].contains(key) {
            push(repeated, (bucket as u64) << 32 | u64::from(*key))?;
        }
    }
    Ok(())
}

/// Sort a leaf: neighbours show how often each tuple occurs. A window that is cut off sorts before those that go on.
fn count_large_leaf(bucket: usize, keys: &[u32], cut: &[Cut], counts: &mut WindowCounts) -> Result<(), OutOfMemory> {
    let mut entries = with_room(keys.len())?;
    entries.extend(keys.iter().map(|&key| u64::from(key) << 8 | WINDOW_BITS as u64));
    for cut in cut {
        let whole = u64::from(cut.key) << 8 | WINDOW_BITS as u64;
        if let Some(entry) = entries.iter_mut().find(|entry| **entry == whole) {
            *entry = u64::from(cut.key) << 8 | cut.bits as u64;
        }
    }
    entries.sort_unstable();
    let mut shared = with_room(keys.len())?;
    for pair in entries.windows(2) {
        let bits = BUCKET_BITS + ((pair[0] ^ pair[1]) >> 8 << 32).leading_zeros().min(32) as usize;
        let bits = bits.min((pair[0] & 0xff) as usize).min((pair[1] & 0xff) as usize);
        shared.push(bits.saturating_sub(counts.shared_bits()) as u8);
        if bits == WINDOW_BITS {
            push(&mut counts.repeated, (bucket as u64) << 32 | pair[0] >> 8)?;
        }
    }
    counts.large.take(&shared);
    Ok(())
}
