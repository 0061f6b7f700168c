//! The order of the rotations of a cycle of tokens, as bzip2 sorts the rotations of a block.

use std::ops::Range;

use crate::estimators::radix_sort::{distribute, sort_parts, DIGIT_BITS};
use crate::memory::{extend, push, reserve, resize, OutOfMemory};

/// Bits of an exact key that hold the place of the rotation: a block of bzip2 -5 has at most 250,000 tokens.
const PLACE_BITS: u32 = 18;
const PLACE: u64 = (1 << PLACE_BITS) - 1;
/// Bits by which keys are distributed first.
const HIGHEST_BITS: u32 = 8;
/// Fewest tokens that are sorted by long keys: fewer would gain nothing.
const FEWEST: usize = 1 << 9;

/// Working memory, kept between blocks.
///
/// Tokens are numbers: 2 m + 1 is the m-th text in order, m counted from 0. The last token may have an even number,
/// which lies between its neighbours and occurs nowhere else.
#[derive(Default)]
pub struct Rotations {
    before: Vec<u16>,
    places: Vec<u32>,
    ranks: Vec<u32>,
    sorter: Sorter,
}

impl Rotations {
    /// The token before each rotation, in the order of the rotations; `kinds` is the number of odd numbers.
    pub fn tokens_before(&mut self, tokens: &[u16], kinds: usize) -> Result<&[u16], OutOfMemory> {
        let width = usize::BITS - kinds.saturating_sub(1).max(1).leading_zeros();
        if tokens.len() < FEWEST || !self.sort_by_contexts(tokens, width)? {
            self.sort_exactly(tokens, width)?;
            self.before.clear();
            extend(&mut self.before, self.places.iter().map(|&place| token_before(tokens, place as usize)))?;
        }
        Ok(&self.before)
    }

    /// Sort keys that hold the tokens of a rotation and, lowest, the token before it; false if keys cannot tell all
    /// apart.
    fn sort_by_contexts(&mut self, tokens: &[u16], width: u32) -> Result<bool, OutOfMemory> {
        let count = tokens.len();
        let depth = (64 / width - 1) as usize;
        let low = 64 - width * depth as u32;
        // A key cannot tell the token at the seam from its neighbour. So rotations that soon reach the seam, or that
        // follow it, are inserted separately.
        let seam = tokens[count - 1].is_multiple_of(2);
        let (first, end) = if seam { (1, count - depth) } else { (0, count) };
        let places = (end..count).chain((0..1).filter(|_| seam));
        let mut apart = Apart::new(places, tokens, width, depth);
        let keys = || keys(tokens, first..end, width, depth, |place| u64::from(token_before(tokens, place) >> 1));
        let token = |&key: &u64| ((key & ((1 << low) - 1)) << 1 | 1) as u16;
        self.before.clear();
        reserve(&mut self.before, count)?;
        let mut tied = false;
        self.sorter.sort(keys, |part| {
            tied |= part.windows(2).fold(false, |tied, pair| tied | ((pair[0] ^ pair[1]) >> low == 0));
            let mut row = 0;
            while let Some((bound, place)) = apart.next_up_to(part[part.len() - 1]) {
                let here = part.partition_point(|&key| u128::from(key) < bound);
                tied |= place == 0 && (u128::from(part[here]) ^ bound) >> low == 0;
                self.before.extend(part[row..here].iter().map(token));
                self.before.push(token_before(tokens, place));
                row = here;
            }
            self.before.extend(part[row..].iter().map(token));
            Ok(())
        })?;
        self.before.extend(apart.rest().map(|place| token_before(tokens, place)));
        Ok(!tied)
    }

