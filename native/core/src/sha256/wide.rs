//! SHA-256 of sixteen independent one-block messages at once, one in each 32-bit lane of the AVX-512 registers.
//!
//! For the blocks of a long Hash_DRBG request, which differ only in word 13: V counts in its last bytes. Hand-written,
//! because no crate compresses sixteen blocks at once, and this is four times as fast as the SHA instructions.

use std::arch::x86_64::*;

use super::plain::{self, write_digest, INITIAL, K};
use crate::simd::{level, Level, Path};

/// Blocks of one call of [`counter_blocks`].
pub const WIDTH: usize = 16;

pub(super) static PATH: Path =
    Path::new(module_path!(), &["avx512"], || usize::from(level() == Level::Avx512), is_right);

/// True if the functions below may be called: the CPU has every instruction set that they use, `ESOTERIC_DRBG_SIMD`
/// allows it, and their results were checked.
#[inline(always)]
pub fn available() -> bool {
    PATH.chosen() == 1
}

/// Two groups in parallel and one alone, against plain Rust.
fn is_right(_version: usize) -> bool {
    let mut words: [u32; 16] = std::array::from_fn(|place| (place as u32 + 3).wrapping_mul(0x9e37_79b9));
    let (first, mut found) = (0x00ab_cdf0, [[[0u8; 32]; WIDTH]; 3]);
    // SAFETY: `Path` asks of a version that the level has every instruction set for.
    unsafe { counter_blocks(&words, first, &mut found) };
    (first..).zip(found.as_flattened()).all(|(index, found)| {
        words[13] = index << 8 | 0x80;
        let block: [u8; 64] = std::array::from_fn(|i| words[i / 4].to_be_bytes()[i % 4]);
        let (mut state, mut digest) = (INITIAL, [0u8; 32]);
        plain::compress(&mut state, &[block]);
        write_digest(&state, &mut digest);
        digest == *found
    })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(word: u32) -> __m512i {
    _mm512_set1_epi32(word as i32)
}

/// Exclusive or of three.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

/// The next word of the message schedule, in place of the oldest of sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn schedule(w: &mut [__m512i; 16], i: usize) {
    let (w15, w2) = (w[(i + 1) & 15], w[(i + 14) & 15]);
    let s0 = xor3(_mm512_ror_epi32::<7>(w15), _mm512_ror_epi32::<18>(w15), _mm512_srli_epi32::<3>(w15));
    let s1 = xor3(_mm512_ror_epi32::<17>(w2), _mm512_ror_epi32::<19>(w2), _mm512_srli_epi32::<10>(w2));
    let sum = _mm512_add_epi32(_mm512_add_epi32(w[i], s0), _mm512_add_epi32(w[(i + 9) & 15], s1));
    w[i] = sum;
}

/// One round, with the sum of round constant and message word.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn round(s: &mut [__m512i; 8], sum: __m512i) {
    let [a, b, c, d, e, f, g, h] = *s;
    let s1 = xor3(_mm512_ror_epi32::<6>(e), _mm512_ror_epi32::<11>(e), _mm512_ror_epi32::<25>(e));
    let ch = _mm512_ternarylogic_epi32::<0xca>(e, f, g);
    let t1 = _mm512_add_epi32(_mm512_add_epi32(h, sum), _mm512_add_epi32(s1, ch));
    let s0 = xor3(_mm512_ror_epi32::<2>(a), _mm512_ror_epi32::<13>(a), _mm512_ror_epi32::<22>(a));
    let maj = _mm512_ternarylogic_epi32::<0xe8>(a, b, c);
    let t2 = _mm512_add_epi32(s0, maj);
    *s = [_mm512_add_epi32(t1, t2), a, b, c, _mm512_add_epi32(d, t1), e, f, g];
}

/// The working variables after rounds 0 to 12, which all blocks share.
fn common(words: &[u32; 16]) -> [u32; 8] {
    words[..13].iter().zip(K).fold(INITIAL, |working, (word, constant)| plain::round(working, constant, *word))
}

