//! The MultiMMC predictor on larger alphabets, SP 800-90B 6.3.9.
//!
//! Contexts form a trie from the latest symbol back, whose depth is the order. A context that occurred once is not
//! stored with all its longer contexts: a leaf holds the place of that occurrence, and becomes nodes when the context
//! occurs again. Orders fill up from the longest on (each has at least the pairs of the shorter ones), so a leaf stands
//! for all orders that were open at its place.

use std::collections::HashSet;

use super::context_trie::{Trie, LEAF};
use super::scoreboard::Runs;
use crate::memory::OutOfMemory;

const ORDERS: usize = 16;
const MOST_PAIRS: u32 = 100_000;

struct Models<'a> {
    symbols: &'a [u8],
    /// A node's children are indexed by the next older symbol: a node, or LEAF | place.
    trie: Trie,
    /// Number of pairs of each order, 1 to 16.
    pairs: [u32; ORDERS + 1],
    /// Bit d: order d has room for more pairs.
    open: u32,
    /// The place from which on an order records no new pairs.
    full_from: [usize; ORDERS + 1],
    /// Order, context and successor of recorded pairs whose shorter context was not recorded.
    unreachable: HashSet<(usize, [u8; ORDERS + 1])>,
}

impl<'a> Models<'a> {
    fn new(symbols: &'a [u8], k: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            symbols,
            trie: Trie::new(k)?,
            pairs: [0; ORDERS + 1],
            open: (2 << ORDERS) - 2,
            full_from: [usize::MAX; ORDERS + 1],
            unreachable: HashSet::new(),
        })
    }

    /// Take room for one more pair of an order; false if there is none.
    #[inline(always)]
    fn take_room(&mut self, order: usize, i: usize) -> bool {
        if self.pairs[order] >= MOST_PAIRS {
            return false;
        }
        self.pairs[order] += 1;
        if self.pairs[order] == MOST_PAIRS {
            self.open &= !(1 << order);
            self.full_from[order] = i + 1;
        }
        true
    }

    /// Count `symbol`, at place `i`, as a successor of the context of a node.
    #[inline(always)]
    fn count(&mut self, node: u32, order: usize, symbol: u8, i: usize) -> Result<(), OutOfMemory> {
        if !self.trie.count(node, symbol)? && self.take_room(order, i) {
            self.trie.count_first(node, symbol)?;
        }
        Ok(())
    }

    /// Predict and then record the symbol at place `i`. Bit d - 1 of the first result is 1 if order d was right; the
    /// second result is the number of orders that predicted.
    #[inline(always)]
    fn step(&mut self, i: usize) -> Result<(u32, usize), OutOfMemory> {
        self.trie.look_ahead(self.symbols, i);
        let symbol = self.symbols[i];
        let mut node = u32::from(self.symbols[i - 1]);
        let (mut right, mut present) = (0u32, 0usize);
        for order in 1..=ORDERS {
            let best = self.trie.best(node);
            if best.count > 0 {
                present = order;
                right |= u32::from(best.symbol == symbol) << (order - 1);
            }
            self.count(node, order, symbol, i)?;
            if order == ORDERS || order >= i {
                break;
            }
            let older = self.symbols[i - order - 1];
            match self.trie.child(node, older) {
                None => {
                    self.leave(node, order, i)?;
                    break;
                }
                Some(child) if child & LEAF == 0 => node = child,
                Some(leaf) => {
                    let place = (leaf & !LEAF) as usize;
                    let deepest = self.shared(place, i, order + 1);
                    if self.symbols[place] == symbol {
                        right |= ((1 << deepest) - 1) & !((1 << order) - 1);
                    }
                    self.unfold(node, order, place, i, deepest)?;
                    return Ok((right, deepest));
                }
            }
        }
        Ok((right, present))
    }

    /// Record place `i` in the orders above `order`, in which its contexts are new: as a leaf in the orders that have
    /// room, up to the first that has none. Longer orders may still have room for a few steps, but no prediction
    /// reaches them: their pairs are only counted.
    #[inline(always)]
    fn leave(&mut self, node: u32, order: usize, i: usize) -> Result<(), OutOfMemory> {
        if self.open >> order <= 1 {
            return Ok(());
        }
        let longest = ORDERS.min(i);
        let mut depth = order + 1;
        while depth <= longest && self.take_room(depth, i) {
            depth += 1;
        }
        if depth > order + 1 {
            self.trie.set_child(node, self.symbols[i - order - 1], LEAF | i as u32)?;
        }
        for depth in depth + 1..=longest {
            if self.pairs[depth] < MOST_PAIRS {
                let mut pair = [0; ORDERS + 1];
                pair[..=depth].copy_from_slice(&self.symbols[i - depth..=i]);
                self.unreachable.try_reserve(1).map_err(|_| OutOfMemory)?;
                if self.unreachable.insert((depth, pair)) {
                    self.take_room(depth, i);
                }
            }
        }
        Ok(())
    }

    /// The highest order in which places `a` and `b` share their context and `a` was recorded; at least `known`.
    fn shared(&self, a: usize, b: usize, known: usize) -> usize {
        let mut order = known;
        while order < ORDERS.min(a)
            && a < self.full_from[order + 1]
            && self.symbols[a - order - 1] == self.symbols[b - order - 1]
        {
            order += 1;
        }
        order
    }

    /// Turn the leaf `place` under a node of `order` into nodes down to `deepest`, and record place `i` in each of
    /// them.
    fn unfold(
        &mut self,
        mut node: u32,
        order: usize,
        place: usize,
        i: usize,
        deepest: usize,
    ) -> Result<(), OutOfMemory> {
        let (known, symbol) = (self.symbols[place], self.symbols[i]);
        for depth in order + 1..=deepest {
            let older = self.symbols[i - depth];
            let child = self.trie.add_node()?;
            self.trie.set_child(node, older, child)?;
            self.trie.count_first(child, known)?;
            node = child;
            self.count(node, depth, symbol, i)?;
        }
        if deepest < ORDERS.min(place) && place < self.full_from[deepest + 1] {
            self.trie.set_child(node, self.symbols[place - deepest - 1], LEAF | place as u32)?;
        }
        self.leave(node, deepest, i)
    }
}

pub fn of_symbols(symbols: &[u8], k: usize) -> Result<(u64, u64), OutOfMemory> {
    let mut models = Models::new(symbols, k)?;
    let mut scores = [0u64; ORDERS];
    let (mut winner, mut correct, mut runs) = (0usize, 0u64, Runs::default());
    for i in 1..symbols.len() {
        let (mut right, present) = models.step(i)?;
        if winner < present {
            let hit = right >> winner & 1 == 1;
            correct += u64::from(hit);
            runs.step(hit);
        }
        while right != 0 {
            let order = right.trailing_zeros() as usize;
            right &= right - 1;
            scores[order] += 1;
            if scores[order] >= scores[winner] {
                winner = order;
            }
        }
    }
    Ok((correct, runs.longest))
}
