//! The MultiMMC predictor on bits, SP 800-90B 6.3.9.
//!
//! A binary Markov model keeps one number for each context: how often 1 followed, less how often 0 did. Orders up to 15 have at
//! most 65,536 pairs and never fill up; order 16 can, and keeps both counts.

use super::scoreboard::Scoreboard;
use super::symbols::bit;
use crate::multiversion::multiversion;

const ORDERS: usize = 16;
const MOST_PAIRS: u32 = 100_000;

/// Contexts of one order below 16: 0 if not seen yet, otherwise 2 (ones - zeros) + 1, so that a positive one predicts 1.
type Balances = Vec<i32>;

multiversion! {
    pub fn of_bits(words: &[u64], n: usize) -> (u64, u64) {
        let mut board = Scoreboard::<ORDERS>::new();
        let mut balances: Vec<Balances> = (0..ORDERS).map(|order| vec![0; 2 << order]).collect();
        let mut unseen: [usize; ORDERS] = std::array::from_fn(|order| 2 << order);
        let mut widest = Widest::new();
        let mut right = [0u64; ORDERS];
        let mut present = [0u64; ORDERS];
        for (index, &word) in words.iter().enumerate() {
            let last = if index == 0 { 0 } else { words[index - 1] };
            if index == 0 || n - 64 * index < 64 {
                let from = 64 * index;
                for (order, balances) in balances.iter_mut().enumerate().take(ORDERS - 1) {
                    (right[order], present[order]) = slowly(words, from, n, order + 1, balances, &mut unseen[order]);
                }
                (right[ORDERS - 1], present[ORDERS - 1]) = widest.slowly(words, from, n);
            } else {
                // The sixteen bits before the word, and the word: the context of step i starts at bit 16 - order + i.
                let history = u128::from(last >> 48) | u128::from(word) << 16;
                let mut quick = 0;
                while quick < ORDERS - 1 && unseen[quick] == 0 {
                    quick += 1;
                }
                let mut order = 0;
                if quick >= 5 {
                    order = 5;
                    right[..5].copy_from_slice(&five_at_once::<1>(history, word, &mut balances[..5]));
                }
                if quick >= 10 {
                    order = 10;
                    right[5..10].copy_from_slice(&five_at_once::<6>(history, word, &mut balances[5..10]));
                }
                if quick >= 15 {
                    order = 15;
                    right[10..15].copy_from_slice(&five_at_once::<11>(history, word, &mut balances[10..15]));
                }
                present[..order].fill(!0);
                while order < ORDERS - 1 {
                    (right[order], present[order]) =
                        one_order(history, word, order + 1, &mut balances[order], &mut unseen[order]);
                    order += 1;
                }
                (right[ORDERS - 1], present[ORDERS - 1]) = widest.word(history, word);
            }
            if quick_present(&present) {
                board.play(&right);
            } else {
                board.play_present(&right, &present);
            }
        }
        (board.correct, board.longest_run())
    }
}

#[inline(always)]
fn quick_present(present: &[u64; ORDERS]) -> bool {
    present.iter().all(|&word| word == !0)
}

/// 64 steps of five orders, LOWEST and up, whose contexts have all been seen.
#[inline(always)]
fn five_at_once<const LOWEST: usize>(history: u128, word: u64, tables: &mut [Balances]) -> [u64; 5] {
    let [a, b, c, d, e] = tables else { unreachable!("five orders have five tables") };
    assert!(a.len() == 1 << LOWEST && b.len() == 2 << LOWEST && c.len() == 4 << LOWEST);
    assert!(d.len() == 8 << LOWEST && e.len() == 16 << LOWEST);
    let mut right = [0u64; 5];
    for half in 0..2 {
        // Bit 0 is the oldest bit of the longest context.
        let mut window = (history >> (16 - (LOWEST + 4) + 32 * half)) as u64;
        let mut bits = word >> (32 * half);
        for _ in 0..32 {
            let one = (bits & 1) as u32;
            let change = 4 * one as i32 - 2;
            macro_rules! visit {
                ($table:ident, $place:expr) => {
                    let context = (window >> (4 - $place)) as usize & ((1 << (LOWEST + $place)) - 1);
                    let entry = &mut $table[context];
                    right[$place] = right[$place] << 1 | u64::from((*entry as u32 >> 31) ^ one);
                    *entry += change;
                };
            }
            visit!(a, 0);
            visit!(b, 1);
            visit!(c, 2);
            visit!(d, 3);
            visit!(e, 4);
            bits >>= 1;
            window >>= 1;
        }
    }
    right.map(u64::reverse_bits)
}

