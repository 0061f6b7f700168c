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
    /// Of each node without a row, bit s % 64 says whether it may have something for symbol s: most look-ups find nothing.
    may_have: Vec<u64>,
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
        } else if self.may_have[place - FIRST_NODES] >> (symbol % 64) & 1 == 1 {
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
            self.may_have[place - FIRST_NODES] |= 1 << (symbol % 64);
            self.others.insert(node, symbol, value);
        }
    }
}

/// A map from (node, symbol) to a number: open addressing, linear probing, never deletes.
struct PairMap {
    keys: Vec<u64>,
    values: Vec<u32>,
    used: usize,
    shift: u32,
}

const EMPTY: u64 = u64::MAX;

impl PairMap {
    fn new() -> Self {
        Self::with_bits(12)
    }

    fn with_bits(bits: u32) -> Self {
        Self { keys: vec![EMPTY; 1 << bits], values: vec![0; 1 << bits], used: 0, shift: 64 - bits }
    }

    #[inline(always)]
    fn place(&self, key: u64) -> usize {
        let mask = self.keys.len() - 1;
        let mut place = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize;
        while self.keys[place] != key && self.keys[place] != EMPTY {
            place = (place + 1) & mask;
        }
        place
    }

    /// The value of a pair, if it has one.
    #[inline(always)]
    fn get_mut(&mut self, node: u32, symbol: u8) -> Option<&mut u32> {
        let key = u64::from(node) << 8 | u64::from(symbol);
        let place = self.place(key);
        (self.keys[place] == key).then(|| &mut self.values[place])
    }

    /// Give a pair that has none a value.
    fn insert(&mut self, node: u32, symbol: u8, value: u32) {
        if 2 * (self.used + 1) > self.keys.len() {
            let mut larger = Self::with_bits(64 - self.shift + 1);
            for (&key, &value) in self.keys.iter().zip(&self.values).filter(|(&key, _)| key != EMPTY) {
                let place = larger.place(key);
                (larger.keys[place], larger.values[place]) = (key, value);
            }
            larger.used = self.used;
            *self = larger;
        }
        let key = u64::from(node) << 8 | u64::from(symbol);
        let place = self.place(key);
        (self.keys[place], self.values[place]) = (key, value);
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
