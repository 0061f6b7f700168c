//! Hash_df, SP 800-90A Rev. 1 section 10.3.1, on bit strings of any length.

use sha2::block_api::compress512;
use zeroize::{Zeroize, Zeroizing};

use crate::memory::{with_room, OutOfMemory};
use crate::sha256::{self, compress};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512T224,
    Sha512T256,
}

/// The hash functions by their names.
pub const NAMES: [(&str, Hash); 6] = [
    ("sha224", Hash::Sha224),
    ("sha256", Hash::Sha256),
    ("sha384", Hash::Sha384),
    ("sha512", Hash::Sha512),
    ("sha512_224", Hash::Sha512T224),
    ("sha512_256", Hash::Sha512T256),
];

impl Hash {
    pub fn outlen_bytes(self) -> usize {
        match self {
            Hash::Sha224 | Hash::Sha512T224 => 28,
            Hash::Sha256 | Hash::Sha512T256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }

    /// Initial hash value of FIPS 180-4 section 5.3.2 for the hashes with 32-bit words.
    fn initial32(self) -> [u32; 8] {
        match self {
            Hash::Sha224 => {
                [0xc105_9ed8, 0x367c_d507, 0x3070_dd17, 0xf70e_5939, 0xffc0_0b31, 0x6858_1511, 0x64f9_8fa7, 0xbefa_4fa4]
            }
            _ => sha256::INITIAL,
        }
    }

    /// Initial hash value of FIPS 180-4 sections 5.3.4 to 5.3.6 for the hashes with 64-bit words.
    fn initial64(self) -> [u64; 8] {
        match self {
            Hash::Sha384 => [
                0xcbbb_9d5d_c105_9ed8,
                0x629a_292a_367c_d507,
                0x9159_015a_3070_dd17,
                0x152f_ecd8_f70e_5939,
                0x6733_2667_ffc0_0b31,
                0x8eb4_4a87_6858_1511,
                0xdb0c_2e0d_64f9_8fa7,
                0x47b5_481d_befa_4fa4,
            ],
            Hash::Sha512T224 => [
                0x8c3d_37c8_1954_4da2,
                0x73e1_9966_89dc_d4d6,
                0x1dfa_b7ae_32ff_9c82,
                0x679d_d514_582f_9fcf,
                0x0f6d_2b69_7bd4_4da8,
                0x77e3_6f73_04c4_8942,
                0x3f9d_85a8_6a1d_36c8,
                0x1112_e6ad_91d6_92a1,
            ],
            Hash::Sha512T256 => [
                0x2231_2194_fc2b_f72c,
                0x9f55_5fa3_c84c_64c2,
                0x2393_b86b_6f53_b151,
                0x9638_7719_5940_eabd,
                0x9628_3ee2_a88e_ffe3,
                0xbe5e_1e25_5386_3992,
                0x2b01_99fc_2c85_b8aa,
                0x0eb7_2ddc_81c5_2ca2,
            ],
            _ => [
                0x6a09_e667_f3bc_c908,
                0xbb67_ae85_84ca_a73b,
                0x3c6e_f372_fe94_f82b,
                0xa54f_f53a_5f1d_36f1,
                0x510e_527f_ade6_82d1,
                0x9b05_688c_2b3e_6c1f,
                0x1f83_d9ab_fb41_bd6b,
                0x5be0_cd19_137e_2179,
            ],
        }
    }

    fn block_bytes(self) -> usize {
        match self {
            Hash::Sha224 | Hash::Sha256 => 64,
            _ => 128,
        }
    }
}

/// `prefix || data || 1 || 0... || length`: the padded message of FIPS 180-4 section 5.1, for `bits` bits of data.
fn padded(hash: Hash, prefix: &[u8; 5], data: &[u8], bits: u64) -> Result<Zeroizing<Vec<u8>>, OutOfMemory> {
    let block = hash.block_bytes();
    let length_bytes = block / 8;
    let message_bits = 40 + bits;
    let used = 5 + data.len();
    // The 1 bit goes into the last byte of data if that is not full, otherwise into the next byte.
    let spare = (8 - bits % 8) % 8;
    let total = (used + usize::from(spare == 0) + length_bytes).next_multiple_of(block);
    let mut message = Zeroizing::new(with_room(total)?);
    message.extend_from_slice(prefix);
    message.extend_from_slice(data);
    if spare == 0 {
        message.push(0x80);
    } else if let Some(last) = message.last_mut() {
        *last = (*last >> spare << spare) | 1 << (spare - 1);
    }
    message.resize(total - 8, 0);
    message.extend_from_slice(&message_bits.to_be_bytes());
    Ok(message)
}

/// Hash_df over the first `data_bits` bits of `data`; `8 (len - 1) < data_bits <= 8 len`, or both 0.
pub fn hash_df_bits(hash: Hash, data: &[u8], data_bits: u64, n_bits: usize) -> Result<Vec<u8>, OutOfMemory> {
    let mut out = vec![0u8; n_bits.div_ceil(8)];
    let [b0, b1, b2, b3] = (n_bits as u32).to_be_bytes();
    for (counter, chunk) in (1u8..=255).zip(out.chunks_mut(hash.outlen_bytes())) {
        let message = padded(hash, &[counter, b0, b1, b2, b3], data, data_bits)?;
        let mut digest = Zeroizing::new([0u8; 64]);
        if hash.block_bytes() == 64 {
            let mut state = hash.initial32();
            compress(&mut state, message.as_chunks::<64>().0);
            for (word, bytes) in state.iter().zip(digest.chunks_exact_mut(4)) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            state.zeroize();
        } else {
            let mut state = hash.initial64();
            compress512(&mut state, message.as_chunks::<128>().0);
            for (word, bytes) in state.iter().zip(digest.chunks_exact_mut(8)) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            state.zeroize();
        }
        chunk.copy_from_slice(&digest[..chunk.len()]);
    }
    if let Some(last) = out.last_mut() {
        *last &= 0xff << ((8 - n_bits % 8) % 8);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_bytes_equal_the_digest_of_the_prefixed_message() {
        for length in [0usize, 1, 50, 51, 58, 59, 60, 120, 123, 124, 200] {
            let data: Vec<u8> = (0..length).map(|i| (i * 31 + 7) as u8).collect();
            let derived = hash_df_bits(Hash::Sha256, &data, 8 * length as u64, 256).unwrap();
            assert_eq!(derived, sha256::digest(&[&[1, 0, 0, 1, 0], &data]), "{length}");
        }
    }

    #[test]
    fn spare_bits_of_input_and_output_do_not_count() {
        let a = hash_df_bits(Hash::Sha512, &[0xab, 0xc0], 12, 100).unwrap();
        let b = hash_df_bits(Hash::Sha512, &[0xab, 0xcf], 12, 100).unwrap();
        assert_eq!(a, b);
        assert_eq!(a.len(), 13);
        assert_eq!(a[12] & 0x0f, 0);
        assert_ne!(a, hash_df_bits(Hash::Sha512, &[0xab, 0xc0], 13, 100).unwrap());
    }

    #[test]
    fn longer_outputs_are_blocks_with_a_counter() {
        for (_, hash) in NAMES {
            let bits = 8 * hash.outlen_bytes();
            let derived = hash_df_bits(hash, b"x", 8, 2 * bits + 3).unwrap();
            assert_eq!(derived.len(), 2 * hash.outlen_bytes() + 1);
            assert_ne!(derived[..4], derived[hash.outlen_bytes()..hash.outlen_bytes() + 4]);
        }
    }
}