/// Digests of the blocks with word 13 = `(index + lane) << 8 | 0x80`, `index` counting on from group to group.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn counter_blocks(words: &[u32; 16], mut index: u32, groups: &mut [[[u8; 32]; WIDTH]]) {
    let shared = common(words);
    let (pairs, last) = groups.as_chunks_mut::<2>();
    for pair in pairs {
        several(words, &shared, index, pair);
        index = index.wrapping_add(2 * WIDTH as u32);
    }
    for group in last {
        several(words, &shared, index, std::array::from_mut(group));
    }
}

/// `G` groups interleaved: one group alone leaves the units waiting for its own results.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn several<const G: usize>(words: &[u32; 16], shared: &[u32; 8], index: u32, groups: &mut [[[u8; 32]; WIDTH]; G]) {
    let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let mut w: [[__m512i; 16]; G] = [std::array::from_fn(|i| splat(words[i])); G];
    let mut s: [[__m512i; 8]; G] = [std::array::from_fn(|i| splat(shared[i])); G];
    for (g, w) in w.iter_mut().enumerate() {
        let counters = _mm512_add_epi32(splat(index.wrapping_add((g * WIDTH) as u32)), lanes);
        w[13] = _mm512_or_si512(_mm512_slli_epi32::<8>(counters), splat(0x80));
    }
    for i in 13..16 {
        for g in 0..G {
            round(&mut s[g], _mm512_add_epi32(w[g][i], splat(K[i])));
        }
    }
    for sixteen in [&K[16..32], &K[32..48], &K[48..64]] {
        for i in 0..16 {
            for g in 0..G {
                schedule(&mut w[g], i);
                round(&mut s[g], _mm512_add_epi32(w[g][i], splat(sixteen[i])));
            }
        }
    }
    for (s, group) in s.iter_mut().zip(groups) {
        for (word, initial) in s.iter_mut().zip(INITIAL) {
            *word = _mm512_add_epi32(*word, splat(initial));
        }
        store(s, group);
    }
}

/// Turn eight words of sixteen lanes into sixteen digests in big-endian order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store(s: &[__m512i; 8], group: &mut [[u8; 32]; WIDTH]) {
    let big_endian = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    let s: [__m512i; 8] = std::array::from_fn(|i| _mm512_shuffle_epi8(s[i], big_endian));
    // Within each 128-bit quarter q, four lanes: 4 q to 4 q + 3. `halves[h][r]` holds half h of the digests of 4 q + r.
    let halves: [[__m512i; 4]; 2] = std::array::from_fn(|half| {
        let [w0, w1, w2, w3] = [s[4 * half], s[4 * half + 1], s[4 * half + 2], s[4 * half + 3]];
        let (low01, high01) = (_mm512_unpacklo_epi32(w0, w1), _mm512_unpackhi_epi32(w0, w1));
        let (low23, high23) = (_mm512_unpacklo_epi32(w2, w3), _mm512_unpackhi_epi32(w2, w3));
        [
            _mm512_unpacklo_epi64(low01, low23),
            _mm512_unpackhi_epi64(low01, low23),
            _mm512_unpacklo_epi64(high01, high23),
            _mm512_unpackhi_epi64(high01, high23),
        ]
    });
    for r in 0..4 {
        let (first, second) = (halves[0][r], halves[1][r]);
        let quarters = [
            (_mm512_extracti32x4_epi32::<0>(first), _mm512_extracti32x4_epi32::<0>(second)),
            (_mm512_extracti32x4_epi32::<1>(first), _mm512_extracti32x4_epi32::<1>(second)),
            (_mm512_extracti32x4_epi32::<2>(first), _mm512_extracti32x4_epi32::<2>(second)),
            (_mm512_extracti32x4_epi32::<3>(first), _mm512_extracti32x4_epi32::<3>(second)),
        ];
        for (q, (left, right)) in quarters.into_iter().enumerate() {
            let out = group[4 * q + r].as_mut_ptr();
            // SAFETY: `out` points to 32 bytes, room for both halves; the stores need no alignment.
            unsafe {
                _mm_storeu_si128(out.cast(), left);
                _mm_storeu_si128(out.add(16).cast(), right);
            }
        }
    }
}