    /// Sort the places where rotations begin, even if two of them agree for long.
    fn sort_exactly(&mut self, tokens: &[u16], width: u32) -> Result<(), OutOfMemory> {
        let count = tokens.len();
        let depth = ((64 - PLACE_BITS) / width) as usize;
        let seam = tokens[count - 1].is_multiple_of(2);
        let end = if seam { count.saturating_sub(depth) } else { count };
        let mut apart = Apart::new(end..count, tokens, width, depth);
        let mut ties: Vec<(usize, usize)> = Vec::new();
        let mut context = None;
        let places = &mut self.places;
        places.clear();
        reserve(places, count)?;
        self.sorter.sort(
            || keys(tokens, 0..end, width, depth, |place| place as u64),
            |part| {
                for &key in part {
                    while let Some((_, place)) = apart.next_up_to(key) {
                        places.push(place as u32);
                    }
                    let row = places.len();
                    if context.replace(key >> PLACE_BITS) == Some(key >> PLACE_BITS) {
                        match ties.last_mut() {
                            Some((_, end)) if *end == row => *end += 1,
                            _ => push(&mut ties, (row - 1, row + 1))?,
                        }
                    }
                    places.push((key & PLACE) as u32);
                }
                Ok(())
            },
        )?;
        places.extend(apart.rest().map(|place| place as u32));
        if ties.is_empty() {
            return Ok(());
        }
        self.break_ties(ties, depth)
    }

    /// Sort rotations that agree in their first `depth` tokens by the ranks of the next ones; the depth doubles each
    /// time.
    fn break_ties(&mut self, mut ties: Vec<(usize, usize)>, mut depth: usize) -> Result<(), OutOfMemory> {
        let count = self.places.len();
        resize(&mut self.ranks, count, 0)?;
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
                let rows = self.places[first..end].iter().map(|&place| {
                    let after = place as usize + depth;
                    (self.ranks[if after < count { after } else { after - count }], place)
                });
                extend(&mut members, rows)?;
                members.sort_unstable();
                let mut row = first;
                for equal in members.chunk_by(|a, b| a.0 == b.0) {
                    for (offset, &(_, place)) in equal.iter().enumerate() {
                        self.places[row + offset] = place;
                        self.ranks[place as usize] = row as u32;
                    }
                    if equal.len() > 1 {
                        push(&mut left, (row, row + equal.len()))?;
                    }
                    row += equal.len();
                }
            }
            ties = left;
            depth *= 2;
        }
        Ok(())
    }
}

/// The token before a place.
#[inline(always)]
fn token_before(tokens: &[u16], place: usize) -> u16 {
    tokens[if place == 0 { tokens.len() - 1 } else { place - 1 }]
}

/// Keys of the rotations that begin at `places`: highest their first `depth` tokens of `width` bits, lowest the result
/// of `low` for the place.
#[inline(always)]
fn keys<'a>(
    tokens: &'a [u16],
    places: Range<usize>,
    width: u32,
    depth: usize,
    low: impl Fn(usize) -> u64 + 'a,
) -> impl Iterator<Item = u64> + 'a {
    let count = tokens.len();
    let rest = 64 - width * depth as u32;
    let begin = (0..depth).map(|ahead| u64::from(tokens[(places.start + ahead) % count] >> 1));
    let mut window = begin.fold(0, |window, token| window << width | token);
    let straight = places.start..places.end.min(count.saturating_sub(depth)).max(places.start);
    let wrapping = (straight.end..places.end).map(move |place| (place, tokens[(place + depth) % count]));
    straight.map(move |place| (place, tokens[place + depth])).chain(wrapping).map(move |(place, coming)| {
        let key = window << rest | low(place);
        window = window << width | u64::from(coming >> 1);
        key
    })
}

/// Rotations that are not sorted by their keys, because they reach the token at the seam or follow it.
struct Apart {
    places: std::iter::Peekable<std::vec::IntoIter<(u128, usize)>>,
}

impl Apart {
    fn new(places: impl Iterator<Item = usize>, tokens: &[u16], width: u32, depth: usize) -> Self {
        let places = in_order(places, tokens, depth + 1);
        let bounds = places.into_iter().map(|place| (lower_bound(tokens, place, width, depth), place));
        Self { places: bounds.collect::<Vec<_>>().into_iter().peekable() }
    }

    /// The next rotation and the least key after it, unless that key is greater than `key`.
    fn next_up_to(&mut self, key: u64) -> Option<(u128, usize)> {
        self.places.next_if(|&(bound, _)| bound <= u128::from(key))
    }

    fn rest(self) -> impl Iterator<Item = usize> {
        self.places.map(|(_, place)| place)
    }
}

/// Sorts keys part by part.
#[derive(Default)]
struct Sorter {
    distributed: Vec<u64>,
    part: Vec<u64>,
    scratch: Vec<u64>,
}

