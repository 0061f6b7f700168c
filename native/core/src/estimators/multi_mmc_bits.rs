//! The MultiMMC predictor on bits, SP 800-90B 6.3.9.
//!
//! A binary Markov model keeps one number for each context: how often 1 followed, minus how often 0 did. Orders up to
//! 15 have at most 65,536 pairs and never fill up; order 16 can fill up, and keeps both counts.

#[cfg(target_arch = "x86_64")]
use super::lanes::Vectors;
use super::lanes::{vectors_are_right, Lanes, Portable, Steps};
use super::order_records::OrderRecords;
use super::scoreboard::Scoreboard;
use super::symbols::bit;
use crate::memory::{push, with_room, zeros, OutOfMemory};
use crate::simd::multiversion;

const ORDERS: usize = 16;
const MOST_PAIRS: u32 = 100_000;
/// Number of orders, from 1 on, with so few contexts that each context has many steps in a word.
const ORDERS_BY_WORD: usize = 5;

/// Contexts of one order below 16: 0 if not seen yet, otherwise 2 (ones - zeros) + 1; a positive number predicts 1.
pub type Balances = Vec<i32>;
/// Entries that masks by context take.
pub const MASKS: usize = 2 << ORDERS_BY_WORD;

/// C and the longest run of correct predictions.
pub fn of_bits(words: &[u64], n: usize) -> Result<(u64, u64), OutOfMemory> {
    if vectors_are_right() {
        with_vectors(words, n)
    } else {
        of_bits_by::<Portable>(words, n)
    }
}

multiversion! {
    fn with_vectors(words: &[u64], n: usize) -> Result<(u64, u64), OutOfMemory> {
        of_bits_by::<Portable>(words, n)
    }
    on vectors { of_bits_by::<Vectors>(words, n) }
    checked by OF_BITS: |run| {
        // Few contexts, because each one touches a page of its order's table.
        let word = 0x0b0b_0b0b_0b0b_0b0b;
        run(&[word, word ^ 1 << 50, word], 2 * 64 + 23)
    }
}

#[inline(always)]
fn of_bits_by<L: Lanes>(words: &[u64], n: usize) -> Result<(u64, u64), OutOfMemory> {
    let mut board = Scoreboard::<ORDERS>::new();
    let mut balances: Vec<Balances> = Vec::new();
    for order in 0..ORDERS {
        push(&mut balances, zeros(2 << order)?)?;
    }
    let mut unseen: [usize; ORDERS] = std::array::from_fn(|order| 2 << order);
    let mut widest = Widest::new()?;
    // Where vectors are faster, a table whose contexts have all been seen becomes records.
    let (mut from_6, mut from_11) = (None::<OrderRecords<6>>, None::<OrderRecords<11>>);
    let mut right = [0u64; ORDERS];
    let mut present = [0u64; ORDERS];
    for (index, &word) in words.iter().enumerate() {
        let last = if index == 0 { 0 } else { words[index - 1] };
        if index == 0 || n - 64 * index < 64 {
            let from = 64 * index;
            put_back(from_6.take(), &mut balances);
            put_back(from_11.take(), &mut balances);
            for (order, balances) in balances.iter_mut().enumerate().take(ORDERS - 1) {
                (right[order], present[order]) = slowly(words, from, n, order + 1, balances, &mut unseen[order]);
            }
            (right[ORDERS - 1], present[ORDERS - 1]) = widest.slowly(words, from, n);
        } else {
            // The sixteen bits before the word, and the word: the context of step i starts at bit 16 - order + i.
            let history = u128::from(last >> 48) | u128::from(word) << 16;
            macro_rules! five {
                ($lowest:expr, $records:ident) => {
                    let orders = $lowest - 1..$lowest + 4;
                    let tables = &mut balances[orders.clone()];
                    if let Some(records) = &mut $records {
                        right[orders].copy_from_slice(&records.word::<L>(history, word));
                    } else if unseen[orders.clone()] == [0; 5] {
                        right[orders.clone()].copy_from_slice(&five_at_once::<$lowest, true>(history, word, tables).0);
                        present[orders].fill(!0);
                        if L::ARE_VECTORS {
                            let balance = |order: usize, context: usize| (balances[order - 1][context] - 1) / 2;
                            $records = Some(OrderRecords::new(balance)?);
                        }
                    } else {
                        let (hits, there) = five_at_once::<$lowest, false>(history, word, tables);
                        for (place, order) in orders.enumerate() {
                            (right[order], present[order]) = (hits[place], there[place]);
                            unseen[order] -= there[place].count_zeros() as usize;
                        }
                    }
                };
            }
            for order in 0..ORDERS_BY_WORD {
                (right[order], present[order]) = (0, 0);
            }
            by_word(last, word, &mut balances, &mut right, &mut present);
            five!(6, from_6);
            five!(11, from_11);
            (right[ORDERS - 1], present[ORDERS - 1]) = widest.word::<L>(history, word, n);
        }
        if quick_present(&present) {
            board.play(&right);
        } else {
            board.play_present(&right, &present);
        }
    }
    Ok((board.correct, board.longest_run()))
}

