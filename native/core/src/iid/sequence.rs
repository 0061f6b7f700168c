//! A sequence, its permutations and their statistics, SP 800-90B section 5.1.

use std::cell::RefCell;

use super::compression::Compressor;
use super::shuffle::{arrange_bits, shuffle, Urn, MANY};
use super::statistics::{of_bits, of_symbols, Mask, COMPRESSION, COUNT};
use crate::memory::{extend, reserve, resize, OutOfMemory};

/// Longest sequence.
pub const MOST_SYMBOLS: usize = 1 << 27;

thread_local! {
    /// Working memory of the compression statistic, kept because fresh memory takes a tenth of the time.
    static COMPRESSOR: RefCell<Compressor> = RefCell::default();
}

/// Properties that all permutations of a sequence share.
enum Kind {
    Constant,
    Binary { low: u8, high: u8, ones: usize },
    Symbols { total: u64, threshold: u8, urn: Option<Box<Urn>> },
}

/// A sequence and room for a permutation of it.
pub struct Sequence<'a> {
    symbols: &'a [u8],
    kind: Kind,
    words: Vec<u64>,
    permuted: Vec<u8>,
}

impl<'a> Sequence<'a> {
    /// `symbols`: 1 to [`MOST_SYMBOLS`].
    pub fn new(symbols: &'a [u8]) -> Result<Self, OutOfMemory> {
        let mut counts = [0usize; 256];
        symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
        let distinct: Vec<u8> = (0..=255).filter(|&symbol| counts[usize::from(symbol)] > 0).collect();
        let kind = match distinct[..] {
            [_] => Kind::Constant,
            [low, high] => Kind::Binary { low, high, ones: counts[usize::from(high)] },
            _ => Kind::Symbols {
                total: (0..).zip(counts).map(|(symbol, count): (u64, usize)| symbol * count as u64).sum(),
                threshold: threshold(symbols.len(), &counts, &distinct),
                urn: if symbols.len() < MANY { None } else { Some(Box::new(Urn::new(&counts)?)) },
            },
        };
        Ok(Self { symbols, kind, words: Vec::new(), permuted: Vec::new() })
    }

    /// Statistics of the sequence itself.
    pub fn own_statistics(&mut self, mask: Mask) -> Result<[u64; COUNT], OutOfMemory> {
        if let Kind::Binary { high, .. } = self.kind {
            self.words.clear();
            resize(&mut self.words, self.symbols.len().div_ceil(64), 0)?;
            for (place, _) in self.symbols.iter().enumerate().filter(|(_, &symbol)| symbol == high) {
                self.words[place / 64] |= 1 << (place % 64);
            }
        } else {
            self.copy()?;
        }
        self.statistics(mask)
    }

    /// Statistics of a permutation.
    fn permuted_statistics(&mut self, seed: u64, index: u64, mask: Mask) -> Result<[u64; COUNT], OutOfMemory> {
        self.permute(seed, index)?;
        self.statistics(mask)
    }

    /// Put the sequence itself into `permuted`.
    fn copy(&mut self) -> Result<(), OutOfMemory> {
        self.permuted.clear();
        extend(&mut self.permuted, self.symbols.iter().copied())
    }

    fn permute(&mut self, seed: u64, index: u64) -> Result<(), OutOfMemory> {
        let n = self.symbols.len();
        match &self.kind {
            &Kind::Binary { ones, .. } => {
                resize(&mut self.words, n.div_ceil(64), 0)?;
                arrange_bits(n, ones, seed, index, &mut self.words);
            }
            Kind::Constant => self.copy()?,
            Kind::Symbols { urn, .. } => {
                resize(&mut self.permuted, n, 0)?;
                match urn {
                    Some(urn) => urn.arrange(seed, index, &mut self.permuted),
                    None => shuffle(self.symbols, seed, index, &mut self.permuted),
                }
            }
        }
        Ok(())
    }

    /// Statistics of the contents of `words` or `permuted`.
    fn statistics(&mut self, mask: Mask) -> Result<[u64; COUNT], OutOfMemory> {
        let mut keys = match self.kind {
            Kind::Binary { low, high, ones } => {
                of_bits(&self.words, self.symbols.len(), ones, u64::from(high - low), mask)?
            }
            Kind::Constant => {
                of_symbols(&self.permuted, self.permuted.len() as u64 * u64::from(self.permuted[0]), 0, mask)
            }
            Kind::Symbols { total, threshold, .. } => of_symbols(&self.permuted, total, threshold, mask),
        };
        if mask.has(COMPRESSION) {
            self.expand()?;
            keys[COMPRESSION] = COMPRESSOR.with_borrow_mut(|compressor| compressor.size(&self.permuted))?;
        }
        for (statistic, key) in keys.iter_mut().enumerate().filter(|(statistic, _)| !mask.has(*statistic)) {
            debug_assert!(statistic < COUNT);
            *key = 0;
        }
        Ok(keys)
    }

    /// Make symbols of bits.
    fn expand(&mut self) -> Result<(), OutOfMemory> {
        if let Kind::Binary { low, high, .. } = self.kind {
            self.permuted.clear();
            reserve(&mut self.permuted, 64 * self.words.len())?;
            for word in &self.words {
                self.permuted.extend((0..64).map(|bit| if word >> bit & 1 == 1 { high } else { low }));
            }
            self.permuted.truncate(self.symbols.len());
        }
        Ok(())
    }

    /// Permutation `index` for `seed`.
    pub fn permutation(mut self, seed: u64, index: u64) -> Result<Vec<u8>, OutOfMemory> {
        self.permute(seed, index)?;
        self.expand()?;
        Ok(self.permuted)
    }

    /// How many of the permutations from `first` on have a greater, an equal and a smaller statistic than `original`.
    pub fn compare(
        &mut self,
        original: &[u64; COUNT],
        seed: u64,
        first: u64,
        permutations: u64,
        mask: Mask,
    ) -> Result<[(u64, u64, u64); COUNT], OutOfMemory> {
        let mut counts = [(0, 0, 0); COUNT];
        for index in 0..permutations {
            let keys = self.permuted_statistics(seed, first.wrapping_add(index), mask)?;
            for statistic in (0..COUNT).filter(|&statistic| mask.has(statistic)) {
                let (greater, equal, less) = &mut counts[statistic];
                match keys[statistic].cmp(&original[statistic]) {
                    std::cmp::Ordering::Greater => *greater += 1,
                    std::cmp::Ordering::Equal => *equal += 1,
                    std::cmp::Ordering::Less => *less += 1,
                }
            }
        }
        Ok(counts)
    }
}

/// The lowest symbol that is not below the median of the translated symbols.
fn threshold(n: usize, counts: &[usize; 256], distinct: &[u8]) -> u8 {
    let translated = |place: usize| {
        let mut below = 0;
        distinct.iter().position(|&symbol| {
            below += counts[usize::from(symbol)];
            below > place
        })
    };
    let middle = [(n - 1) / 2, n / 2].map(|place| translated(place).unwrap_or(0));
    distinct[(middle[0] + middle[1]).div_ceil(2)]
}
