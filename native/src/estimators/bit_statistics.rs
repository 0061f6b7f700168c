//! Counts for the MCV, Markov, collision and compression estimates of bits, SP 800-90B 6.3.1 to 6.3.4.

use super::symbols::bit;
use crate::multiversion::multiversion;

const BLOCK_BITS: usize = 6;
const DICTIONARY_BLOCKS: usize = 1000;

multiversion! {
    /// Ones and the transitions 00, 01, 10, 11.
    pub fn bit_counts(words: &[u64], n: usize) -> (u64, u64, u64, u64, u64) {
        let (mut ones, mut both, mut rises, mut falls) = (0u64, 0u64, 0u64, 0u64);
        for (index, &word) in words.iter().enumerate() {
            // The bit after each: from this word and the next one.
            let next = word >> 1 | words.get(index + 1).map_or(0, |next| next << 63);
            let pairs = n - 1 - (64 * index).min(n - 1);
            let counted = if pairs >= 64 { !0 } else { (1 << pairs) - 1 };
            ones += u64::from(word.count_ones());
            both += u64::from((word & next & counted).count_ones());
            rises += u64::from((!word & next & counted).count_ones());
            falls += u64::from((word & !next & counted).count_ones());
        }
        (ones, n as u64 - 1 - both - rises - falls, rises, falls, both)
    }
}

/// For a byte of bits and the place to start: collisions of 2 and of 3, and how many bits of the byte were used.
const STEPS: usize = 8;

/// Collision times that are 2 and that are 3.
pub fn collision_counts(words: &[u64], n: usize) -> (u64, u64) {
    let table = collision_table();
    let (mut twos, mut threes, mut i) = (0u64, 0u64, 0usize);
    // Whole collisions within eight bits, as long as eight bits are left.
    while i + STEPS <= n {
        let (index, shift) = (i / 64, i % 64);
        let next = words.get(index + 1).copied().unwrap_or(0);
        let byte = (u128::from(words[index]) | u128::from(next) << 64) >> shift & 0xff;
        let (two, three, used) = table[byte as usize];
        twos += u64::from(two);
        threes += u64::from(three);
        i += usize::from(used);
    }
    while i + 1 < n {
        if bit(words, i) == bit(words, i + 1) {
            twos += 1;
            i += 2;
        } else if i + 2 < n {
            threes += 1;
            i += 3;
        } else {
            break;
        }
    }
    (twos, threes)
}

fn collision_table() -> [(u8, u8, u8); 256] {
    std::array::from_fn(|byte| {
        let (mut twos, mut threes, mut i) = (0, 0, 0usize);
        while i + 3 <= STEPS {
            if (byte >> i ^ byte >> (i + 1)) & 1 == 0 {
                twos += 1;
                i += 2;
            } else {
                threes += 1;
                i += 3;
            }
        }
        (twos, threes, i as u8)
    })
}

/// Histogram of the gaps between equal blocks of 6 bits, behind the first 1000.
pub fn gap_histogram(words: &[u64], n: usize) -> Vec<u64> {
    let blocks = n / BLOCK_BITS;
    if blocks <= DICTIONARY_BLOCKS {
        return Vec::new();
    }
    let mut last = [0usize; 1 << BLOCK_BITS];
    let mut histogram = vec![0u64; 1 << 12];
    let mut largest = 0;
    for index in 1..=blocks {
        let place = BLOCK_BITS * (index - 1);
        let (word, shift) = (place / 64, place % 64);
        let mut block = words[word] >> shift;
        if shift > 64 - BLOCK_BITS {
            block |= words[word + 1] << (64 - shift);
        }
        let block = (block & ((1 << BLOCK_BITS) - 1)) as usize;
        let gap = index - last[block];
        last[block] = index;
        if index > DICTIONARY_BLOCKS {
            if gap >= histogram.len() {
                histogram.resize((2 * gap).min(blocks + 1), 0);
            }
            histogram[gap] += 1;
            largest = largest.max(gap);
        }
    }
    histogram.truncate(largest + 1);
    histogram
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::noise;
    use super::*;

    #[test]
    fn table_and_steps_find_the_same_collisions() {
        let words = noise(40, 7);
        for n in [1, 2, 3, 7, 8, 9, 63, 64, 65, 2000, 2560] {
            let (mut twos, mut threes, mut i) = (0, 0, 0);
            while i + 1 < n {
                if bit(&words, i) == bit(&words, i + 1) {
                    twos += 1;
                    i += 2;
                } else if i + 2 < n {
                    threes += 1;
                    i += 3;
                } else {
                    break;
                }
            }
            assert_eq!(collision_counts(&words, n), (twos, threes));
        }
    }
}