/// Records become tables again.
fn put_back<const LOWEST: usize>(records: Option<OrderRecords<LOWEST>>, balances: &mut [Balances]) {
    if let Some(records) = records {
        records.for_each(|order, context, balance| balances[order - 1][context] = 2 * balance + 1);
    }
}

#[inline(always)]
fn quick_present(present: &[u64; ORDERS]) -> bool {
    present.iter().all(|&word| word == !0)
}

/// 64 steps of the shortest orders. The steps that share a context form a mask; unless the balance may change its sign
/// among them, they are predicted all at once.
#[inline(always)]
fn by_word(last: u64, word: u64, balances: &mut [Balances], right: &mut [u64], present: &mut [u64]) {
    let mut masks = [0u64; MASKS];
    masks[1] = !0;
    one_by_word::<1>(last, word, &mut masks, &mut balances[0], &mut right[0], &mut present[0]);
    one_by_word::<2>(last, word, &mut masks, &mut balances[1], &mut right[1], &mut present[1]);
    one_by_word::<3>(last, word, &mut masks, &mut balances[2], &mut right[2], &mut present[2]);
    one_by_word::<4>(last, word, &mut masks, &mut balances[3], &mut right[3], &mut present[3]);
    one_by_word::<5>(last, word, &mut masks, &mut balances[4], &mut right[4], &mut present[4]);
}

/// The same for one order. Entry 1 << order | context of `masks` is the mask of the context.
#[inline(always)]
pub fn one_by_word<const ORDER: usize>(
    last: u64,
    word: u64,
    masks: &mut [u64; MASKS],
    balances: &mut [i32],
    right: &mut u64,
    present: &mut u64,
) {
    assert!(balances.len() == 1 << ORDER);
    let older = word << ORDER | last >> (64 - ORDER);
    for context in 0..1 << ORDER {
        // A context that is longer by one older bit.
        let mask = masks[1 << (ORDER - 1) | context >> 1] & if context & 1 == 1 { older } else { !older };
        masks[1 << ORDER | context] = mask;
        let entry = &mut balances[context];
        let steps = mask.count_ones() as i32;
        if entry.unsigned_abs() > 2 * steps as u32 {
            *right |= mask & if *entry > 0 { word } else { !word };
            *present |= mask;
            *entry += 4 * (mask & word).count_ones() as i32 - 2 * steps;
        } else {
            let mut steps = mask;
            while steps != 0 {
                let step = steps & steps.wrapping_neg();
                steps ^= step;
                if *entry & 1 == 1 {
                    *present |= step;
                    *right |= if *entry > 0 { step & word } else { step & !word };
                }
                *entry = (*entry + if word & step != 0 { 2 } else { -2 }) | 1;
            }
        }
    }
}

/// 64 steps of five orders from LOWEST on: the steps that were right, and the steps that were predicted, which are all
/// of them if ALL_SEEN.
#[inline(always)]
fn five_at_once<const LOWEST: usize, const ALL_SEEN: bool>(
    history: u128,
    word: u64,
    tables: &mut [Balances],
) -> ([u64; 5], [u64; 5]) {
    let [a, b, c, d, e] = tables else { unreachable!("five orders have five tables") };
    assert!(a.len() == 1 << LOWEST && b.len() == 2 << LOWEST && c.len() == 4 << LOWEST);
    assert!(d.len() == 8 << LOWEST && e.len() == 16 << LOWEST);
    let (mut right, mut present) = ([0u64; 5], [0u64; 5]);
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
                    let agrees = (*entry as u32 >> 31) ^ one;
                    if ALL_SEEN {
                        right[$place] = right[$place] << 1 | u64::from(agrees);
                        *entry += change;
                    } else {
                        let seen = *entry as u32 & 1;
                        right[$place] = right[$place] << 1 | u64::from(agrees & seen);
                        present[$place] = present[$place] << 1 | u64::from(seen);
                        *entry = (*entry + change) | 1;
                    }
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
    (right.map(u64::reverse_bits), present.map(u64::reverse_bits))
}

/// Steps `from` to the end of its word or of the data: for the first word, where contexts reach before the first bit,
/// and for the last.
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
    /// Once no new pairs are recorded: ones minus zeros, for contexts that have both. For the others a number so far
    /// from 0 that no step changes their prediction.
    balances: Vec<i32>,
}

/// Balance of contexts with only one recorded pair, and of contexts with none: see `balances`.
const ONLY_ONE: i32 = 1 << 30;
const ONLY_ZERO: i32 = -1 << 30;
const NONE: i32 = i32::MIN + MOST_STEPS as i32;
/// A balance below this is [`NONE`].
const LEAST_PRESENT: i32 = -3 << 29;
const MOST_STEPS: usize = 1 << 28;

