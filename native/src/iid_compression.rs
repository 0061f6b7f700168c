//! The compression statistic, SP 800-90B 5.1.11: how long bzip2 -5 makes the decimal numbers of a sequence, joined by blanks.
//!
//! bzip2 sorts the rotations of each block of the text. Here a block is seen as a cycle of tokens, numbers with the blank that ends
//! them: tokens sort as their texts do, and rotations that begin inside a token sort by the rest of that token first and then
//! as the tokens that follow. So only the rotations that begin with a token are sorted. bzip2's first stage changes
//! nothing, as no digit or blank comes four times in a row.

use crate::iid_bzip2::{coded_bits, ranks, MOST_BYTES};

/// bzip2 closes a block at the first change of character after that many of them, at level 5.
const BLOCK: usize = 499_981;
/// Bits of the stream's header, of a block's before its byte map, and of the stream's end.
const STREAM_BITS: u64 = 32;
const BLOCK_BITS: u64 = 48 + 32 + 1 + 24;
const END_BITS: u64 = 48 + 32;
/// Bits of a sort key that hold the place of the rotation: a block has at most BLOCK / 2 tokens.
const PLACE_BITS: u32 = 18;
const PLACE: u64 = (1 << PLACE_BITS) - 1;
/// Passes of the radix sort by the highest bits, and bits of each: so few that all streams of a pass stay in the nearest cache.
const PASSES: u32 = 3;
const RADIX: u32 = 8;
/// Longest number with its blank.
const NUMBER: usize = 4;
/// Longest token: the end of one number, then the first number of a block.
const TOKEN: usize = 8;

type Text = Vec<u8>;

/// Working memory, kept between sequences.
#[derive(Default)]
pub struct Compressor {
    tokens: Vec<u16>,
    keys: Vec<u64>,
    spare: Vec<u64>,
    places: Vec<u32>,
    ranks: Vec<u32>,
    last_column: Vec<u8>,
    moved: Vec<u8>,
}

/// A place in the text: a symbol and a character of its number or the blank after it.
#[derive(Clone, Copy, PartialEq)]
struct Spot {
    symbol: usize,
    offset: usize,
}

impl Compressor {
    /// Length in bytes of the compressed text of `symbols`.
    pub fn size(&mut self, symbols: &[u8]) -> u64 {
        let names: Vec<Text> = (0..=255).map(|symbol| format!("{symbol} ").into_bytes()).collect();
        let mut bits = STREAM_BITS;
        let mut begin = Spot { symbol: 0, offset: 0 };
        while begin.symbol < symbols.len() {
            let end = block_end(symbols, &names, begin);
            bits += BLOCK_BITS + self.block_bits(symbols, &names, begin, end);
            begin = end;
        }
        (bits + END_BITS).div_ceil(8)
    }

    /// Bits of the block from `begin` to `end`, after its header.
    fn block_bits(&mut self, symbols: &[u8], names: &[Text], begin: Spot, end: Spot) -> u64 {
        let last = symbols.len() - 1;
        let mut seam = Text::new();
        let mut whole = begin.symbol..end.symbol.min(last);
        if end.symbol > last {
            // The last number has no blank after it.
            let name = &names[usize::from(symbols[last])];
            let from = if begin.symbol == last { begin.offset } else { 0 };
            seam.extend(&name[from..name.len() - 1]);
        } else {
            let from = if begin.symbol == end.symbol { begin.offset } else { 0 };
            seam.extend(&names[usize::from(symbols[end.symbol])][from..end.offset]);
        }
        if begin.offset > 0 && !whole.is_empty() {
            seam.extend(&names[usize::from(symbols[begin.symbol])][begin.offset..]);
            whole.start += 1;
        } else if !seam.is_empty() && !whole.is_empty() {
            seam.extend(&names[usize::from(symbols[whole.start])]);
            whole.start += 1;
        }
        let whole = &symbols[whole];
        if whole.is_empty() && !seam.contains(&b' ') {
            return self.short_block_bits(&seam);
        }
        let texts = self.set_tokens(whole, names, &seam);
        self.sort_rotations(texts.len() / 2);
        self.fill_last_column(&texts);
        let bytes = bytes_of(&texts.concat());
        self.coded_bits(&bytes)
    }

