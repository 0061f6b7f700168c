//! From the common prefixes of neighbours in sorted order to the counts of repeated tuples, SP 800-90B 6.3.5 and 6.3.6.

const CUTOFF: u64 = 35;

/// What the t-Tuple and LRS estimates rest on.
pub struct TupleCounts {
    /// Occurrences of the most common t-tuple, t = 1, 2, ..., as long as they are 35 or more.
    pub most_common: Vec<u64>,
    /// v: symbols in the longest tuple that occurs twice.
    pub longest: usize,
    /// Sum over the W-tuples of C(count, 2), for W = u, ..., v.
    pub pairs: Vec<u64>,
}

/// Takes the lengths of the common prefixes of each suffix and the next, in sorted order.
pub struct TupleSums {
    /// Entry h: suffixes in the largest interval with a common prefix of h.
    most: Vec<u64>,
    /// Differences, from entry to entry, of the sums over W. They may wrap; the sums do not.
    sums: Vec<u64>,
    /// Common prefix and first suffix of the intervals around the latest suffix, both ascending.
    open: Vec<(u32, u32)>,
    suffixes: u32,
}

impl TupleSums {
    pub fn new() -> Self {
        Self { most: vec![0; 128], sums: vec![0; 128], open: vec![(0, 0)], suffixes: 0 }
    }

    /// The latest suffix and the next one share `prefix` symbols.
    #[inline(always)]
    pub fn push(&mut self, prefix: u32) {
        let (mut height, mut first) = self.open[self.open.len() - 1];
        if height > prefix {
            while height > prefix {
                self.open.pop();
                let outer = self.open[self.open.len() - 1].0;
                self.close(height, outer.max(prefix), u64::from(self.suffixes - first + 1));
                if outer <= prefix {
                    if outer < prefix {
                        self.open.push((prefix, first));
                    }
                    break;
                }
                (height, first) = self.open[self.open.len() - 1];
            }
        } else if height < prefix {
            self.open.push((prefix, self.suffixes));
            if prefix as usize >= self.most.len() {
                let length = (prefix as usize + 1).next_power_of_two();
                self.most.resize(length, 0);
                self.sums.resize(length, 0);
            }
        }
        self.suffixes += 1;
    }

    #[inline(always)]
    fn close(&mut self, height: u32, outer: u32, suffixes: u64) {
        let most = &mut self.most[height as usize];
        *most = (*most).max(suffixes);
        let pairs = suffixes * (suffixes - 1) / 2;
        self.sums[height as usize] = self.sums[height as usize].wrapping_add(pairs);
        self.sums[outer as usize] = self.sums[outer as usize].wrapping_sub(pairs);
    }

    /// All suffixes were taken.
    pub fn finish(mut self) -> TupleCounts {
        self.push(0);
        let longest = self.most.iter().rposition(|&count| count > 0).unwrap_or(0);
        for length in (1..longest).rev() {
            self.most[length] = self.most[length].max(self.most[length + 1]);
            self.sums[length] = self.sums[length].wrapping_add(self.sums[length + 1]);
        }
        let common = (1..=longest).take_while(|&length| self.most[length] >= CUTOFF).count();
        let pairs = if longest > common { self.sums[common + 1..=longest].to_vec() } else { Vec::new() };
        self.most.truncate(common + 1);
        self.most.remove(0);
        TupleCounts { most_common: self.most, longest, pairs }
    }
}
