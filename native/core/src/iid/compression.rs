//! The compression statistic, SP 800-90B 5.1.11: length after bzip2 -5 of the samples as decimal numbers, joined by
//! blanks.
//!
//! bzip2 sorts the rotations of each block of the text. Here a block is a cycle of tokens: numbers, each with the blank
//! that ends it. Tokens sort like their texts. Rotations that begin inside a token sort first by the rest of that token
//! and then like the tokens that follow. So only the rotations that begin with a token are sorted. bzip2's first stage
//! changes nothing, because no digit or blank occurs four times in a row.

use super::bzip2::{Groups, MOST_BYTES};
use super::rotations::Rotations;
use crate::memory::{collected, extend, push, resize, OutOfMemory};

/// At level 5, bzip2 closes a block at the first change of character after this many characters.
const BLOCK: usize = 499_981;
/// Bits of the stream's header, of a block's header before its byte map, and of the stream's end.
const STREAM_BITS: u64 = 32;
const BLOCK_BITS: u64 = 48 + 32 + 1 + 24;
const END_BITS: u64 = 48 + 32;
/// Longest number with its blank.
const NUMBER: usize = 4;
/// Longest token: the end of one number, then the first number of a block.
const TOKEN: usize = 8;

type Text = Vec<u8>;

/// Working memory, kept between sequences.
#[derive(Default)]
pub struct Compressor {
    tokens: Vec<u16>,
    rotations: Rotations,
    last_column: Vec<u8>,
    groups: Groups,
}

/// A place in the text: a symbol and a character of its number or the blank after it.
#[derive(Clone, Copy, PartialEq)]
struct Spot {
    symbol: usize,
    offset: usize,
}

impl Compressor {
    /// Length in bytes of the compressed text of `symbols`.
    pub fn size(&mut self, symbols: &[u8]) -> Result<u64, OutOfMemory> {
        let names: Vec<Text> = (0..=255).map(|symbol| format!("{symbol} ").into_bytes()).collect();
        let mut bits = STREAM_BITS;
        let mut begin = Spot { symbol: 0, offset: 0 };
        while begin.symbol < symbols.len() {
            let end = block_end(symbols, &names, begin);
            bits += BLOCK_BITS + self.block_bits(symbols, &names, begin, end)?;
            begin = end;
        }
        Ok((bits + END_BITS).div_ceil(8))
    }

    /// Bits of the block from `begin` to `end`, after its header.
    fn block_bits(&mut self, symbols: &[u8], names: &[Text], begin: Spot, end: Spot) -> Result<u64, OutOfMemory> {
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
        let texts = self.set_tokens(whole, names, &seam)?;
        let bytes = bytes_of(&texts.concat());
        debug_assert!(bytes.len() <= MOST_BYTES);
        let before = self.rotations.tokens_before(&self.tokens, texts.len() / 2)?;
        fill_last_column(before, &texts, &bytes, &mut self.last_column)?;
        self.coded_bits(&bytes)
    }

    /// Bits of a block without a blank: at most three digits.
    fn short_block_bits(&mut self, text: &[u8]) -> Result<u64, OutOfMemory> {
        let bytes = bytes_of(text);
        let mut rotations: Vec<Text> = (0..text.len()).map(|at| [&text[at..], &text[..at]].concat()).collect();
        rotations.sort();
        let codes = rotations.iter().map(|rotation| code(&bytes, rotation[rotation.len() - 1]));
        self.last_column = codes.collect();
        self.coded_bits(&bytes)
    }

    /// Bits of the block whose last column is set, including the map of its bytes.
    fn coded_bits(&mut self, bytes: &[u8]) -> Result<u64, OutOfMemory> {
        let mut sixteenths: Vec<u8> = bytes.iter().map(|byte| byte / 16).collect();
        sixteenths.dedup();
        self.groups.set(&mut self.last_column, bytes.len())?;
        Ok(16 + 16 * sixteenths.len() as u64 + self.groups.coded_bits(bytes.len())?)
    }

