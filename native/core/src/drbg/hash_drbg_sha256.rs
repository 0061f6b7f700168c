//! SHA-256 for Hash_DRBG: the blocks of a request in parallel, and the two hashes of a short request.

use zeroize::Zeroize;

use super::hash_drbg::{Hash, HashDrbg};
use super::seed::Seed;
use crate::sha256::{digest, hash_counter_blocks, hash_pair, increment};

/// seedlen of SHA-256: 440 bits, SP 800-90A table 2.
const LIMBS: usize = 7;
/// outlen of SHA-256 in bytes.
pub const BLOCK_BYTES: usize = 32;

pub struct Sha256;

pub type HashDrbg256 = HashDrbg<Sha256, LIMBS>;

impl Seed<LIMBS> {
    /// V || 0x80 || 440: the padded message whose digest is the first block of output, as big-endian words.
    #[inline]
    fn output_block(&self) -> [u64; 8] {
        let v = &self.0;
        [
            v[6] << 8 | v[5] >> 56,
            v[5] << 8 | v[4] >> 56,
            v[4] << 8 | v[3] >> 56,
            v[3] << 8 | v[2] >> 56,
            v[2] << 8 | v[1] >> 56,
            v[1] << 8 | v[0] >> 56,
            v[0] << 8 | 0x80,
            440,
        ]
    }

    /// 0x03 || V || 0x80: the first block of the update step's padded message, as big-endian words.
    #[inline]
    fn update_block(&self) -> [u64; 8] {
        let v = &self.0;
        [0x03 << 56 | v[6], v[5], v[4], v[3], v[2], v[1], v[0], 0x80 << 56]
    }
}

impl Hash<LIMBS> for Sha256 {
    const OUT_BYTES: usize = BLOCK_BYTES;
    type Digest = [u8; BLOCK_BYTES];

    fn digest(parts: &[&[u8]]) -> Self::Digest {
        digest(parts)
    }

    /// Hash a padded block that starts with V + 1, and its successors.
    fn hashgen_after_first(v: &Seed<LIMBS>, out: &mut [u8]) {
        let mut block = [0u8; 64];
        for (word, bytes) in v.output_block().iter().zip(block.as_chunks_mut::<8>().0) {
            *bytes = word.to_be_bytes();
        }
        increment(&mut block);
        let (digests, rest) = out.as_chunks_mut::<BLOCK_BYTES>();
        hash_counter_blocks(&mut block, digests);
        if !rest.is_empty() {
            let mut last = [[0u8; BLOCK_BYTES]];
            hash_counter_blocks(&mut block, &mut last);
            rest.copy_from_slice(&last[0][..rest.len()]);
            last.zeroize();
        }
        block.zeroize();
    }

    #[inline(always)]
    fn first_block_and_h(v: &Seed<LIMBS>, out: &mut [u8]) -> [u64; LIMBS] {
        let [first, h] = hash_pair(&v.output_block(), &v.update_block());
        if let Ok(out) = <&mut [u8; BLOCK_BYTES]>::try_from(&mut *out) {
            for (word, bytes) in first.iter().zip(out.as_chunks_mut::<8>().0) {
                *bytes = word.to_be_bytes();
            }
        } else {
            for (index, byte) in out.iter_mut().enumerate() {
                *byte = first[index / 8].to_be_bytes()[index % 8];
            }
        }
        [h[3], h[2], h[1], h[0], 0, 0, 0]
    }
}