    /// A block without a blank: at most three digits.
    fn short_block_bits(&mut self, text: &[u8]) -> u64 {
        let bytes = bytes_of(text);
        let mut rotations: Vec<Text> = (0..text.len()).map(|at| [&text[at..], &text[..at]].concat()).collect();
        rotations.sort();
        let codes = rotations.iter().map(|rotation| code(&bytes, rotation[rotation.len() - 1]));
        self.last_column = codes.collect();
        self.coded_bits(&bytes)
    }

    /// Bits of the block whose last column is set, the map of its bytes included.
    fn coded_bits(&mut self, bytes: &[u8]) -> u64 {
        let mut sixteenths: Vec<u8> = bytes.iter().map(|byte| byte / 16).collect();
        sixteenths.dedup();
        ranks(&mut self.last_column, bytes.len(), &mut self.moved);
        16 + 16 * sixteenths.len() as u64 + coded_bits(&self.moved, bytes.len())
    }

    /// Number the tokens of a block in the order of their texts; return the texts by number.
    ///
    /// Numbers have the odd numbers. The token at the seam, if it is none of them, has the even one between its neighbours; it
    /// ends the cycle and comes only there.
    fn set_tokens(&mut self, whole: &[u8], names: &[Text], seam: &[u8]) -> Vec<Text> {
        let mut present = [false; 256];
        whole.iter().for_each(|&symbol| present[usize::from(symbol)] = true);
        let mut numbers: Vec<&Text> = (0..256).filter(|&symbol| present[symbol]).map(|symbol| &names[symbol]).collect();
        numbers.sort();
        let mut texts = vec![Text::new(); 2 * numbers.len() + 1];
        let mut tokens = [0; 256];
        for (symbol, token) in tokens.iter_mut().enumerate().filter(|(symbol, _)| present[*symbol]) {
            let place = 2 * numbers.partition_point(|&text| text < &names[symbol]) + 1;
            texts[place].clone_from(&names[symbol]);
            *token = place as u16;
        }
        self.tokens.clear();
        self.tokens.extend(whole.iter().map(|&symbol| tokens[usize::from(symbol)]));
        if !seam.is_empty() {
            let place = 2 * numbers.partition_point(|text| text.as_slice() < seam);
            let place =
                if numbers.get(place / 2).is_some_and(|text| text.as_slice() == seam) { place + 1 } else { place };
            texts[place] = seam.to_vec();
            self.tokens.push(place as u16);
        }
        texts
    }

    /// Sort the rotations of the cycle of tokens, which have `kinds` different numbers; `places` are where they begin.
    fn sort_rotations(&mut self, kinds: usize) {
        let count = self.tokens.len();
        let width = usize::BITS - kinds.saturating_sub(1).max(1).leading_zeros();
        let depth = ((64 - PLACE_BITS) / width) as usize;
        self.set_keys(width, depth);
        // A key cannot tell the token at the seam from its neighbour: rotations that soon come to it are put in later.
        let apart = if self.tokens[count - 1].is_multiple_of(2) { depth.min(count) } else { 0 };
        self.keys.truncate(count - apart);
        self.sort_keys();
        let mut ties: Vec<(usize, usize)> = Vec::new();
        let inserted = self.insert_apart(count - apart, depth);
        self.places.clear();
        let mut coming = inserted.iter().peekable();
        for (row, key) in self.keys.iter().enumerate() {
            while let Some(&(_, place)) = coming.next_if(|&&(before, _)| before == row) {
                self.places.push(place);
            }
            let place = self.places.len();
            let tied = row > 0 && key >> PLACE_BITS == self.keys[row - 1] >> PLACE_BITS;
            match ties.last_mut() {
                Some((_, end)) if tied && *end == place => *end += 1,
                _ if tied => ties.push((place - 1, place + 1)),
                _ => {}
            }
            self.places.push((key & PLACE) as u32);
        }
        self.places.extend(coming.map(|&(_, place)| place));
        if !ties.is_empty() {
            self.break_ties(ties, depth);
        }
    }

