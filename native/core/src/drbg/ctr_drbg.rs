//! CTR_DRBG with AES-256 and ctr_len = 128, SP 800-90A Rev. 1 section 10.2.1.

use std::mem::MaybeUninit;

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes::{Aes256, Block};
use zeroize::{Zeroize, Zeroizing};

use super::mechanism::{visit_bytes, Mechanism};

const KEY_BYTES: usize = 32;
const BLOCK_BYTES: usize = 16;
/// seedlen of AES-256 in bytes: 384 bits, table 3.
const SEED_BYTES: usize = KEY_BYTES + BLOCK_BYTES;
/// Counters that are written before they are encrypted: few enough to stay in the CPU's cache.
const PART_BLOCKS: usize = 256;

type Seed = [u8; SEED_BYTES];

/// Key and V of section 10.2.1.1.
pub struct CtrDrbg {
    key: [u8; KEY_BYTES],
    v: [u8; BLOCK_BYTES],
    derivation_function: bool,
}

fn cipher(key: &[u8; KEY_BYTES]) -> Aes256 {
    Aes256::new(&Array::from(*key))
}

/// BCC, 10.3.3, of a block and of `parts`, padded to whole blocks with 0x80 and zeros.
fn bcc(cipher: &Aes256, first: &[u8; BLOCK_BYTES], parts: &[&[u8]]) -> Block {
    let mut chain = Block::from(*first);
    cipher.encrypt_block(&mut chain);
    let mut filled = 0;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        chain[filled] ^= byte;
        filled += 1;
        if filled == BLOCK_BYTES {
            cipher.encrypt_block(&mut chain);
            filled = 0;
        }
    }
    chain[filled] ^= 0x80;
    cipher.encrypt_block(&mut chain);
    chain
}

/// Block_Cipher_df, 10.3.2, for seedlen bits.
fn block_cipher_df(input: &[&[u8]], out: &mut Seed) {
    let length: usize = input.iter().map(|part| part.len()).sum();
    let mut header = [0u8; 8];
    header[..4].copy_from_slice(&(length as u32).to_be_bytes());
    header[4..].copy_from_slice(&(SEED_BYTES as u32).to_be_bytes());
    let mut parts: Vec<&[u8]> = Vec::with_capacity(input.len() + 1);
    parts.push(&header);
    parts.extend_from_slice(input);

    let fixed = cipher(&std::array::from_fn(|index| index as u8));
    let mut temp = Zeroizing::new([0u8; SEED_BYTES]);
    for (i, chunk) in (0u8..).zip(temp.chunks_exact_mut(BLOCK_BYTES)) {
        let mut iv = [0u8; BLOCK_BYTES];
        iv[3] = i;
        let mut block = bcc(&fixed, &iv, &parts);
        chunk.copy_from_slice(&block);
        block.as_mut_slice().zeroize();
    }
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    key.copy_from_slice(&temp[..KEY_BYTES]);
    let derived = cipher(&key);
    let mut x = Block::default();
    x.copy_from_slice(&temp[KEY_BYTES..]);
    for chunk in out.chunks_exact_mut(BLOCK_BYTES) {
        derived.encrypt_block(&mut x);
        chunk.copy_from_slice(&x);
    }
    x.as_mut_slice().zeroize();
}

/// Initialized memory as memory to be initialized, for [`CtrDrbg::count`], which never un-initializes a byte.
fn fillable(memory: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same memory with the same layout; the code that gets it writes only initialized bytes.
    unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast::<MaybeUninit<u8>>(), memory.len()) }
}

fn xor(left: &mut Seed, right: &[u8]) {
    for (byte, other) in left.iter_mut().zip(right) {
        *byte ^= other;
    }
}

impl CtrDrbg {
    pub fn new(derivation_function: bool) -> Self {
        Self { key: [0; KEY_BYTES], v: [0; BLOCK_BYTES], derivation_function }
    }

