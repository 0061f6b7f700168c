//! SHA-256 with the CPU's SHA instructions, two independent chains interleaved.
//!
//! Hand-written, because one chain, as in the crate `sha2`, leaves the unit idle for most of its latency and takes
//! twice as long.

use std::arch::x86_64::*;

use super::plain::{self, increment, write_digest, Words, INITIAL, K, TAIL_448, WIDE_FROM};
use super::wide;
use crate::simd::Path;

/// Blocks that `hash_counter_blocks` works on at a time. Two chains fill the SHA unit (a step takes four cycles, and
/// one begins every other cycle). Their states and message words fit into sixteen registers; those of three chains do
/// not.
pub const LANES: usize = 2;

const _: () = assert!(WIDE_FROM >= wide::WIDTH);

pub(super) static PATH: Path = Path::new(module_path!(), &["sha_ni"], || usize::from(found()), is_right);

/// True if the CPU has every instruction set used below.
#[inline]
fn found() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3")
}

/// True if the functions below may be called: the CPU has the instructions, and their results were checked.
#[inline(always)]
pub fn available() -> bool {
    PATH.chosen() == 1
}

/// True if the CPU has the instructions but gives wrong results with them.
#[inline(always)]
pub fn refused() -> bool {
    !available() && found()
}

/// Pairs, lanes and single blocks, across a carry, against plain Rust.
fn is_right(_version: usize) -> bool {
    let mut block: [u8; 64] = std::array::from_fn(|place| (37 * place + 11) as u8);
    block[53..].copy_from_slice(&[0xff, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x01, 0xb8]);
    let mut expected = block;
    let mut digests = [[0u8; 32]; 2 * LANES + 1];
    // SAFETY: `Path` asks of a version that `found` found every instruction set for.
    unsafe { hash_counter_blocks(&mut block, &mut digests) };
    let of = |blocks: &[[u8; 64]]| {
        let (mut state, mut digest) = (INITIAL, [0u8; 32]);
        plain::compress(&mut state, blocks);
        write_digest(&state, &mut digest);
        digest
    };
    let mut first = expected;
    let counted = digests.iter().all(|digest| {
        let right = *digest == of(&[expected]);
        increment(&mut expected);
        right
    });
    first[55] = 0x80;
    let words = |block: &[u8; 64]| std::array::from_fn(|i| u64::from_be_bytes(block.as_chunks::<8>().0[i]));
    // SAFETY: as above.
    let [one, two] = unsafe { hash_pair(&words(&first), &words(&expected)) };
    let bytes = |words: Words<4>| -> [u8; 32] { std::array::from_fn(|i| words[i / 8].to_be_bytes()[i % 8]) };
    counted && block == expected && bytes(one) == of(&[first]) && bytes(two) == of(&[expected, TAIL_448])
}

/// Round constant plus message word for the 64 rounds of `TAIL_448`, whose schedule never changes.
const TAIL_448_ROUNDS: [u32; 64] = {
    let mut w = [0u32; 64];
    w[15] = 448;
    let mut t = 16;
    while t < 64 {
        let (a, b) = (w[t - 15], w[t - 2]);
        let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        w[t] = w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1);
        t += 1;
    }
    t = 0;
    while t < 64 {
        w[t] = w[t].wrapping_add(K[t]);
        t += 1;
    }
    w
};

/// The working variables in the order that the SHA instructions need: ABEF and CDGH.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn initial() -> State {
    let [a, b, c, d, e, f, g, h] = INITIAL.map(|word| word as i32);
    State { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn constants(table: &[u32; 64], quad: usize) -> __m128i {
    let [k0, k1, k2, k3] = [0, 1, 2, 3].map(|index| table[4 * quad + index] as i32);
    _mm_set_epi32(k3, k2, k1, k0)
}

/// Four rounds, given the sum of round constants and message words.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn rounds4(state: &mut State, sum: __m128i) {
    state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, sum);
    state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/// The next four words of the message schedule from the last sixteen.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn schedule(w: &[__m128i; 4]) -> __m128i {
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[0], w[1]), _mm_alignr_epi8(w[3], w[2], 4));
    _mm_sha256msg2_epu32(sum, w[3])
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn load(block: &[u8; 64]) -> [__m128i; 4] {
    let words: [i32; 16] = std::array::from_fn(|index| {
        let mut bytes = [0u8; 4];
        bytes.copy_from_slice(&block[4 * index..4 * index + 4]);
        i32::from_be_bytes(bytes)
    });
    std::array::from_fn(|quad| {
        _mm_set_epi32(words[4 * quad + 3], words[4 * quad + 2], words[4 * quad + 1], words[4 * quad])
    })
}

