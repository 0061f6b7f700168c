//! The size of a block after bzip2's entropy coder: move to front, zero runs, Huffman codes. No code is written.
//!
//! Hand-written, because the bzip2 crates also write the code, which takes several times as long, and the size is
//! needed for 10,000 permutations.

use super::huffman::{code_lengths, Lengths, SYMBOLS};
use super::move_to_front::move_to_front;
use super::statistics::pack;
use crate::memory::{reserve, zeros, OutOfMemory};
use crate::simd::{multiversion, sample};

/// Symbols that share a Huffman table.
const GROUP: usize = 50;
/// Most different bytes in a block: digits and the blank.
pub const MOST_BYTES: usize = 11;
const MOST_TABLES: usize = 6;
/// Times that tables and choices are refined.
const REFINEMENTS: usize = 4;

/// How often each symbol occurs in a group or a part of it, in parallel: sums of these counts do not wait for each
/// other.
type Counts = [u8; SYMBOLS];

/// Runs of rank 0 shorter than this have their counts in a table.
const SHORT_RUN: usize = 32;
/// For each short run the counts of its symbols: its length in base 2 with the digits 1 and 2.
const RUNS: [Counts; SHORT_RUN] = {
    let mut runs = [[0; SYMBOLS]; SHORT_RUN];
    let mut length = 1;
    while length < SHORT_RUN {
        runs[length] = runs[(length - 1) / 2];
        runs[length][(length - 1) % 2] += 1;
        length += 1;
    }
    runs
};
/// For each symbol the counts of a single one.
const SINGLE: [Counts; SYMBOLS] = {
    let mut rows = [[0; SYMBOLS]; SYMBOLS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        rows[symbol][symbol] = 1;
        symbol += 1;
    }
    rows
};

/// The symbols of a block; only their counts in each group are kept.
#[derive(Default)]
pub struct Groups {
    counts: Vec<Counts>,
    /// The group that is not full yet, and its number of symbols.
    last: Counts,
    filled: usize,
}

impl Groups {
    #[inline(always)]
    fn push(&mut self, symbol: u8) {
        add(&mut self.last, &SINGLE[usize::from(symbol) % SYMBOLS]);
        self.filled += 1;
        if self.filled == GROUP {
            self.counts.push(self.last);
            (self.last, self.filled) = (Counts::default(), 0);
        }
    }

    /// Push a run of zeros, the lowest digit first.
    #[inline(always)]
    fn push_zeros(&mut self, mut zeros: usize) {
        while zeros > 0 {
            self.push(((zeros - 1) % 2) as u8);
            zeros = (zeros - 1) / 2;
        }
    }

    /// Push a run of zeros and the symbol after it.
    #[inline(always)]
    fn push_run(&mut self, zeros: usize, symbol: u8) {
        if let Some(counts) = RUNS.get(zeros) {
            let filled = self.filled + (zeros + 1).ilog2() as usize + 1;
            if filled < GROUP {
                add(&mut self.last, counts);
                add(&mut self.last, &SINGLE[usize::from(symbol) % SYMBOLS]);
                self.filled = filled;
                return;
            }
        }
        self.push_zeros(zeros);
        self.push(symbol);
    }

    /// Set to the symbols of codes 0 to `used` - 1: ranks among the most recent codes, with runs of rank 0, and the end
    /// of the block.
    pub fn set(&mut self, codes: &mut [u8], used: usize) -> Result<(), OutOfMemory> {
        move_to_front(codes, used);
        self.counts.clear();
        // A run never takes more symbols than it has zeros. Add the end symbol, and a group that is not full.
        reserve(&mut self.counts, codes.len() / GROUP + 2)?;
        (self.last, self.filled) = (Counts::default(), 0);
        let zeros = code_runs(codes, self);
        self.push_zeros(zeros);
        self.push(used as u8 + 1);
        Ok(())
    }

    /// Bits that the block takes after its header and byte map: number of tables and of choices, choices, tables,
    /// codes.
    pub fn coded_bits(&mut self, used: usize) -> Result<u64, OutOfMemory> {
        let symbols = self.counts.len() * GROUP + self.filled;
        if self.filled > 0 {
            self.counts.push(self.last);
        }
        coded_bits(&self.counts, symbols, used + 2)
    }
}

#[inline(always)]
fn add(counts: &mut Counts, more: &Counts) {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}

multiversion! {
    /// Push ranks, with runs of 0 coded; return the number of zeros at the end.
    fn code_runs(ranks: &[u8], kept: &mut Groups) -> usize {
        let mut groups = std::mem::take(kept); // registers, not memory
        let mut zeros = 0;
        for block in ranks.chunks(64) {
            let mut padded = [0; 64];
            padded[..block.len()].copy_from_slice(block);
            let mut flags = pack(&padded.map(|rank| u8::from(rank != 0)));
            let mut next = 0;
            while flags != 0 {
                let place = flags.trailing_zeros() as usize % 64;
                flags &= flags - 1;
                groups.push_run(zeros + place - next, padded[place] + 1);
                (zeros, next) = (0, place + 1);
            }
            zeros += block.len() - next;
        }
        *kept = groups;
        zeros
    }
    checked by CODE_RUNS: |run| {
        let mut kept = Groups { counts: Vec::with_capacity(16), ..Groups::default() };
        (run(&sample::bytes::<300>(3), &mut kept), kept.counts, kept.last, kept.filled)
    }
}

