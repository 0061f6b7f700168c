//! Hash_DRBG, SP 800-90A Rev. 1 section 10.1.1: the numbered algorithms, for every hash function.
//!
//! The limits and errors of section 9 belong to the caller.

use std::marker::PhantomData;

use zeroize::Zeroize;

use super::mechanism::Mechanism;
use super::seed::{Seed, MOST_BYTES};

/// A hash function as Hash_DRBG uses it; its seedlen is that of `Seed<L>`.
pub trait Hash<const L: usize> {
    /// outlen in bytes.
    const OUT_BYTES: usize;
    type Digest: AsRef<[u8]> + Zeroize;

    /// Hash the concatenation of `parts`.
    fn digest(parts: &[&[u8]]) -> Self::Digest;

    /// Hashgen, 10.1.1.4, without its first block: hashes V + 1, V + 2, ...
    fn hashgen_after_first(v: &Seed<L>, out: &mut [u8]);

    /// Hash(V), the first block of output, or less of it, into `out`; returns H = Hash(0x03 || V), which does not
    /// depend on it.
    fn first_block_and_h(v: &Seed<L>, out: &mut [u8]) -> [u64; L];
}

/// V and C of section 10.1.1.1; the owner counts the requests.
pub struct HashDrbg<H, const L: usize> {
    v: Seed<L>,
    c: Seed<L>,
    hash: PhantomData<H>,
}

impl<H, const L: usize> Default for HashDrbg<H, L> {
    fn default() -> Self {
        Self { v: Seed::zero(), c: Seed::zero(), hash: PhantomData }
    }
}

/// Hash_df of section 10.3.1 for no_of_bits_to_return = seedlen, on whole bytes.
fn hash_df_seedlen<H: Hash<L>, const L: usize>(parts: &[&[u8]], out: &mut [u8]) {
    let bits = (8 * out.len() as u32).to_be_bytes();
    for (counter, chunk) in (1u8..).zip(out.chunks_mut(H::OUT_BYTES)) {
        let header = [counter, bits[0], bits[1], bits[2], bits[3]];
        let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
        all.push(&header);
        all.extend_from_slice(parts);
        let mut block = H::digest(&all);
        chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        block.zeroize();
    }
}

impl<H: Hash<L>, const L: usize> HashDrbg<H, L> {
    /// V = seed, C = Hash_df(0x00 || V).
    fn set_seed(&mut self, seed: &mut [u8]) {
        self.v = Seed::from_bytes(seed);
        let mut room = [0u8; MOST_BYTES];
        let constant = &mut room[..seed.len()];
        hash_df_seedlen::<H, L>(&[&[0x00], seed], constant);
        self.c = Seed::from_bytes(constant);
        room.zeroize();
        seed.zeroize();
    }

    /// Hash_DRBG_Instantiate_algorithm, 10.1.1.2.
    pub fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]) {
        let mut room = [0u8; MOST_BYTES];
        let seed = &mut room[..Seed::<L>::BYTES];
        hash_df_seedlen::<H, L>(&[entropy_input, nonce, personalization_string], seed);
        self.set_seed(seed);
    }

    /// Hash_DRBG_Reseed_algorithm, 10.1.1.3.
    pub fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]) {
        let mut v = [0u8; MOST_BYTES];
        self.v.write(&mut v);
        let mut room = [0u8; MOST_BYTES];
        let seed = &mut room[..Seed::<L>::BYTES];
        hash_df_seedlen::<H, L>(&[&[0x01], &v[..Seed::<L>::BYTES], entropy_input, additional_input], seed);
        v.zeroize();
        self.set_seed(seed);
    }

    /// Hash_DRBG_Generate_algorithm, 10.1.1.4, without its check of the reseed interval.
    #[inline]
    pub fn generate(&mut self, out: &mut [u8], additional_input: &[u8], reseed_counter: u64) {
        if !additional_input.is_empty() {
            let mut v = [0u8; MOST_BYTES];
            self.v.write(&mut v);
            let mut w = H::digest(&[&[0x02], &v[..Seed::<L>::BYTES], additional_input]);
            self.v.add_bytes(w.as_ref());
            v.zeroize();
            w.zeroize();
        }
        let (head, rest) = out.split_at_mut(out.len().min(H::OUT_BYTES));
        if !rest.is_empty() {
            H::hashgen_after_first(&self.v, rest);
        }
        self.generate_block(head, reseed_counter);
    }

    /// The first block of output, or less of it, and the update of V. Nothing is overwritten here: it runs under
    /// `wipe::after`, which is cheaper than to do it twice.
    #[inline(always)]
    pub fn generate_block(&mut self, out: &mut [u8], reseed_counter: u64) {
        let h = H::first_block_and_h(&self.v, out);
        self.v.add(&h);
        let constant = self.c.0;
        self.v.add(&constant);
        self.v.add_small(reseed_counter);
    }

    /// Every single-bit change of the state changes this value.
    #[inline]
    pub fn fingerprint(&self) -> u64 {
        let mut sum = 0;
        for (index, (v, c)) in self.v.0.iter().zip(&self.c.0).enumerate() {
            sum ^= v.rotate_left(index as u32 + 1) ^ c.rotate_left(index as u32 + 32);
        }
        sum
    }
}

impl<H: Hash<L>, const L: usize> Mechanism for HashDrbg<H, L> {
    fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]) {
        self.instantiate(entropy_input, nonce, personalization_string);
    }

    fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]) {
        self.reseed(entropy_input, additional_input);
    }

    fn generate(&mut self, out: &mut [u8], additional_input: &[u8], reseed_counter: u64) {
        self.generate(out, additional_input, reseed_counter);
    }

    fn visit_secrets(&self, visit: &mut dyn FnMut(u64)) {
        self.v.0.iter().chain(&self.c.0).for_each(|limb| visit(*limb));
    }
}

impl<H, const L: usize> Zeroize for HashDrbg<H, L> {
    fn zeroize(&mut self) {
        self.v.zeroize();
        self.c.zeroize();
    }
}

impl<H, const L: usize> Drop for HashDrbg<H, L> {
    fn drop(&mut self) {
        self.zeroize();
    }
}