    /// The rotations from `first` on, in order, each with the row of the sorted keys that it comes before.
    ///
    /// The token at their seam is within `depth` tokens and comes nowhere else, so no comparison goes further.
    fn insert_apart(&self, first: usize, depth: usize) -> Vec<(usize, u32)> {
        let count = self.tokens.len();
        let begin = |place: usize| (0..depth.min(count)).map(move |ahead| self.tokens[(place + ahead) % count]);
        let mut apart: Vec<usize> = (first..count).collect();
        apart.sort_by(|&a, &b| begin(a).cmp(begin(b)));
        let row = |place: usize| self.keys.partition_point(|key| begin((key & PLACE) as usize).lt(begin(place)));
        apart.into_iter().map(|place| (row(place), place as u32)).collect()
    }

    /// Key of a rotation: its first `depth` tokens of `width` bits, and its place.
    fn set_keys(&mut self, width: u32, depth: usize) {
        let count = self.tokens.len();
        let used = width * depth as u32;
        let mask = (1 << used) - 1;
        let mut window = 0u64;
        for ahead in 0..depth {
            window = window << width | u64::from(self.tokens[ahead % count] >> 1);
        }
        self.keys.clear();
        let coming = self.tokens.iter().cycle().skip(depth % count);
        for (place, &token) in (0u64..count as u64).zip(coming) {
            self.keys.push(window << (64 - used) | place);
            window = (window << width | u64::from(token >> 1)) & mask;
        }
    }

    /// Sort the keys: by the highest 24 bits in counting passes, then within what they leave together.
    fn sort_keys(&mut self) {
        if self.keys.len() < 1 << 11 {
            self.keys.sort_unstable();
            return;
        }
        self.spare.resize(self.keys.len(), 0);
        for shift in (1..=PASSES).rev().map(|pass| 64 - pass * RADIX) {
            let digit = |key: u64| (key >> shift) as usize & ((1 << RADIX) - 1);
            let mut next = [0u32; 1 << RADIX];
            self.keys.iter().for_each(|&key| next[digit(key)] += 1);
            let mut sum = 0;
            next.iter_mut().for_each(|count| sum += std::mem::replace(count, sum));
            for &key in &self.keys {
                let slot = &mut next[digit(key)];
                self.spare[*slot as usize] = key;
                *slot += 1;
            }
            std::mem::swap(&mut self.keys, &mut self.spare);
        }
        // Few keys share those bits in random data; where a pair is out of order, its bucket is sorted.
        let bucket = |key: u64| key >> (64 - PASSES * RADIX);
        let count = self.keys.len();
        let mut row = 1;
        while row < count {
            if self.keys[row] < self.keys[row - 1] {
                let shared = bucket(self.keys[row]);
                let before = self.keys[..row].iter().rev().take_while(|&&key| bucket(key) == shared).count();
                let after = self.keys[row..].iter().take_while(|&&key| bucket(key) == shared).count();
                self.keys[row - before..row + after].sort_unstable();
                row += after;
            } else {
                row += 1;
            }
        }
    }

    /// Sort rotations that agree in their first `depth` tokens by the ranks of what follows, twice as far each time.
    fn break_ties(&mut self, mut ties: Vec<(usize, usize)>, mut depth: usize) {
        let count = self.tokens.len();
        self.ranks.resize(count, 0);
        for (row, &place) in (0..).zip(&self.places) {
            self.ranks[place as usize] = row;
        }
        for &(first, end) in &ties {
            for row in first..end {
                self.ranks[self.places[row] as usize] = first as u32;
            }
        }
        let mut members: Vec<(u32, u32)> = Vec::new();
        while !ties.is_empty() && depth < count {
            let mut left = Vec::new();
            for &(first, end) in &ties {
                members.clear();
                members.extend(self.places[first..end].iter().map(|&place| {
                    let after = place as usize + depth;
                    (self.ranks[if after < count { after } else { after - count }], place)
                }));
                members.sort_unstable();
                let mut row = first;
                for equal in members.chunk_by(|a, b| a.0 == b.0) {
                    for (offset, &(_, place)) in equal.iter().enumerate() {
                        self.places[row + offset] = place;
                        self.ranks[place as usize] = row as u32;
                    }
                    if equal.len() > 1 {
                        left.push((row, row + equal.len()));
                    }
                    row += equal.len();
                }
            }
            ties = left;
            depth *= 2;
        }
    }

