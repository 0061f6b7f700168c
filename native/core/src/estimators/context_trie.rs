//! Counts of the symbols that follow a context; contexts are in a trie that is walked from the latest symbol back.
//!
//! Most contexts have at most one child and one successor. So a node itself holds its first child and its best
//! successor, all in one line of the CPU's cache; further ones are in maps. Contexts of one symbol have tables instead.

use crate::memory::prefetch::prefetch;
use crate::memory::{filled, push, resize, zeros, OutOfMemory};

/// The nodes of the contexts of one symbol come first.
pub const FIRST_NODES: usize = 256;

/// Alphabets up to this size have tables for every node.
const SMALL_ALPHABET: usize = 16;
const NOTHING: u32 = u32::MAX;
/// Flag of a child that is not a node: the other bits are the place where its context occurred.
pub const LEAF: u32 = 1 << 31;
/// Steps by which memory is loaded ahead, twice.
const AHEAD: usize = 6;

/// A context.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Node {
    /// Of a node without tables: its first child, a node or a leaf.
    first_child: u32,
    best_count: u32,
    /// Of a node without tables: bit s % 16 is 1 if a map may have an entry for symbol s. Most look-ups find none.
    other_children: u16,
    other_successors: u16,
    first_child_symbol: u8,
    best_symbol: u8,
    is_marked: bool,
}

const NEW: Node = Node {
    first_child: NOTHING,
    best_count: 0,
    other_children: 0,
    other_successors: 0,
    first_child_symbol: 0,
    best_symbol: 0,
    is_marked: false,
};

/// The successor with the highest count in a context; ties go to the larger symbol.
#[derive(Clone, Copy, Default)]
pub struct Best {
    pub count: u32,
    pub symbol: u8,
}

impl Node {
    /// Whether a successor with this count is the best one from now on.
    #[inline(always)]
    fn is_beaten_by(&self, count: u32, symbol: u8) -> bool {
        count > self.best_count || (count == self.best_count && symbol > self.best_symbol)
    }
}

/// All contexts, their successors, and a mark for each context.
pub struct Trie {
    nodes: Vec<Node>,
    /// Symbols in a row of the tables.
    row: usize,
    /// Tables of the nodes that have them: children, or NOTHING, and counts of the successors.
    child_table: Vec<u32>,
    count_table: Vec<u32>,
    nodes_with_tables: usize,
    /// Maps of the other nodes: all children but the first, and counts of all successors but the best. The count here
    /// of the best successor is not valid.
    other_children: PairMap,
    other_successors: PairMap,
}