/// Rounds `4 * FIRST` to 63 of `N` lanes, interleaved. `FIRST` is known to the compiler, which then keeps every word in
/// a register.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn rounds_from<const N: usize, const FIRST: usize>(states: &mut [State; N], w: &mut [[__m128i; 4]; N]) {
    for quad in FIRST..16 {
        let k = constants(&K, quad);
        for lane in 0..N {
            if quad >= 4 {
                let next = schedule(&w[lane]);
                w[lane] = [w[lane][1], w[lane][2], w[lane][3], next];
            }
            let words = if quad >= 4 { w[lane][3] } else { w[lane][quad] };
            rounds4(&mut states[lane], _mm_add_epi32(words, k));
        }
    }
}

/// Add the chaining value and store the digest in big-endian order.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn finish(state: State, before: State) -> State {
    State { abef: _mm_add_epi32(state.abef, before.abef), cdgh: _mm_add_epi32(state.cdgh, before.cdgh) }
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn store(state: State, out: &mut [u8; 32]) {
    let big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    let feba = _mm_shuffle_epi32(state.abef, 0x1b);
    let dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
    let abcd = _mm_shuffle_epi8(_mm_blend_epi16(feba, dchg, 0xf0), big_endian);
    let efgh = _mm_shuffle_epi8(_mm_alignr_epi8(dchg, feba, 8), big_endian);
    // SAFETY: `out` has room for both halves; the store needs no alignment.
    unsafe {
        _mm_storeu_si128(out.as_mut_ptr().cast(), abcd);
        _mm_storeu_si128(out.as_mut_ptr().add(16).cast(), efgh);
    }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
pub fn hash_counter_blocks(block: &mut [u8; 64], out: &mut [[u8; 32]]) {
    let start = initial();
    let mut rest = out;
    while !rest.is_empty() {
        // Up to the next carry out of bytes 52 to 54, only word 13 changes: the first 12 rounds are the same.
        let low = u32::from_be_bytes([0, block[52], block[53], block[54]]);
        let room = ((1usize << 24) - low as usize).min(rest.len());
        let (part, tail) = rest.split_at_mut(room);
        rest = tail;
        let base = load(block);
        let mut common = start;
        for (quad, words) in base[..3].iter().enumerate() {
            rounds4(&mut common, _mm_add_epi32(*words, constants(&K, quad)));
        }
        let mut index = low;
        let mut part = part;
        if part.len() >= WIDE_FROM && wide::available() {
            let (groups, others) = part.as_chunks_mut::<{ wide::WIDTH }>();
            let words = std::array::from_fn(|i| {
                u32::from_be_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
            });
            // SAFETY: `available` found every instruction set that the function is compiled for.
            unsafe { wide::counter_blocks(&words, index, groups) };
            index += (groups.len() * wide::WIDTH) as u32;
            part = others;
        }
        let (groups, singles) = part.as_chunks_mut::<LANES>();
        for group in groups {
            counter_group(common, start, &base, index, group);
            index += LANES as u32;
        }
        for single in singles {
            counter_group(common, start, &base, index, std::array::from_mut(single));
            index += 1;
        }
        let [_, b52, b53, b54] = (index.wrapping_sub(1)).to_be_bytes();
        block[52..55].copy_from_slice(&[b52, b53, b54]);
        increment(block);
    }
}

/// Digests of `N` blocks from counter value `index` on, given the state after the 12 rounds they share.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn counter_group<const N: usize>(
    common: State,
    start: State,
    base: &[__m128i; 4],
    index: u32,
    outs: &mut [[u8; 32]; N],
) {
    let mut states = [common; N];
    let mut w = [*base; N];
    for (lane, words) in w.iter_mut().enumerate() {
        let word13 = (index + lane as u32) << 8 | 0x80;
        words[3] = _mm_insert_epi32(words[3], word13 as i32, 1);
    }
    rounds_from::<N, 3>(&mut states, &mut w);
    for (state, out) in states.into_iter().zip(outs) {
        store(finish(state, start), out);
    }
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn load_words(words: &Words<8>) -> [__m128i; 4] {
    std::array::from_fn(|quad| {
        let [low, high] = [words[2 * quad], words[2 * quad + 1]].map(|word| word.rotate_left(32) as i64);
        _mm_set_epi64x(high, low)
    })
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn store_words(state: State) -> Words<4> {
    // ABEF holds F, E, B, A from the lowest 32 bits up, CDGH likewise: A B and E F are its 64-bit halves.
    [
        _mm_extract_epi64(state.abef, 1) as u64,
        _mm_extract_epi64(state.cdgh, 1) as u64,
        _mm_extract_epi64(state.abef, 0) as u64,
        _mm_extract_epi64(state.cdgh, 0) as u64,
    ]
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
pub fn hash_pair(first: &Words<8>, second: &Words<8>) -> [Words<4>; 2] {
    let start = initial();
    let mut states = [start; 2];
    let mut w = [load_words(first), load_words(second)];
    rounds_from::<2, 0>(&mut states, &mut w);
    let middle = finish(states[1], start);
    let mut state = middle;
    for quad in 0..16 {
        rounds4(&mut state, constants(&TAIL_448_ROUNDS, quad));
    }
    [store_words(finish(states[0], start)), store_words(finish(state, middle))]
}