impl Sorter {
    /// Sort the keys: by their highest bits into parts that fit into the first cache, then each part; `take` gets each
    /// part that is not empty.
    fn sort<Keys: Iterator<Item = u64>>(
        &mut self,
        keys: impl Fn() -> Keys,
        mut take: impl FnMut(&[u64]) -> Result<(), OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        let mut ends = [0; 1 << HIGHEST_BITS];
        keys().for_each(|key| ends[(key >> (64 - HIGHEST_BITS)) as usize] += 1);
        let mut count = 0;
        ends.iter_mut().for_each(|size| count += std::mem::replace(size, count));
        resize(&mut self.distributed, count, 0)?;
        keys().for_each(|key| {
            let slot = &mut ends[(key >> (64 - HIGHEST_BITS)) as usize];
            self.distributed[*slot] = key;
            *slot += 1;
        });
        let mut room = [0; 1 << DIGIT_BITS];
        let mut start = 0;
        for end in ends {
            let part = &self.distributed[start..end];
            start = end;
            if part.is_empty() {
                continue;
            }
            let bits = (part.len().ilog2() + 1).min(DIGIT_BITS);
            let shift = 64 - HIGHEST_BITS - bits;
            let ends = &mut room[..1 << bits];
            ends.fill(0);
            part.iter().for_each(|key| ends[(key >> shift) as usize & (ends.len() - 1)] += 1);
            resize(&mut self.part, part.len(), 0)?;
            distribute(part, &mut self.part, ends, shift);
            sort_parts(&mut self.part, ends, &mut self.scratch)?;
            take(&self.part)?;
        }
        Ok(())
    }
}

/// Places in the order of the `depth` tokens from each on.
fn in_order(places: impl Iterator<Item = usize>, tokens: &[u16], depth: usize) -> Vec<usize> {
    let count = tokens.len();
    let begin = |place: usize| (0..depth.min(count)).map(move |ahead| tokens[(place + ahead) % count]);
    let mut places: Vec<usize> = places.collect();
    places.sort_by(|&a, &b| begin(a).cmp(begin(b)));
    places
}

/// The least key of a rotation that sorts after the one at `place`, which may reach the token at the seam.
fn lower_bound(tokens: &[u16], place: usize, width: u32, depth: usize) -> u128 {
    let mut bound = 0;
    for ahead in 0..depth {
        let token = tokens[(place + ahead) % tokens.len()];
        bound += u128::from(token >> 1) << (64 - width * (ahead as u32 + 1));
        if token.is_multiple_of(2) {
            break;
        }
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from a simple generator, below `kinds`, as odd numbers.
    fn tokens(count: usize, kinds: u64) -> Vec<u16> {
        let mut state = kinds;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            2 * ((state >> 33) % kinds) as u16 + 1
        };
        (0..count).map(|_| next()).collect()
    }

    fn sorted_naively(tokens: &[u16]) -> Vec<u16> {
        let count = tokens.len();
        let mut places: Vec<usize> = (0..count).collect();
        let from = |place: usize| (0..count).map(move |ahead| tokens[(place + ahead) % count]);
        places.sort_by(|&a, &b| from(a).cmp(from(b)));
        places.iter().map(|&place| tokens[(place + count - 1) % count]).collect()
    }

    #[test]
    fn rotations_come_in_order_wherever_the_seam_lies() {
        let mut rotations = Rotations::default();
        for (count, kinds) in
            [(1, 1), (5000, 1), (5, 2), (600, 2), (600, 3), (700, 10), (700, 256), (3000, 2), (3000, 200)]
        {
            for seam in [0, 1, 2, kinds, 2 * kinds - 1, 2 * kinds] {
                let mut tokens = tokens(count, kinds);
                tokens[count - 1] = seam.min(2 * kinds) as u16;
                let found = rotations.tokens_before(&tokens, kinds as usize).unwrap();
                assert_eq!(found, sorted_naively(&tokens), "{count} {kinds} {seam}");
            }
        }
    }

    #[test]
    fn rotations_that_agree_for_long_come_in_order() {
        let mut rotations = Rotations::default();
        for kinds in [2, 7, 256] {
            for seam in [0, 1, 3, 2 * kinds as u16] {
                let mut tokens = tokens(700, kinds).repeat(3);
                tokens.push(seam);
                let found = rotations.tokens_before(&tokens, kinds as usize).unwrap();
                assert_eq!(found, sorted_naively(&tokens), "{kinds} {seam}");
            }
        }
    }
}