impl Widest {
    fn new() -> Result<Self, OutOfMemory> {
        Ok(Self { counts: zeros(1 << ORDERS)?, pairs: 0, balances: with_room(1 << ORDERS)? })
    }

    /// Return whether the prediction was right, and whether there was one.
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

    /// Take 64 steps of `n`, the bits after the 16 of `history`.
    #[inline(always)]
    fn word<L: Lanes>(&mut self, history: u128, word: u64, n: usize) -> (u64, u64) {
        if self.pairs == MOST_PAIRS && n < MOST_STEPS {
            if self.balances.is_empty() {
                // There is room.
                self.balances.extend(self.counts.iter().map(|&[zeros, ones]| balance(zeros, ones)));
            }
            return full_steps::<L>(&mut self.balances, history, word);
        }
        let (mut right, mut present) = (0u64, 0u64);
        for half in 0..2 {
            let mut window = (history >> (32 * half)) as u64;
            for _ in 0..32 {
                let one = (window >> ORDERS) as usize & 1;
                let (hit, seen) = self.visit(window as usize & ((1 << ORDERS) - 1), one);
                right = right << 1 | hit;
                present = present << 1 | seen;
                window >>= 1;
            }
        }
        (right.reverse_bits(), present.reverse_bits())
    }

    fn slowly(&mut self, words: &[u64], from: usize, n: usize) -> (u64, u64) {
        let (mut right, mut present) = (0u64, 0u64);
        for i in from.max(ORDERS)..n.min(from + 64) {
            let context = (0..ORDERS).fold(0, |context, place| context | bit(words, i - ORDERS + place) << place);
            let (hit, seen) = if self.balances.is_empty() {
                self.visit(context, bit(words, i))
            } else {
                // The last steps: nothing more is counted.
                let balance = self.balances[context];
                let seen = u64::from(balance >= LEAST_PRESENT);
                self.balances[context] += 2 * bit(words, i) as i32 - 1;
                (seen & u64::from((balance >= 0) == (bit(words, i) == 1)), seen)
            };
            right |= hit << (i - from);
            present |= seen << (i - from);
        }
        (right, present)
    }
}

fn balance(zeros: u32, ones: u32) -> i32 {
    match (zeros, ones) {
        (0, 0) => NONE,
        (0, _) => ONLY_ONE,
        (_, 0) => ONLY_ZERO,
        _ => ones as i32 - zeros as i32,
    }
}

/// 64 steps of order 16 that record no new pair.
#[inline(always)]
fn full_steps<L: Lanes>(balances: &mut [i32], history: u128, word: u64) -> (u64, u64) {
    assert!(balances.len() == 1 << ORDERS);
    let mut before: Steps = [0; 64];
    for (half, before) in before.chunks_exact_mut(32).enumerate() {
        let mut window = (history >> (32 * half)) as u64;
        let mut next = word >> (32 * half) << 1;
        for before in before {
            let balance = &mut balances[window as usize & ((1 << ORDERS) - 1)];
            *before = *balance;
            *balance += (next & 2) as i32 - 1;
            window >>= 1;
            next >>= 1;
        }
    }
    let present = L::above(&before, -1, LEAST_PRESENT - 1);
    (!(L::above(&before, -1, -1) ^ word) & present, present)
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Balances;
    use super::super::symbols::tests::noise;
    use super::*;

    /// The portable leaf functions, used like vectors.
    struct AsVectors;

    impl Lanes for AsVectors {
        const ARE_VECTORS: bool = true;

        fn add(balances: &mut Balances, change: &Balances) -> u32 {
            Portable::add(balances, change)
        }

        fn above(steps: &Steps, mask: i32, limit: i32) -> u64 {
            Portable::above(steps, mask, limit)
        }
    }

    #[test]
    fn records_give_what_tables_give() {
        // Even, then biased for so long that balances exceed the records' limits, then biased the other way; a cut word
        // at the end.
        for (seed, n) in [(1, 2_000_000), (2, 2_000_037), (3, 1_999_999)] {
            let (a, b) = (noise(n / 64 + 1, seed), noise(n / 64 + 1, seed + 10));
            let mut words: Vec<u64> = a.clone();
            for (index, word) in words.iter_mut().enumerate() {
                match index * 64 {
                    0..700_000 => {}
                    700_000..1_400_000 => *word |= b[index] | b[index / 2],
                    _ => *word &= b[index] & b[index / 2],
                }
            }
            words.truncate(n.div_ceil(64));
            if n % 64 != 0 {
                *words.last_mut().unwrap() &= (1 << (n % 64)) - 1;
            }
            let tables = of_bits_by::<Portable>(&words, n);
            assert_eq!(of_bits_by::<AsVectors>(&words, n), tables);
            assert_eq!(of_bits(&words, n), tables);
        }
    }
}