/// 64 steps of one order: what was right, and what was predicted.
#[inline(always)]
fn one_order(history: u128, word: u64, order: usize, balances: &mut Balances, unseen: &mut usize) -> (u64, u64) {
    let (mut right, mut present) = (0u64, 0u64);
    let mut window = history >> (16 - order);
    for step in 0..64 {
        let one = (word >> step & 1) as i32;
        let entry = &mut balances[window as usize & ((1 << order) - 1)];
        let seen = u64::from(*entry & 1 == 1);
        *unseen -= (1 - seen) as usize;
        present |= seen << step;
        right |= (seen & u64::from((*entry > 0) == (one == 1))) << step;
        *entry = (*entry + 4 * one - 2) | 1;
        window >>= 1;
    }
    (right, present)
}

/// Steps `from` up to the end of its word or of the data: the first word, where contexts reach before the first bit, and the last.
fn slowly(
    words: &[u64],
    from: usize,
    n: usize,
    order: usize,
    balances: &mut Balances,
    unseen: &mut usize,
) -> (u64, u64) {
    let (mut right, mut present) = (0u64, 0u64);
    for i in from.max(order)..n.min(from + 64) {
        let context = (0..order).fold(0, |context, place| context | bit(words, i - order + place) << place);
        let entry = &mut balances[context];
        // Predictions start at the third bit.
        if *entry & 1 == 1 {
            present |= 1 << (i - from);
            right |= u64::from((*entry > 0) == (bit(words, i) == 1)) << (i - from);
        } else {
            *unseen -= 1;
        }
        *entry = (*entry + 4 * bit(words, i) as i32 - 2) | 1;
    }
    (right, present)
}

/// Order 16: counts of 0 and 1 for each context; at most 100,000 pairs.
struct Widest {
    counts: Vec<[u32; 2]>,
    pairs: u32,
}

impl Widest {
    fn new() -> Self {
        Self { counts: vec![[0; 2]; 1 << ORDERS], pairs: 0 }
    }

    /// Returns whether there was a prediction, and whether it was right.
    #[inline(always)]
    fn visit(&mut self, context: usize, one: usize) -> (u64, u64) {
        let [zeros, ones] = self.counts[context];
        let seen = u64::from(zeros | ones != 0);
        let right = seen & u64::from((ones >= zeros) == (one == 1));
        let count = &mut self.counts[context][one];
        if *count != 0 {
            *count += 1;
        } else if self.pairs < MOST_PAIRS {
            self.pairs += 1;
            *count = 1;
        }
        (right, seen)
    }

    #[inline(always)]
    fn word(&mut self, history: u128, word: u64) -> (u64, u64) {
        let (mut right, mut present) = (0u64, 0u64);
        let mut window = history;
        for step in 0..64 {
            let (hit, seen) = self.visit(window as usize & ((1 << ORDERS) - 1), (word >> step & 1) as usize);
            right |= hit << step;
            present |= seen << step;
            window >>= 1;
        }
        (right, present)
    }

    fn slowly(&mut self, words: &[u64], from: usize, n: usize) -> (u64, u64) {
        let (mut right, mut present) = (0u64, 0u64);
        for i in from.max(ORDERS)..n.min(from + 64) {
            let context = (0..ORDERS).fold(0, |context, place| context | bit(words, i - ORDERS + place) << place);
            let (hit, seen) = self.visit(context, bit(words, i));
            right |= hit << (i - from);
            present |= seen << (i - from);
        }
        (right, present)
    }
}
