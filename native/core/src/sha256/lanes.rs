//! SHA-256 compression of several independent blocks at once, with the CPU's SHA instructions where it has them.
//!
//! The blocks of one Hash_DRBG request do not depend on one another. From sixteen blocks on, AVX-512 is even faster
//! (`wide.rs`). Only in `sha_ni.rs` and `wide.rs` does the project have its own compression function, for speed that
//! was measured. All other code, and every CPU without these instructions, uses the crate `sha2`; each lane is tested
//! against it.

use zeroize::Zeroize;

use super::digest::{compress, digest_padded};
use super::plain::{increment, Words, INITIAL, TAIL_448};
#[cfg(target_arch = "x86_64")]
use super::sha_ni;

/// Digests of `block`, `block + 1`, ... (counted in the first 55 bytes), 32 bytes each, into `out`; `block` ends as the
/// next one.
///
/// The block is padded already: 55 bytes of data, 0x80, and the length of 440 bits.
pub fn hash_counter_blocks(block: &mut [u8; 64], out: &mut [[u8; 32]]) {
    #[cfg(target_arch = "x86_64")]
    if sha_ni::available() {
        // SAFETY: `available` says that the CPU has every instruction set that the function is compiled for.
        unsafe { sha_ni::hash_counter_blocks(block, out) };
        return;
    }
    for digest in out {
        digest_padded(std::slice::from_ref(block), digest);
        increment(block);
    }
}

/// Digests of a one-block message and of a two-block message whose second block is `TAIL_448`; both padded.
#[inline]
pub fn hash_pair(first: &Words<8>, second: &Words<8>) -> [Words<4>; 2] {
    #[cfg(target_arch = "x86_64")]
    if sha_ni::available() {
        // SAFETY: `available` says that the CPU has every instruction set that the function is compiled for.
        return unsafe { sha_ni::hash_pair(first, second) };
    }
    [one_of_words(&[block_of(first)]), one_of_words(&[block_of(second), TAIL_448])]
}

/// True if `hash_pair`, and `hash_counter_blocks` of fewer than `WIDE_FROM` blocks, use the CPU's SHA instructions:
/// they use almost no stack and no wide registers.
#[inline]
pub fn sha_in_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    return sha_ni::available();
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
    compress(&mut state, blocks);
    let words = std::array::from_fn(|index| u64::from(state[2 * index]) << 32 | u64::from(state[2 * index + 1]));
    state.zeroize();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256::digest::digest;

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
                for length in (0..=7).chain([15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 69, 101, 300]) {
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
