//! SHA-256 of FIPS 180-4 section 6.2.2 in plain Rust: vector code is checked against it, and replaced by it on failure.

use zeroize::Zeroize;

/// A block or a digest as big-endian 64-bit words: it can be handled, and erased, in registers.
pub type Words<const N: usize> = [u64; N];

/// Initial hash value of SHA-256, FIPS 180-4 section 5.3.3.
pub const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// From this many blocks of a request on, AVX-512 works on them where it is available.
pub const WIDE_FROM: usize = 16;

/// The eight working variables, a to h.
pub type Working = [u32; 8];

/// One of the 64 rounds, with its constant and its word of the message schedule.
#[inline(always)]
pub fn round([a, b, c, d, e, f, g, h]: Working, constant: u32, word: u32) -> Working {
    let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let ch = (e & f) ^ (!e & g);
    let t1 = h.wrapping_add(s1).wrapping_add(ch).wrapping_add(constant).wrapping_add(word);
    let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
    [t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g]
}

/// The hash value after some blocks.
pub fn compress(state: &mut Working, blocks: &[[u8; 64]]) {
    let mut w = [0u32; 64];
    for block in blocks {
        for (word, bytes) in w.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        for t in 16..64 {
            let (a, b) = (w[t - 15], w[t - 2]);
            let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            w[t] = w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1);
        }
        let mut working = *state;
        for (constant, word) in K.iter().zip(&w) {
            working = round(working, *constant, *word);
        }
        for (word, result) in state.iter_mut().zip(&working) {
            *word = word.wrapping_add(*result);
        }
        working.zeroize();
    }
    w.zeroize();
}

/// Big-endian bytes of a hash value.
#[inline]
pub fn write_digest(state: &Working, digest: &mut [u8; 32]) {
    for (word, bytes) in state.iter().zip(digest.as_chunks_mut::<4>().0) {
        *bytes = word.to_be_bytes();
    }
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

/// Last block of a message of 56 bytes: zeros and the length of 448 bits. (The 0x80 is in the block before.)
pub const TAIL_448: [u8; 64] = {
    let mut block = [0u8; 64];
    block[62] = 0x01;
    block[63] = 0xc0;
    block
};

/// Round constants of FIPS 180-4 section 4.2.2.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compress_equals_the_fips_180_4_example() {
        let mut block = [0u8; 64];
        block[..4].copy_from_slice(b"abc\x80");
        block[63] = 24;
        let mut state = INITIAL;
        compress(&mut state, &[block]);
        let hex: String = state.iter().map(|word| format!("{word:08x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
