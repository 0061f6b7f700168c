//! Sorting of 64-bit numbers, by distribution and insertion.

use crate::memory::{extend, OutOfMemory};

/// Most bits by which entries are distributed at a time.
pub const DIGIT_BITS: u32 = 11;
/// Parts of at most this many entries are sorted by insertion.
const SMALL: usize = 40;

/// Sort numbers: by their highest differing bits first, then small parts by insertion.
pub fn sort(entries: &mut [u64], scratch: &mut Vec<u64>) -> Result<(), OutOfMemory> {
    let length = entries.len();
    if length <= SMALL {
        insertion_sort(entries);
        return Ok(());
    }
    let (least, most) = entries.iter().fold((u64::MAX, 0), |(least, most), &entry| (least.min(entry), most.max(entry)));
    let different = 64 - (least ^ most).leading_zeros();
    if different == 0 {
        return Ok(());
    }
    let digit_bits = (length.ilog2() + 1).min(DIGIT_BITS).min(different);
    let shift = different - digit_bits;
    let mut starts = [0u32; 1 << DIGIT_BITS];
    let starts = &mut starts[..1 << digit_bits];
    for &entry in entries.iter() {
        starts[(entry >> shift) as usize & (starts.len() - 1)] += 1;
    }
    if starts.iter().any(|&size| size as usize > length / 2) && length < 1 << 12 {
        entries.sort_unstable();
        return Ok(());
    }
    scratch.clear();
    extend(scratch, entries.iter().copied())?;
    distribute(scratch, entries, starts, shift);
    sort_parts(entries, starts, scratch)
}

/// Sort entries by the digit that starts at bit `shift`; `starts` has the sizes of the parts, a power of two of them,
/// and gets their ends.
#[inline(always)]
pub fn distribute(from: &[u64], to: &mut [u64], starts: &mut [u32], shift: u32) {
    let mut total = 0;
    for start in starts.iter_mut() {
        let size = *start;
        *start = total;
        total += size;
    }
    for &entry in from {
        let slot = &mut starts[(entry >> shift) as usize & (starts.len() - 1)];
        to[*slot as usize] = entry;
        *slot += 1;
    }
}

/// Sort each part after the distribution; `ends` has the ends of the parts.
#[inline(always)]
pub fn sort_parts(entries: &mut [u64], ends: &[u32], scratch: &mut Vec<u64>) -> Result<(), OutOfMemory> {
    let mut start = 0;
    let mut crowded = false;
    for &end in ends {
        crowded |= (end - start) as usize > SMALL;
        start = end;
    }
    if !crowded {
        insertion_sort(entries);
        return Ok(());
    }
    let mut start = 0;
    for &end in ends {
        sort(&mut entries[start as usize..end as usize], scratch)?;
        start = end;
    }
    Ok(())
}

#[inline(always)]
fn insertion_sort(entries: &mut [u64]) {
    for i in 1..entries.len() {
        let entry = entries[i];
        let mut j = i;
        while j > 0 && entries[j - 1] > entry {
            entries[j] = entries[j - 1];
            j -= 1;
        }
        entries[j] = entry;
    }
}
