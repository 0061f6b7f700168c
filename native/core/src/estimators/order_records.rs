//! Five successive orders of a binary Markov model in parallel, once all their contexts have been seen.
//!
//! A record holds the balances, ones minus zeros, of all contexts that share their latest bits: 1 of the lowest order,
//! 2 of the next one, then 4, 8, 16. A step adds a row of 1, -1 and 0 to a record; the signs before it are the
//! predictions.

use super::lanes::{sign_place, Balances, Lanes, Steps};
use crate::memory::{filled, zeros, OutOfMemory};

/// Number of orders, and of balances, in a record.
pub const ORDERS: usize = 5;
const BALANCES: usize = 32;
/// Bits of the longest context that are older than the bits a record shares.
const OLDER: usize = ORDERS - 1;
/// Words between two checks. Balances are then brought within limits, so that 16 bits suffice and signs stay correct.
const WORDS: usize = 250;
const LIMIT: i32 = 64 * WORDS as i32 + 1;

/// One record, in its own line of the CPU's cache.
#[derive(Clone)]
#[repr(align(64))]
struct Record(Balances);

/// Lane, in the record, of the balance of a context that is `more` bits longer than the lowest order, with these older
/// bits, the latest one highest.
const fn lane(more: usize, older: usize) -> usize {
    (1 << more) - 1 + (older >> (OLDER - more))
}

/// For each combination of older bits, with the next bit above them: the row that is added to the record.
static CHANGES: [Record; 2 << OLDER] = {
    let mut changes = [const { Record([0; BALANCES]) }; 2 << OLDER];
    let mut place = 0;
    while place < changes.len() {
        let mut more = 0;
        while more < ORDERS {
            changes[place].0[lane(more, place % (1 << OLDER))] = if place >> OLDER == 1 { 1 } else { -1 };
            more += 1;
        }
        place += 1;
    }
    changes
};

/// For each combination of older bits: its lanes, as bits of the signs.
static LANES_OF: [u32; 1 << OLDER] = {
    let mut lanes = [0; 1 << OLDER];
    let mut older = 0;
    while older < lanes.len() {
        let mut more = 0;
        while more < ORDERS {
            lanes[older] |= 1 << sign_place(lane(more, older));
            more += 1;
        }
        older += 1;
    }
    lanes
};

/// For each order: its lanes, as bits of the signs. The highest bit belongs to no order.
static LANES_OF_ORDER: [i32; ORDERS] = {
    let mut lanes = [0; ORDERS];
    let mut more = 0;
    while more < ORDERS {
        let mut older = 0;
        while older < 1 << OLDER {
            lanes[more] |= 1 << sign_place(lane(more, older));
            older += 1;
        }
        more += 1;
    }
    lanes
};

/// Orders LOWEST to LOWEST + 4.
pub struct OrderRecords<const LOWEST: usize> {
    records: Vec<Record>,
    /// The amounts by which the balances of each record exceed the limits, and whether any does.
    beyond: Vec<[i32; BALANCES]>,
    is_beyond: Vec<bool>,
    words_left: usize,
}

impl<const LOWEST: usize> OrderRecords<LOWEST> {
    /// Start from `balances(order, context)`: ones minus zeros, the latest bit of the context highest.
    pub fn new(balance: impl Fn(usize, usize) -> i32) -> Result<Self, OutOfMemory> {
        let mut beyond = zeros::<[i32; BALANCES]>(1 << LOWEST)?;
        for (context, balances) in beyond.iter_mut().enumerate() {
            for more in 0..ORDERS {
                for older in 0..1 << more {
                    balances[lane(more, older << (OLDER - more))] = balance(LOWEST + more, context << more | older);
                }
            }
        }
        let (records, is_beyond) = (filled(1 << LOWEST, Record([0; BALANCES]))?, filled(1 << LOWEST, true)?);
        Ok(Self { records, beyond, is_beyond, words_left: 0 })
    }

    /// Call `visit` with each order, context and balance.
    pub fn for_each(&self, mut visit: impl FnMut(usize, usize, i32)) {
        for (context, (record, excess)) in self.records.iter().zip(&self.beyond).enumerate() {
            for more in 0..ORDERS {
                for older in 0..1 << more {
                    let lane = lane(more, older << (OLDER - more));
                    visit(LOWEST + more, context << more | older, i32::from(record.0[lane]) + excess[lane]);
                }
            }
        }
    }

    /// Take 64 steps, the bits of `word`, after the 16 bits below them in `history`; return in which each order was
    /// right.
    #[inline(always)]
    pub fn word<L: Lanes>(&mut self, history: u128, word: u64) -> [u64; ORDERS] {
        if self.words_left == 0 {
            self.level();
            self.words_left = WORDS;
        }
        self.words_left -= 1;
        let records = &mut self.records[..1 << LOWEST];
        // For each step, the orders that predicted a zero, as bits that depend on the context.
        let mut zeros: Steps = [0; 64];
        for (half, zeros) in zeros.chunks_exact_mut(32).enumerate() {
            // Bit 0 is the oldest bit of the longest context.
            let mut window = (history >> (16 - (LOWEST + OLDER) + 32 * half)) as u64;
            let mut next = word >> (32 * half);
            for zeros in zeros {
                let older = window as usize & ((1 << OLDER) - 1);
                let record = &mut records[(window >> OLDER) as usize & ((1 << LOWEST) - 1)].0;
                let change = &CHANGES[(next as usize & 1) << OLDER | older].0;
                *zeros = (L::add(record, change) & LANES_OF[older]) as i32;
                window >>= 1;
                next >>= 1;
            }
        }
        std::array::from_fn(|more| L::above(&zeros, LANES_OF_ORDER[more], 0) ^ word)
    }

    /// Bring all balances within the limits, after adding the amounts by which they exceeded them before.
    #[inline(never)]
    fn level(&mut self) {
        let records = self.records.iter_mut().zip(&mut self.beyond).zip(&mut self.is_beyond);
        for ((record, beyond), is_beyond) in records {
            let largest = record.0.iter().fold(0, |largest: u16, balance| largest.max(balance.unsigned_abs()));
            if largest <= LIMIT as u16 && !*is_beyond {
                continue;
            }
            for (balance, excess) in record.0.iter_mut().zip(&mut *beyond) {
                let whole = *excess + i32::from(*balance);
                let within = whole.clamp(-LIMIT, LIMIT);
                *balance = within as i16;
                *excess = whole - within;
            }
            *is_beyond = beyond.iter().any(|&excess| excess != 0);
        }
    }
}
