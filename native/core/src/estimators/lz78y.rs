//! The LZ78Y predictor, SP 800-90B 6.3.10.

use super::context_trie::{Best, Trie};
use super::multi_mmc_bits::{one_by_word, MASKS};
use super::scoreboard::Runs;
use super::symbols::bit;
use crate::memory::{zeros, OutOfMemory};
use crate::simd::{multiversion, sample};

const LENGTHS: usize = 16;
const MOST_CONTEXTS: usize = 65_536;

/// Binary samples. A context has counted at least as much as any longer context that ends with it. Once each pair of
/// bits has been followed by 0 and by 1, a context of one bit has counted strictly more: its majority is the prediction
/// from then on.
pub fn of_bits(words: &[u64], n: usize) -> Result<(u64, u64), OutOfMemory> {
    let mut dictionary = BitDictionary::new()?;
    let (mut correct, mut runs) = (0u64, Runs::default());
    if n <= LENGTHS {
        return Ok((0, 0));
    }
    let mut i = LENGTHS;
    while i < n && !dictionary.has_collapsed() {
        let hit = dictionary.step(words, i);
        if i > LENGTHS {
            correct += u64::from(hit);
            runs.step(hit);
        }
        i += 1;
    }
    let (rest, rest_runs) = majority(words, n, i, [dictionary.counts[2], dictionary.counts[3]], runs);
    Ok((correct + rest, rest_runs.longest))
}

multiversion! {
    /// From bit `start` on, predict the bit that followed the last bit more often; `counts` of 0 and 1 after each bit.
    fn majority(words: &[u64], n: usize, start: usize, counts: [[u32; 2]; 2], runs: Runs) -> (u64, Runs) {
        let (mut correct, mut runs) = (0u64, runs);
        let mut balances = counts.map(|[zeros, ones]| 2 * (ones as i32 - zeros as i32) + 1);
        let mut i = start;
        while i < n {
            let steps = (64 - i % 64).min(n - i);
            let word = words[i / 64];
            let last = if i < 64 { 0 } else { words[i / 64 - 1] };
            let wanted = if steps == 64 { !0 } else { ((1 << steps) - 1) << (i % 64) };
            let (mut right, mut present) = (0u64, 0u64);
            let mut masks = [0u64; MASKS];
            masks[1] = wanted;
            one_by_word::<1>(last, word, &mut masks, &mut balances, &mut right, &mut present);
            correct += u64::from(right.count_ones());
            if steps == 64 {
                runs.take(right);
            } else {
                runs.take_judged(right, wanted);
            }
            i += steps;
        }
        (correct, runs)
    }
    checked by MAJORITY: |run| {
        let (correct, runs) = run(&sample::words::<4>(), 230, 20, [[3, 4], [9, 7]], Runs::default());
        (correct, runs.longest)
    }
}

/// All contexts of 1 to 16 bits: entry 1 << length | context, latest bit lowest.
struct BitDictionary {
    counts: Vec<[u32; 2]>,
    known: Vec<bool>,
    contexts: usize,
}

impl BitDictionary {
    fn new() -> Result<Self, OutOfMemory> {
        Ok(Self { counts: zeros(2 << LENGTHS)?, known: zeros(2 << LENGTHS)?, contexts: 0 })
    }

    fn has_collapsed(&self) -> bool {
        self.contexts < MOST_CONTEXTS && self.counts[4..8].iter().all(|[zeros, ones]| *zeros > 0 && *ones > 0)
    }

    /// Predict bit `i` and record it; returns whether the prediction was right.
    #[inline(always)]
    fn step(&mut self, words: &[u64], i: usize) -> bool {
        let one = bit(words, i);
        let context = (1..=LENGTHS).fold(0, |context, back| context | bit(words, i - back) << (back - 1));
        let (mut highest, mut predicted) = (0, 2);
        for length in (1..=LENGTHS).rev() {
            let place = 1 << length | context & ((1 << length) - 1);
            if !self.known[place] {
                if self.contexts == MOST_CONTEXTS {
                    continue;
                }
                self.known[place] = true;
                self.contexts += 1;
            }
            let [zeros, ones] = self.counts[place];
            let most = zeros.max(ones);
            if most > highest {
                (highest, predicted) = (most, usize::from(ones >= zeros));
            }
            self.counts[place][one] += 1;
        }
        predicted == one
    }
}

/// Larger alphabets: a trie of contexts from the latest symbol back.
struct Dictionary<'a> {
    symbols: &'a [u8],
    /// Nodes without a mark only lead to longer contexts: the dictionary was full before they could enter.
    trie: Trie,
    contexts: usize,
}

impl<'a> Dictionary<'a> {
    fn new(symbols: &'a [u8], k: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { symbols, trie: Trie::new(k)?, contexts: 0 })
    }

    /// The nodes of the contexts of each length before place `i`, as far as there are nodes.
    #[inline(always)]
    fn walk(&self, i: usize, path: &mut [u32; LENGTHS]) -> usize {
        path[0] = u32::from(self.symbols[i - 1]);
        for length in 1..LENGTHS {
            match self.trie.child(path[length - 1], self.symbols[i - length - 1]) {
                Some(child) => path[length] = child,
                None => return length,
            }
        }
        LENGTHS
    }

    /// Make nodes for the contexts before place `i`; the longest enters the dictionary first, while there is room.
    fn extend(&mut self, i: usize, path: &mut [u32; LENGTHS], reached: usize) -> Result<usize, OutOfMemory> {
        let unknown = path[..reached].iter().filter(|&&node| !self.trie.is_marked(node)).count() + LENGTHS - reached;
        if unknown == 0 {
            return Ok(reached);
        }
        for length in reached..LENGTHS {
            path[length] = self.trie.add_node()?;
            self.trie.set_child(path[length - 1], self.symbols[i - length - 1], path[length])?;
        }
        for &node in path.iter().rev() {
            if !self.trie.is_marked(node) && self.contexts < MOST_CONTEXTS {
                self.trie.mark(node);
                self.contexts += 1;
            }
        }
        Ok(LENGTHS)
    }

    /// Predict the symbol at place `i` and record it; returns whether the prediction was right.
    #[inline(always)]
    fn step(&mut self, i: usize) -> Result<bool, OutOfMemory> {
        self.trie.look_ahead(self.symbols, i);
        let symbol = self.symbols[i];
        let mut path = [0u32; LENGTHS];
        let mut reached = self.walk(i, &mut path);
        let mut winner = Best::default();
        for &node in &path[..reached] {
            let best = self.trie.best(node);
            if best.count >= winner.count {
                winner = best;
            }
        }
        if self.contexts < MOST_CONTEXTS {
            reached = self.extend(i, &mut path, reached)?;
        }
        for &node in &path[..reached] {
            if self.trie.is_marked(node) && !self.trie.count(node, symbol)? {
                self.trie.count_first(node, symbol)?;
            }
        }
        Ok(winner.count > 0 && winner.symbol == symbol)
    }
}

pub fn of_symbols(symbols: &[u8], k: usize) -> Result<(u64, u64), OutOfMemory> {
    let (mut correct, mut runs) = (0u64, Runs::default());
    let mut dictionary = Dictionary::new(symbols, k)?;
    for i in LENGTHS..symbols.len() {
        let hit = dictionary.step(i)?;
        if i > LENGTHS {
            correct += u64::from(hit);
            runs.step(hit);
        }
    }
    Ok((correct, runs.longest))
}
