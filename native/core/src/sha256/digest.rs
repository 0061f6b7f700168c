//! The SHA-256 compression function of the `sha2` crate, for the fixed-length messages of Hash_DRBG.

use sha2::block_api::compress256;
use zeroize::Zeroize;

use super::plain::{write_digest, INITIAL};
#[cfg(target_arch = "x86_64")]
use super::sha_ni;

/// The compression function of the crate `sha2`; the plain one if the SHA instructions, which the crate would use, were
/// refused.
#[inline]
pub fn compress(state: &mut [u32; 8], blocks: &[[u8; 64]]) {
    #[cfg(target_arch = "x86_64")]
    if sha_ni::refused() {
        return super::plain::compress(state, blocks);
    }
    compress256(state, blocks);
}

/// Digest of a message that is already padded to whole blocks, written to `out`.
#[inline]
pub fn digest_padded(blocks: &[[u8; 64]], out: &mut [u8; 32]) {
    let mut state = INITIAL;
    compress(&mut state, blocks);
    write_digest(&state, out);
    state.zeroize();
}

/// SHA-256 of the concatenation of `parts`, without joining them first.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = INITIAL;
    let mut block = [0u8; 64];
    let mut filled = 0usize;
    let mut total: u64 = 0;
    for part in parts {
        total += part.len() as u64;
        let mut rest = *part;
        if filled > 0 {
            let take = rest.len().min(64 - filled);
            block[filled..filled + take].copy_from_slice(&rest[..take]);
            filled += take;
            rest = &rest[take..];
            if filled == 64 {
                compress(&mut state, std::slice::from_ref(&block));
                filled = 0;
            }
        }
        if filled == 0 {
            let (whole, tail) = rest.as_chunks::<64>();
            compress(&mut state, whole);
            block[..tail.len()].copy_from_slice(tail);
            filled = tail.len();
        }
    }
    block[filled] = 0x80;
    block[filled + 1..].fill(0);
    if filled >= 56 {
        compress(&mut state, std::slice::from_ref(&block));
        block.fill(0);
    }
    block[56..].copy_from_slice(&(total * 8).to_be_bytes());
    compress(&mut state, std::slice::from_ref(&block));
    let mut out = [0u8; 32];
    write_digest(&state, &mut out);
    state.zeroize();
    block.zeroize();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_joins_its_parts_at_every_border() {
        let message: Vec<u8> = (0..300u32).map(|i| (i * 7 + 3) as u8).collect();
        for length in [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 200, 300] {
            let whole = digest(&[&message[..length]]);
            for cut in 0..=length {
                assert_eq!(whole, digest(&[&message[..cut], &message[cut..length]]), "{length} cut at {cut}");
            }
        }
    }

    #[test]
    fn digest_equals_the_fips_180_4_example() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hex: String = digest(&[b"a", b"", b"bc"]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }
}