impl Trie {
    pub fn new(k: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            nodes: filled(FIRST_NODES, NEW)?,
            row: k,
            child_table: filled(FIRST_NODES * k, NOTHING)?,
            count_table: zeros(FIRST_NODES * k)?,
            nodes_with_tables: if k <= SMALL_ALPHABET { usize::MAX } else { FIRST_NODES },
            other_children: PairMap::new()?,
            other_successors: PairMap::new()?,
        })
    }

    /// Make a node; [`set_child`](Self::set_child) makes it a child.
    #[inline(always)]
    pub fn add_node(&mut self) -> Result<u32, OutOfMemory> {
        if self.nodes_with_tables == usize::MAX {
            let length = self.child_table.len() + self.row;
            resize(&mut self.child_table, length, NOTHING)?;
            resize(&mut self.count_table, length, 0)?;
        }
        push(&mut self.nodes, NEW)?;
        Ok(self.nodes.len() as u32 - 1)
    }

    #[inline(always)]
    pub fn best(&self, node: u32) -> Best {
        let node = &self.nodes[node as usize];
        Best { count: node.best_count, symbol: node.best_symbol }
    }

    #[inline(always)]
    pub fn is_marked(&self, node: u32) -> bool {
        self.nodes[node as usize].is_marked
    }

    pub fn mark(&mut self, node: u32) {
        self.nodes[node as usize].is_marked = true;
    }

    /// The child of a node for a symbol.
    #[inline(always)]
    pub fn child(&self, node: u32, symbol: u8) -> Option<u32> {
        let place = node as usize;
        let child = if place < self.nodes_with_tables {
            self.child_table[place * self.row + usize::from(symbol)]
        } else {
            let this = &self.nodes[place];
            if this.first_child_symbol == symbol {
                this.first_child
            } else if this.other_children >> (symbol % 16) & 1 == 1 {
                return self.other_children.get(node, symbol);
            } else {
                NOTHING
            }
        };
        (child != NOTHING).then_some(child)
    }

    /// Set or replace the child of a node for a symbol.
    #[inline(always)]
    pub fn set_child(&mut self, node: u32, symbol: u8, child: u32) -> Result<(), OutOfMemory> {
        let place = node as usize;
        if place < self.nodes_with_tables {
            self.child_table[place * self.row + usize::from(symbol)] = child;
            return Ok(());
        }
        let this = &mut self.nodes[place];
        if this.first_child == NOTHING || this.first_child_symbol == symbol {
            (this.first_child, this.first_child_symbol) = (child, symbol);
        } else {
            this.other_children |= 1 << (symbol % 16);
            self.other_children.set(node, symbol, child)?;
        }
        Ok(())
    }

    /// Count a successor that was counted before; false if it was not.
    #[inline(always)]
    pub fn count(&mut self, node: u32, symbol: u8) -> Result<bool, OutOfMemory> {
        let place = node as usize;
        let this = &mut self.nodes[place];
        if place < self.nodes_with_tables {
            let count = &mut self.count_table[place * self.row + usize::from(symbol)];
            if *count == 0 {
                return Ok(false);
            }
            *count += 1;
            if this.is_beaten_by(*count, symbol) {
                (this.best_count, this.best_symbol) = (*count, symbol);
            }
            return Ok(true);
        }
        if this.best_symbol == symbol && this.best_count > 0 {
            this.best_count += 1;
            return Ok(true);
        }
        if this.other_successors >> (symbol % 16) & 1 == 0 {
            return Ok(false);
        }
        let Some(count) = self.other_successors.get_mut(node, symbol) else { return Ok(false) };
        *count += 1;
        let count = *count;
        if this.is_beaten_by(count, symbol) {
            self.replace_best(node, count, symbol)?;
        }
        Ok(true)
    }

    /// Count a successor for the first time.
    #[inline(always)]
    pub fn count_first(&mut self, node: u32, symbol: u8) -> Result<(), OutOfMemory> {
        let place = node as usize;
        let this = &mut self.nodes[place];
        if place < self.nodes_with_tables {
            self.count_table[place * self.row + usize::from(symbol)] = 1;
            if this.is_beaten_by(1, symbol) {
                (this.best_count, this.best_symbol) = (1, symbol);
            }
        } else if this.best_count == 0 {
            (this.best_count, this.best_symbol) = (1, symbol);
        } else if this.is_beaten_by(1, symbol) {
            self.replace_best(node, 1, symbol)?;
        } else {
            this.other_successors |= 1 << (symbol % 16);
            self.other_successors.set(node, symbol, 1)?;
        }
        Ok(())
    }

    /// Replace the best successor of a node without tables; the former one goes to the map.
    fn replace_best(&mut self, node: u32, count: u32, symbol: u8) -> Result<(), OutOfMemory> {
        let this = &mut self.nodes[node as usize];
        let beaten = (this.best_symbol, this.best_count);
        (this.best_count, this.best_symbol) = (count, symbol);
        this.other_successors |= 1 << (beaten.0 % 16);
        self.other_successors.set(node, beaten.0, beaten.1)
    }

    /// Load memory that a step will soon look up: otherwise most of the time would be spent waiting for it.
    #[inline(always)]
    pub fn look_ahead(&self, symbols: &[u8], i: usize) {
        let Some(ahead) = symbols[i..].first_chunk::<{ 2 * AHEAD + 1 }>() else { return };
        if self.nodes_with_tables == usize::MAX {
            // A step spends its time further from the root.
            return;
        }
        let row = |place: usize| usize::from(ahead[place - 1]) * self.row;
        prefetch(&self.count_table, row(2 * AHEAD) + usize::from(ahead[2 * AHEAD]));
        prefetch(&self.child_table, row(2 * AHEAD) + usize::from(ahead[2 * AHEAD - 2]));
        // By now these are loaded. A child may be a leaf, not a node.
        let child = self.child_table[row(AHEAD) + usize::from(ahead[AHEAD - 2])];
        prefetch(&self.nodes, child as usize);
        prefetch(symbols, (child & !LEAF) as usize);
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
/// Number of nodes that a key has room for: far more than the contexts that are ever stored.
const MOST_NODES: u32 = 1 << 24;

impl PairMap {
    fn new() -> Result<Self, OutOfMemory> {
        Self::with_bits(12)
    }

    fn with_bits(bits: u32) -> Result<Self, OutOfMemory> {
        Ok(Self { slots: filled(1 << bits, EMPTY)?, used: 0, shift: 64 - bits })
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
    fn get(&self, node: u32, symbol: u8) -> Option<u32> {
        let key = node << 8 | u32::from(symbol);
        let slot = self.slots[self.place(key)];
        (slot.key == key).then_some(slot.value)
    }

    #[inline(always)]
    fn get_mut(&mut self, node: u32, symbol: u8) -> Option<&mut u32> {
        let key = node << 8 | u32::from(symbol);
        let place = self.place(key);
        let slot = &mut self.slots[place];
        (slot.key == key).then_some(&mut slot.value)
    }

    /// Set or replace the value of a pair.
    fn set(&mut self, node: u32, symbol: u8, value: u32) -> Result<(), OutOfMemory> {
        assert!(node < MOST_NODES - 1, "a trie of {node} nodes");
        if 3 * (self.used + 1) > 2 * self.slots.len() {
            let mut larger = Self::with_bits(64 - self.shift + 1)?;
            for &slot in self.slots.iter().filter(|slot| slot.key != EMPTY.key) {
                let place = larger.place(slot.key);
                larger.slots[place] = slot;
            }
            larger.used = self.used;
            *self = larger;
        }
        let key = node << 8 | u32::from(symbol);
        let place = self.place(key);
        self.used += usize::from(self.slots[place].key == EMPTY.key);
        self.slots[place] = Slot { key, value };
        Ok(())
    }
}
