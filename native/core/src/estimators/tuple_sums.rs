//! From the common prefixes of neighbours in sorted order to the counts of repeated tuples, SP 800-90B 6.3.5 and 6.3.6.

use crate::memory::huge_pages::advise;
use crate::memory::prefetch::prefetch;
use crate::memory::{copied, push, resize, zeros, OutOfMemory, Zero};

/// Occurrences of a tuple that is common, 6.3.5.
pub const CUTOFF: u32 = 35;

/// Intervals of fewer suffixes are recorded by their size: for each size only the longest prefix counts.
const FEW: u32 = 1 << 12;

/// The counts from which the t-Tuple and LRS estimates are computed.
pub struct TupleCounts {
    /// Occurrences of the most common t-tuple, t = 1, 2, ..., as long as they are 35 or more.
    pub most_common: Vec<u32>,
    /// v: length of the longest tuple that occurs twice.
    pub longest: usize,
    /// Sum over the W-tuples of C(count, 2), for W = u, ..., v.
    pub pairs: Vec<u64>,
}

/// Takes the lengths of the common prefixes of each suffix and the next, in sorted order.
pub struct TupleSums {
    /// Entry h: suffixes in the largest interval with a common prefix of h, if they are `FEW` or more; as long as
    /// needed.
    most: Vec<u32>,
    /// Entry s: the longest common prefix of intervals of s suffixes.
    longest: [u32; FEW as usize],
    /// Differences, from entry to entry, of the sums over W. They may wrap; the sums do not.
    sums: Vec<u64>,
    /// Common prefix and first suffix of the intervals around the latest suffix, both ascending.
    open: Vec<(u32, u32)>,
    suffixes: u32,
}

impl TupleSums {
    pub fn new() -> Result<Self, OutOfMemory> {
        let mut open = Vec::new();
        push(&mut open, (0, 0))?;
        Ok(Self { most: zeros(128)?, longest: [0; FEW as usize], sums: zeros(128)?, open, suffixes: 0 })
    }

    /// Start a group of suffixes: only tuples of more than `base` symbols are counted in it. End it with `push(base)`.
    pub fn start_group(&mut self, base: usize) -> Result<(), OutOfMemory> {
        self.grow(base)?;
        self.open.clear();
        push(&mut self.open, (base as u32, self.suffixes))
    }

    /// Make room for tuples of up to `longest` symbols, and no more.
    pub fn reserve(&mut self, longest: usize) -> Result<(), OutOfMemory> {
        let more = (longest + 2).saturating_sub(self.sums.len());
        self.sums.try_reserve_exact(more).map_err(|_| OutOfMemory)?;
        advise(&mut self.sums);
        self.sums.resize(self.sums.len() + more, 0);
        Ok(())
    }

    #[inline(always)]
    fn grow(&mut self, length: usize) -> Result<(), OutOfMemory> {
        grow(&mut self.sums, length, usize::MAX)
    }

    /// A prefix of this length will be pushed soon.
    #[inline(always)]
    pub fn expect(&self, prefix: u32) {
        prefetch(&self.sums, prefix as usize);
    }

    /// The latest suffix and the next one share `prefix` symbols; fewer than the group's base count as the base.
    #[inline(always)]
    pub fn push(&mut self, prefix: u32) -> Result<(), OutOfMemory> {
        let prefix = prefix.max(self.open[0].0);
        let (mut height, mut first) = self.open[self.open.len() - 1];
        if height > prefix {
            while height > prefix {
                self.open.pop();
                let outer = self.open[self.open.len() - 1].0;
                self.close(height, outer.max(prefix), self.suffixes - first + 1)?;
                if outer <= prefix {
                    if outer < prefix {
                        push(&mut self.open, (prefix, first))?;
                    }
                    break;
                }
                (height, first) = self.open[self.open.len() - 1];
            }
        } else if height < prefix {
            push(&mut self.open, (prefix, self.suffixes))?;
            self.grow(prefix as usize)?;
        }
        self.suffixes += 1;
        Ok(())
    }

    #[inline(always)]
    fn close(&mut self, height: u32, outer: u32, suffixes: u32) -> Result<(), OutOfMemory> {
        if let Some(longest) = self.longest.get_mut(suffixes as usize) {
            *longest = height.max(*longest);
        } else {
            grow(&mut self.most, height as usize, self.sums.len())?;
            let most = &mut self.most[height as usize];
            *most = (*most).max(suffixes);
        }
        let suffixes = u64::from(suffixes);
        let pairs = suffixes * (suffixes - 1) / 2;
        self.sums[height as usize] = self.sums[height as usize].wrapping_add(pairs);
        self.sums[outer as usize] = self.sums[outer as usize].wrapping_sub(pairs);
        Ok(())
    }

    /// Finish after all suffixes. Entry t - 1 of `shorter` has other known counts of tuples of t symbols: the count of
    /// the most common one, and the pairs.
    pub fn finish(mut self, shorter: &[(u64, u64)]) -> Result<TupleCounts, OutOfMemory> {
        self.grow(shorter.len())?;
        grow(&mut self.most, shorter.len(), usize::MAX)?;
        for (suffixes, &height) in (0..FEW).zip(&self.longest).skip(CUTOFF as usize) {
            grow(&mut self.most, height as usize, self.sums.len())?;
            let most = &mut self.most[height as usize];
            *most = suffixes.max(*most);
        }
        let (mut most, mut pairs) = (self.most, self.sums);
        for length in (1..most.len() - 1).rev() {
            most[length] = most[length].max(most[length + 1]);
        }
        for length in (1..pairs.len() - 1).rev() {
            pairs[length] = pairs[length].wrapping_add(pairs[length + 1]);
        }
        for (index, &(count, number)) in shorter.iter().enumerate() {
            most[index + 1] = most[index + 1].max(count as u32);
            pairs[index + 1] += number;
        }
        let longest = (1..pairs.len()).rfind(|&length| pairs[length] > 0).unwrap_or(0);
        let common = (1..=longest).take_while(|&length| most.get(length).is_some_and(|&most| most >= CUTOFF)).count();
        // There may be millions of either: work in place, without further memory.
        pairs.truncate(longest + 1);
        pairs.drain(..(common + 1).min(longest + 1));
        if pairs.len() < pairs.capacity() / 4 {
            pairs = copied(&pairs)?;
        }
        most.truncate(common + 1);
        most.drain(..1);
        Ok(TupleCounts { most_common: most, longest, pairs })
    }
}

/// Make room for entry `length`, and for some more up to `all` in all.
#[inline(always)]
fn grow<T: Zero + Default>(entries: &mut Vec<T>, length: usize, all: usize) -> Result<(), OutOfMemory> {
    if length >= entries.len() {
        return more(entries, (length + 1).max((entries.len() + entries.len() / 2).min(all)));
    }
    Ok(())
}

#[cold]
fn more<T: Zero + Default>(entries: &mut Vec<T>, length: usize) -> Result<(), OutOfMemory> {
    resize(entries, length, T::default())
}