    /// Write the encryptions of V + 1, V + 2, ... to `out`, which initializes all of it; V ends as the last one.
    fn count(&mut self, cipher: &Aes256, out: &mut [MaybeUninit<u8>]) {
        let mut v = u128::from_be_bytes(self.v);
        let (blocks, rest) = out.as_chunks_mut::<BLOCK_BYTES>();
        for part in blocks.chunks_mut(PART_BLOCKS) {
            for block in part.iter_mut() {
                v = v.wrapping_add(1);
                *block = v.to_be_bytes().map(MaybeUninit::new);
            }
            // SAFETY: each byte of the part was just initialized, and a block of the cipher is the array of its bytes.
            cipher.encrypt_blocks(unsafe {
                std::slice::from_raw_parts_mut(part.as_mut_ptr().cast::<Block>(), part.len())
            });
        }
        if !rest.is_empty() {
            v = v.wrapping_add(1);
            let mut last = Array(v.to_be_bytes());
            cipher.encrypt_block(&mut last);
            rest.iter_mut().zip(&last).for_each(|(byte, last)| *byte = MaybeUninit::new(*last));
            last.as_mut_slice().zeroize();
        }
        self.v = v.to_be_bytes();
    }

    /// CTR_DRBG_Update, 10.2.1.2, with the cipher of the current key.
    fn update(&mut self, cipher: &Aes256, provided: &Seed) {
        let mut temp = Zeroizing::new([0u8; SEED_BYTES]);
        self.count(cipher, fillable(&mut temp[..]));
        xor(&mut temp, provided);
        self.key.copy_from_slice(&temp[..KEY_BYTES]);
        self.v.copy_from_slice(&temp[KEY_BYTES..]);
    }

    /// Seed material of the update: derived from all inputs, or full-entropy input XOR the padded other inputs.
    fn seed_material(&self, entropy_input: &[u8], nonce: &[u8], other: &[u8], seed: &mut Seed) {
        if self.derivation_function {
            block_cipher_df(&[entropy_input, nonce, other], seed);
        } else {
            seed.copy_from_slice(entropy_input);
            xor(seed, other);
        }
    }
}

impl Mechanism for CtrDrbg {
    fn entropy_input_bytes(&self) -> Option<usize> {
        (!self.derivation_function).then_some(SEED_BYTES)
    }

    /// CTR_DRBG_Instantiate_algorithm, 10.2.1.3.
    fn instantiate(&mut self, entropy_input: &[u8], nonce: &[u8], personalization_string: &[u8]) {
        let mut seed = Zeroizing::new([0u8; SEED_BYTES]);
        self.seed_material(entropy_input, nonce, personalization_string, &mut seed);
        self.key.fill(0);
        self.v.fill(0);
        self.update(&cipher(&self.key), &seed);
    }

    /// CTR_DRBG_Reseed_algorithm, 10.2.1.4.
    fn reseed(&mut self, entropy_input: &[u8], additional_input: &[u8]) {
        let mut seed = Zeroizing::new([0u8; SEED_BYTES]);
        self.seed_material(entropy_input, &[], additional_input, &mut seed);
        self.update(&cipher(&self.key), &seed);
    }

    /// CTR_DRBG_Generate_algorithm, 10.2.1.5, without its check of the reseed interval.
    fn generate(&mut self, out: &mut [u8], additional_input: &[u8], _reseed_counter: u64) {
        let mut provided = Zeroizing::new([0u8; SEED_BYTES]);
        let mut aes = cipher(&self.key);
        if !additional_input.is_empty() {
            if self.derivation_function {
                block_cipher_df(&[additional_input], &mut provided);
            } else {
                xor(&mut provided, additional_input);
            }
            self.update(&aes, &provided);
            aes = cipher(&self.key);
        }
        self.count(&aes, fillable(out));
        self.update(&aes, &provided);
    }

    fn generate_new(&mut self, out: &mut [MaybeUninit<u8>], _reseed_counter: u64) {
        let aes = cipher(&self.key);
        self.count(&aes, out);
        self.update(&aes, &[0u8; SEED_BYTES]);
    }

    fn visit_secrets(&self, visit: &mut dyn FnMut(u64)) {
        visit_bytes(&self.key, visit);
        visit_bytes(&self.v, visit);
    }
}

impl Zeroize for CtrDrbg {
    fn zeroize(&mut self) {
        self.key.zeroize();
        self.v.zeroize();
    }
}

impl Drop for CtrDrbg {
    fn drop(&mut self) {
        self.zeroize();
    }
}
