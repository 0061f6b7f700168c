//! Counts of what follows a context, for contexts in a trie that is walked from the latest symbol back.

/// The nodes of the contexts of one symbol come first.
pub const FIRST_NODES: usize = 256;

/// Alphabets up to this size have all symbols of a node side by side.
const SMALL_ALPHABET: usize = 16;

/// What each node has for some symbols: its children, or its successors' counts.
pub struct Links {
    /// Symbols that nodes have side by side.
    row: usize,
    /// The rows: of every node if the alphabet is small, otherwise of the first ones.
    rows: Vec<u32>,
    /// Nodes that have rows, and more: all others have none.
    nodes_with_rows: usize,
    /// Of each node without a row, bit s % 32 says whether it may have something for symbol s: most look-ups find nothing.
    may_have: Vec<u32>,
    others: PairMap,
}

const NOTHING: u32 = u32::MAX;

impl Links {
    pub fn new(k: usize) -> Self {
        let small = k <= SMALL_ALPHABET;
        Self {
            row: k,
            rows: vec![NOTHING; FIRST_NODES * k],
            nodes_with_rows: if small { usize::MAX } else { FIRST_NODES },
            may_have: Vec::new(),
            others: PairMap::new(),
        }
    }

    /// Make room for the next node.
    #[inline(always)]
    pub fn add_node(&mut self) {
        if self.nodes_with_rows == usize::MAX {
            self.rows.resize(self.rows.len() + self.row, NOTHING);
        } else {
            self.may_have.push(0);
        }
    }

    /// What a node has for a symbol.
    #[inline(always)]
    pub fn get_mut(&mut self, node: u32, symbol: u8) -> Option<&mut u32> {
        let place = node as usize;
        if place < self.nodes_with_rows {
            Some(&mut self.rows[place * self.row + usize::from(symbol)]).filter(|value| **value != NOTHING)
        } else if self.may_have[place - FIRST_NODES] >> (symbol % 32) & 1 == 1 {
            self.others.get_mut(node, symbol)
        } else {
            None
        }
    }

    /// Give a node something for a symbol it has nothing for.
    #[inline(always)]
    pub fn insert(&mut self, node: u32, symbol: u8, value: u32) {
        let place = node as usize;
        if place < self.nodes_with_rows {
            self.rows[place * self.row + usize::from(symbol)] = value;
        } else {
            self.may_have[place - FIRST_NODES] |= 1 << (symbol % 32);
            self.others.insert(node, symbol, value);
        }
    }
}

/// A map from (node, symbol) to a number: open addressing, linear probing, never deletes.
struct PairMap {
    slots: Vec<Slot>,
    used: usize,
    shift: u32,
}

/// A key and its value, in one place of memory.
#[derive(Clone, Copy)]
struct Slot {
    key: u32,
    value: u32,
}

const EMPTY: Slot = Slot { key: u32::MAX, value: 0 };
/// Nodes that keys have room for: far more than contexts that are ever stored.
const MOST_NODES: u32 = 1 << 24;

impl PairMap {
    fn new() -> Self {
        Self::with_bits(12)
    }

    fn with_bits(bits: u32) -> Self {
        Self { slots: vec![EMPTY; 1 << bits], used: 0, shift: 64 - bits }
    }

    #[inline(always)]
    fn place(&self, key: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = (u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize;
        while self.slots[place].key != key && self.slots[place].key != EMPTY.key {
            place = (place + 1) & mask;
        }
        place
    }

    /// The value of a pair, if it has one.
    #[inline(always)]
    fn get_mut(&mut self, node: u32, symbol: u8) -> Option<&mut u32> {
        let key = node << 8 | u32::from(symbol);
        let place = self.place(key);
        let slot = &mut self.slots[place];
        (slot.key == key).then_some(&mut slot.value)
    }

    /// Give a pair that has none a value.
    fn insert(&mut self, node: u32, symbol: u8, value: u32) {
        assert!(node < MOST_NODES - 1, "a trie of {node} nodes");
        if 3 * (self.used + 1) > 2 * self.slots.len() {
            let mut larger = Self::with_bits(64 - self.shift + 1);
            for &slot in self.slots.iter().filter(|slot| slot.key != EMPTY.key) {
                let place = larger.place(slot.key);
                larger.slots[place] = slot;
            }
            larger.used = self.used;
            *self = larger;
        }
        let key = node << 8 | u32::from(symbol);
        let place = self.place(key);
        self.slots[place] = Slot { key, value };
        self.used += 1;
    }
}

/// The successor a context has counted most; ties go to the larger symbol.
#[derive(Clone, Copy, Default)]
pub struct Best {
    pub count: u32,
    pub symbol: u8,
}

impl Best {
    /// A successor's count is now `count`. Counts only grow.
    #[inline(always)]
    pub fn offer(&mut self, count: u32, symbol: u8) {
        if count > self.count || (count == self.count && symbol > self.symbol) {
            *self = Self { count, symbol };
        }
    }
}