    /// Number the tokens of a block in the order of their texts; return the texts by number.
    ///
    /// Ordinary tokens get odd numbers. The token at the seam, if it is not one of them, gets the even number between
    /// its neighbours; it ends the cycle and occurs only there.
    fn set_tokens(&mut self, whole: &[u8], names: &[Text], seam: &[u8]) -> Result<Vec<Text>, OutOfMemory> {
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
        extend(&mut self.tokens, whole.iter().map(|&symbol| tokens[usize::from(symbol)]))?;
        if !seam.is_empty() {
            let place = 2 * numbers.partition_point(|text| text.as_slice() < seam);
            let place =
                if numbers.get(place / 2).is_some_and(|text| text.as_slice() == seam) { place + 1 } else { place };
            texts[place] = seam.to_vec();
            push(&mut self.tokens, place as u16)?;
        }
        Ok(texts)
    }
}

/// A rotation that begins with the end of a token.
#[derive(Clone, Copy)]
struct Placed {
    /// Where the next row of this end is counted; the last slot, which never moves, if the token is too short.
    slot: u16,
    /// The character before it.
    character: u8,
    step: u8,
}

impl Placed {
    #[inline(always)]
    fn put(self, next: &mut [u32], column: &mut [u8]) {
        let row = &mut next[usize::from(self.slot)];
        column[*row as usize] = self.character;
        *row += u32::from(self.step);
    }
}

/// Put the characters before all rotations, in the order of the rotations, into `column`, as numbers of characters.
///
/// `before` is the token before each rotation that begins with a token, in their order. Rotations that begin within
/// that token have the same order among those with the same rest of a token.
fn fill_last_column(before: &[u16], texts: &[Text], bytes: &[u8], column: &mut Vec<u8>) -> Result<(), OutOfMemory> {
    let mut ends = collected(texts.iter().flat_map(|text| (0..text.len()).map(|at| number(&text[at..]))))?;
    ends.sort_unstable();
    ends.dedup();
    // For each text, by the length of its end minus one.
    let placed: Vec<Vec<Placed>> = texts
        .iter()
        .map(|text| {
            let before = |at: usize| if at == 0 { 0 } else { code(bytes, text[at - 1]) };
            let slot = |at: usize| ends.binary_search(&number(&text[at..])).unwrap_or(ends.len()) as u16;
            (0..text.len()).rev().map(|at| Placed { slot: slot(at), character: before(at), step: 1 }).collect()
        })
        .collect();
    let mut counts = vec![0u32; texts.len()];
    before.iter().for_each(|&token| counts[usize::from(token)] += 1);
    let mut next = vec![0u32; ends.len() + 1];
    for (placed, count) in placed.iter().zip(counts) {
        placed.iter().for_each(|end| next[usize::from(end.slot)] += count);
    }
    let mut sum = 0;
    next.iter_mut().for_each(|count| sum += std::mem::replace(count, sum));
    // A rotation that begins with a whole number of three digits follows a blank, character 0.
    column.clear();
    resize(column, sum as usize + 1, 0)?;
    if let Some(row) = before.iter().position(|token| token.is_multiple_of(2)) {
        // The token at the seam may be longer than a number; numbers of three digits may end it.
        let (text, placed) = (&texts[usize::from(before[row])], &placed[usize::from(before[row])]);
        for (length, end) in (1..).zip(placed).skip(NUMBER - 1) {
            let number =
                texts.iter().position(|other| other.len() < text.len() && text[text.len() - length..] == other[..]);
            let rows =
                number.map_or(0, |number| before[..row].iter().filter(|&&token| usize::from(token) == number).count());
            column[next[usize::from(end.slot)] as usize + rows] = end.character;
        }
    }
    let absent = Placed { slot: ends.len() as u16, character: 0, step: 0 };
    let short: Vec<[Placed; 3]> =
        placed.iter().map(|placed| std::array::from_fn(|length| *placed.get(length).unwrap_or(&absent))).collect();
    let digits = texts.iter().any(|text| text.len() > 2);
    for (row, &token) in before.iter().enumerate() {
        let [blank, one, two] = short[usize::from(token)];
        column[row] = blank.character;
        one.put(&mut next, column);
        if digits {
            two.put(&mut next, column);
        }
    }
    column.truncate(sum as usize);
    Ok(())
}

/// A number for a text of at most eight bytes; numbers have the order of the texts, which hold no byte 0.
fn number(text: &[u8]) -> u64 {
    text.iter().rev().fold(0, |number, &byte| number >> 8 | u64::from(byte) << 56)
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