/// See `Groups::coded_bits`.
fn coded_bits(groups: &[Counts], symbols: usize, alphabet: usize) -> Result<u64, OutOfMemory> {
    let tables = match symbols {
        0..=199 => 2,
        200..=599 => 3,
        600..=1199 => 4,
        1200..=2399 => 5,
        _ => MOST_TABLES,
    };
    let mut lengths = first_tables(groups, symbols as u32, tables, alphabet);
    let mut choices = zeros(groups.len())?;
    let mut totals = [[0; SYMBOLS]; MOST_TABLES];
    for _ in 0..REFINEMENTS {
        totals = choose(groups, &lengths, tables, &mut choices);
        for table in 0..tables {
            lengths[table] = code_lengths(&totals[table][..alphabet]);
        }
    }
    let mut bits = 3 + 15 + choice_bits(&choices);
    for (lengths, totals) in lengths.iter().zip(&totals).take(tables) {
        bits += table_bits(&lengths[..alphabet]);
        bits += lengths.iter().zip(totals).map(|(&length, &total)| u64::from(length) * u64::from(total)).sum::<u64>();
    }
    Ok(bits)
}

/// The first tables: each prefers a range of symbols that makes up its share of the block.
fn first_tables(groups: &[Counts], symbols: u32, tables: usize, alphabet: usize) -> [Lengths; MOST_TABLES] {
    let mut totals = [0; SYMBOLS];
    for group in groups {
        totals.iter_mut().zip(group).for_each(|(total, &count)| *total += u32::from(count));
    }
    let mut lengths = [[0; SYMBOLS]; MOST_TABLES];
    let (mut begin, mut left) = (0, symbols);
    for part in (1..=tables).rev() {
        let wanted = left / part as u32;
        let (mut end, mut sum) = (begin, 0);
        while sum < wanted && end < alphabet {
            sum += totals[end];
            end += 1;
        }
        if end > begin + 1 && part != tables && part != 1 && (tables - part) % 2 == 1 {
            end -= 1;
            sum -= totals[end];
        }
        for (symbol, length) in lengths[part - 1].iter_mut().enumerate().take(alphabet) {
            *length = if (begin..end).contains(&symbol) { 0 } else { 15 };
        }
        begin = end;
        left -= sum;
    }
    lengths
}

multiversion! {
    /// Choose the cheapest table for each group, the first among equals; return how often each table codes each symbol.
    fn choose(
        groups: &[Counts],
        lengths: &[Lengths; MOST_TABLES],
        tables: usize,
        choices: &mut [u8],
    ) -> [[u32; SYMBOLS]; MOST_TABLES] {
        let mut totals = [[0; SYMBOLS]; MOST_TABLES];
        for (group, choice) in groups.iter().zip(choices) {
            let mut best = u32::MAX;
            for (table, lengths) in lengths.iter().enumerate().take(tables) {
                let mut cost = 0;
                for symbol in 0..SYMBOLS {
                    cost += u32::from(lengths[symbol]) * u32::from(group[symbol]);
                }
                best = best.min(cost * 8 + table as u32);
            }
            let table = (best & 7) as usize;
            *choice = table as u8;
            for symbol in 0..SYMBOLS {
                totals[table][symbol] += u32::from(group[symbol]);
            }
        }
        totals
    }
    checked by CHOOSE: |run| {
        let groups = sample::bytes::<{ 8 * SYMBOLS }>(9);
        let mut lengths = [[0; SYMBOLS]; MOST_TABLES];
        lengths.as_flattened_mut().copy_from_slice(&sample::bytes::<{ MOST_TABLES * SYMBOLS }>(17));
        let mut choices = [0; 8];
        (run(groups.as_chunks::<SYMBOLS>().0, &lengths, MOST_TABLES, &mut choices), choices)
    }
}

/// Choices are moved to front and coded in unary.
fn choice_bits(choices: &[u8]) -> u64 {
    let mut list: [u8; MOST_TABLES] = [0, 1, 2, 3, 4, 5];
    let mut bits = 0;
    for &choice in choices {
        let mut rank = 0;
        while list[rank] != choice {
            rank += 1;
        }
        list.copy_within(0..rank, 1);
        list[0] = choice;
        bits += rank as u64 + 1;
    }
    bits
}

/// A table is coded by its first length and the steps to the next ones.
fn table_bits(lengths: &[u8]) -> u64 {
    let steps: u64 = lengths.windows(2).map(|pair| u64::from(pair[0].abs_diff(pair[1]))).sum();
    5 + 2 * steps + lengths.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_short_blocks() {
        let mut groups = Groups::default();
        groups.set(&mut [0, 0, 0, 1, 1, 0, 2], 3).unwrap();
        // Three zeros are 11 in digits 1 and 2; code 1 is at rank 1; one zero; code 0 at rank 1; code 2 at rank 2; the
        // end.
        assert_eq!((groups.last[..5].to_vec(), groups.filled), (vec![3, 0, 2, 1, 1], 7));
        // A long run: 2^20 - 1 zeros are twenty digits 1.
        groups.set(&mut vec![0; (1 << 20) - 1], 1).unwrap();
        assert_eq!((groups.last[..3].to_vec(), groups.filled), (vec![20, 0, 1], 21));
        // 40 zeros, then 24 times a rank 1 and 39 zeros: 12112 and 11121 in digits, the lowest one last. Three full
        // groups.
        let mut codes: Vec<u8> = (0..1000).map(|place| (place / 40 % 2) as u8).collect();
        groups.set(&mut codes, 2).unwrap();
        assert_eq!((groups.counts.len(), groups.filled), (3, 0));
        let total = |symbol: usize| groups.counts.iter().map(|counts| u32::from(counts[symbol])).sum::<u32>();
        assert_eq!([0, 1, 2, 3].map(total), [99, 26, 24, 1]);
    }
}
