//! SHA-256 compression of several independent blocks at once, interleaved for the CPU's SHA instructions.
//!
//! The blocks of one Hash_DRBG request do not depend on one another, and one chain of SHA instructions leaves the unit
//! idle for most of its latency; from sixteen blocks on, AVX-512 is faster still (`sha256_wide.rs`). These two modules
//! are the one place where the project compresses by itself; everything else, and every CPU without these
//! instructions, uses the crate `sha2`, which each lane is tested against.

use sha2::block_api::compress256;
use zeroize::Zeroize;

use crate::sha256::INITIAL;

/// Blocks that `hash_counter_blocks` works on at a time. Two chains fill the SHA unit (a step takes four cycles, and one
/// begins every other cycle); their states and message words fit into sixteen registers, which those of three do not.
pub const LANES: usize = 2;

/// From this many blocks on, AVX-512 works on them where it is available.
pub const WIDE_FROM: usize = 16;

/// Digests of `block`, `block + 1`, ... (counted in the first 55 bytes), 32 bytes each, into `out`; `block` ends as the next one.
///
/// The block is padded already: 55 bytes of data, 0x80, and the length of 440 bits.
pub fn hash_counter_blocks(block: &mut [u8; 64], out: &mut [[u8; 32]]) {
    #[cfg(target_arch = "x86_64")]
    if x86::available() {
        // SAFETY: `available` found every instruction set that the function is compiled for.
        unsafe { x86::hash_counter_blocks(block, out) };
        return;
    }
    for digest in out {
        one(std::slice::from_ref(block), digest);
        increment(block);
    }
}

/// A block or a digest as big-endian 64-bit words: wide enough to be handled, and erased, in registers.
pub type Words<const N: usize> = [u64; N];

/// Digests of a one-block message and of a two-block message whose second block is `TAIL_448`; both padded.
#[inline]
pub fn hash_pair(first: &Words<8>, second: &Words<8>) -> [Words<4>; 2] {
    #[cfg(target_arch = "x86_64")]
    if x86::available() {
        // SAFETY: `available` found every instruction set that the function is compiled for.
        return unsafe { x86::hash_pair(first, second) };
    }
    [one_of_words(&[block_of(first)]), one_of_words(&[block_of(second), TAIL_448])]
}

/// True if `hash_pair`, and `hash_counter_blocks` of fewer than `WIDE_FROM` blocks, use the CPU's SHA instructions: they
/// take next to no stack and none of the wide registers.
#[inline]
pub fn sha_in_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    return x86::available();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn block_of(words: &Words<8>) -> [u8; 64] {
    let mut block = [0u8; 64];
    for (word, bytes) in words.iter().zip(block.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    block
}

fn one_of_words(blocks: &[[u8; 64]]) -> Words<4> {
    let mut state = INITIAL;
    compress256(&mut state, blocks);
    let words = std::array::from_fn(|index| u64::from(state[2 * index]) << 32 | u64::from(state[2 * index + 1]));
    state.zeroize();
    words
}

/// Last block of a message of 56 bytes: zeros and the length of 448 bits. (The 0x80 stands in the block before.)
pub const TAIL_448: [u8; 64] = {
    let mut block = [0u8; 64];
    block[62] = 0x01;
    block[63] = 0xc0;
    block
};

fn one(blocks: &[[u8; 64]], digest: &mut [u8; 32]) {
    let mut state = INITIAL;
    compress256(&mut state, blocks);
    for (word, bytes) in state.iter().zip(digest.chunks_exact_mut(4)) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    state.zeroize();
}

/// data = (data + 1) mod 2^440 in the first 55 bytes of a block.
#[inline]
pub fn increment(block: &mut [u8; 64]) {
    for byte in block[..55].iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
}

/// Round constants of FIPS 180-4 section 4.2.2.
#[cfg(target_arch = "x86_64")]
pub const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// Round constant plus message word for the 64 rounds of `TAIL_448`, whose schedule never changes.
#[cfg(target_arch = "x86_64")]
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{increment, Words, INITIAL, K, LANES, TAIL_448_ROUNDS, WIDE_FROM};
    use crate::sha256_wide;
    use std::arch::x86_64::*;

    const _: () = assert!(WIDE_FROM >= sha256_wide::WIDTH);

    /// True if the CPU has every instruction set used below.
    #[inline]
    pub fn available() -> bool {
        is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3")
    }

    /// The working variables in the order that the SHA instructions want: ABEF and CDGH.
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

    /// Rounds `4 * FIRST` to 63 of `N` lanes, interleaved. `FIRST` is known to the compiler, which then keeps every word in a
    /// register.
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
            if part.len() >= WIDE_FROM && sha256_wide::available() {
                let (groups, others) = part.as_chunks_mut::<{ sha256_wide::WIDTH }>();
                let words = std::array::from_fn(|i| {
                    u32::from_be_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
                });
                // SAFETY: `available` found every instruction set that the function is compiled for.
                unsafe { sha256_wide::counter_blocks(&words, index, groups) };
                index += (groups.len() * sha256_wide::WIDTH) as u32;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256::digest;

    fn counter_block(v: &[u8; 55]) -> [u8; 64] {
        let mut block = [0u8; 64];
        block[..55].copy_from_slice(v);
        block[55] = 0x80;
        block[62..].copy_from_slice(&440u16.to_be_bytes());
        block
    }

    /// Every lane of every length, across carries into each higher byte, against the crate `sha2`.
    #[test]
    fn counter_blocks_equal_sha2() {
        for (seed, tail) in [(7u8, 0u8), (1, 0xf9), (0, 0xff), (0xff, 0xff), (0x80, 0xfe)] {
            for carried in [0usize, 1, 2, 3, 10, 54] {
                for length in (0..=3 * LANES + 1).chain([15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 69, 101, 300]) {
                    let mut v: [u8; 55] =
                        std::array::from_fn(|i| seed.wrapping_mul(i as u8).wrapping_add((31 * i) as u8));
                    v[54] = tail;
                    for byte in v[54 - carried..54].iter_mut() {
                        *byte = 0xff;
                    }
                    let mut block = counter_block(&v);
                    let mut expected = block;
                    let mut out = vec![[0u8; 32]; length];
                    hash_counter_blocks(&mut block, &mut out);
                    for digest_of in &out {
                        assert_eq!(*digest_of, digest(&[&expected[..55]]));
                        increment(&mut expected);
                    }
                    assert_eq!(block, expected, "the block ends as the next one");
                }
            }
        }
    }

    #[test]
    fn pairs_equal_sha2() {
        for seed in 0..200u8 {
            let v: [u8; 55] = std::array::from_fn(|i| seed.wrapping_mul(101).wrapping_add((i * i) as u8));
            let mut second = [0u8; 64];
            second[0] = 0x03;
            second[1..56].copy_from_slice(&v);
            second[56] = 0x80;
            let words = |block: &[u8; 64]| -> Words<8> {
                std::array::from_fn(|i| {
                    block[8 * i..8 * i + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
                })
            };
            let bytes = |words: Words<4>| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
            let [one, two] = hash_pair(&words(&counter_block(&v)), &words(&second));
            assert_eq!(bytes(one), digest(&[&v]));
            assert_eq!(bytes(two), digest(&[&[0x03], &v]));
            assert_eq!(bytes(one_of_words(&[counter_block(&v)])), bytes(one));
            assert_eq!(bytes(one_of_words(&[block_of(&words(&second)), TAIL_448])), bytes(two));
        }
    }
}