    /// Put the characters before all rotations, in the rotations' order, into `last_column`, as numbers of characters.
    fn fill_last_column(&mut self, texts: &[Text]) {
        let bytes = bytes_of(&texts.concat());
        debug_assert!(bytes.len() <= MOST_BYTES);
        let mut ends: Vec<&[u8]> = texts.iter().flat_map(|text| (0..text.len()).map(move |at| &text[at..])).collect();
        ends.sort_unstable();
        ends.dedup();
        // For each token: its ends by number, the character before each, and 1; absent ones have a number of their own, and 0.
        let absent = (ends.len() as u32, 0, 0);
        let parts: Vec<[(u32, u8, u8); TOKEN]> = texts
            .iter()
            .map(|text| {
                let number = |at: usize| ends.binary_search(&&text[at..]).unwrap_or(0) as u32;
                let before = |at: usize| code(&bytes, if at == 0 { b' ' } else { text[at - 1] });
                std::array::from_fn(|at| if at < text.len() { (number(at), before(at), 1) } else { absent })
            })
            .collect();
        let mut counts = vec![0u32; texts.len()];
        self.tokens.iter().for_each(|&token| counts[usize::from(token)] += 1);
        let mut next = vec![0u32; ends.len() + 1];
        for (part, count) in parts.iter().zip(counts) {
            part.iter().for_each(|&(end, _, one)| next[end as usize] += count * u32::from(one));
        }
        let mut sum = 0;
        next.iter_mut().for_each(|count| sum += std::mem::replace(count, sum));
        self.last_column.resize(sum as usize + 1, 0);
        let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
        // Only the token at the seam, the last one, can be longer than four characters.
        let seam = self.tokens.len() - 1;
        for &place in &self.places {
            let before = if place == 0 { seam } else { place as usize - 1 };
            let part = &parts[usize::from(self.tokens[before])];
            let used = if before == seam { longest } else { NUMBER.min(longest) };
            if used == 2 {
                put(&part[..2], &mut next, &mut self.last_column);
            } else {
                put(&part[..NUMBER], &mut next, &mut self.last_column);
                put(&part[NUMBER..used.max(NUMBER)], &mut next, &mut self.last_column);
            }
        }
        self.last_column.truncate(sum as usize);
    }
}

/// Put the characters of one token into their columns.
#[inline(always)]
fn put(part: &[(u32, u8, u8)], next: &mut [u32], column: &mut [u8]) {
    for &(end, character, one) in part {
        let slot = &mut next[end as usize];
        column[*slot as usize] = character;
        *slot += u32::from(one);
    }
}

/// The different bytes of a text, in ascending order.
fn bytes_of(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes
}

/// The number of a byte among those of a block.
fn code(bytes: &[u8], byte: u8) -> u8 {
    bytes.iter().position(|&other| other == byte).unwrap_or(0) as u8
}

/// Where the block that begins at `begin` ends.
fn block_end(symbols: &[u8], names: &[Text], begin: Spot) -> Spot {
    let last = symbols.len() - 1;
    let mut at = begin;
    let mut count = 0;
    if at.offset > 0 && at.symbol < last {
        count = names[usize::from(symbols[at.symbol])].len() - at.offset;
        at = Spot { symbol: at.symbol + 1, offset: 0 };
    }
    while at.symbol < last && count + TOKEN < BLOCK {
        count += names[usize::from(symbols[at.symbol])].len();
        at.symbol += 1;
    }
    let mut before = b' ';
    while at.symbol <= last {
        let name = &names[usize::from(symbols[at.symbol])];
        let length = if at.symbol == last { name.len() - 1 } else { name.len() };
        while at.offset < length {
            if count >= BLOCK && name[at.offset] != before {
                return at;
            }
            before = name[at.offset];
            at.offset += 1;
            count += 1;
        }
        at = Spot { symbol: at.symbol + 1, offset: 0 };
    }
    at
}
