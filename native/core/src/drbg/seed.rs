//! V and C of Hash_DRBG: unsigned integers of seedlen bits, SP 800-90A Rev. 1 section 10.1.1.

use zeroize::Zeroize;

/// Bytes of the longest seed: 888 bits, table 2.
pub const MOST_BYTES: usize = 111;

/// `64 L - 8` bits: little-endian limbs, of which the last holds 56 bits.
#[derive(Clone, Copy)]
pub struct Seed<const L: usize>(pub [u64; L]);

impl<const L: usize> Seed<L> {
    pub const BYTES: usize = 8 * L - 1;
    const TOP_MASK: u64 = (1 << 56) - 1;

    pub const fn zero() -> Self {
        Self([0; L])
    }

    /// The number that big-endian bytes stand for: seedlen of them, or fewer.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut limbs = [0u64; L];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.rchunks(8)) {
            let mut wide = [0u8; 8];
            wide[8 - chunk.len()..].copy_from_slice(chunk);
            *limb = u64::from_be_bytes(wide);
            wide.zeroize();
        }
        Self(limbs)
    }

    /// Write the big-endian bytes.
    #[inline]
    pub fn write(&self, out: &mut [u8]) {
        for (limb, chunk) in self.0.iter().zip(out[..Self::BYTES].rchunks_mut(8)) {
            let wide = limb.to_be_bytes();
            chunk.copy_from_slice(&wide[8 - chunk.len()..]);
        }
    }

    /// self = (self + other) mod 2^seedlen.
    #[inline]
    pub fn add(&mut self, other: &[u64; L]) {
        let mut carry = false;
        for (limb, addend) in self.0.iter_mut().zip(other) {
            let (sum, first) = limb.overflowing_add(*addend);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first | second;
        }
        self.0[L - 1] &= Self::TOP_MASK;
    }

    /// The same with a number of big-endian bytes, at most as long.
    #[inline]
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let mut other = Self::from_bytes(bytes);
        self.add(&other.0);
        other.zeroize();
    }

    #[inline]
    pub fn add_small(&mut self, value: u64) {
        let mut limbs = [0u64; L];
        limbs[0] = value;
        self.add(&limbs);
    }
}

impl<const L: usize> Zeroize for Seed<L> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn add_carries_through_and_wraps() {
        let mut left = Seed::<14>::from_bytes(&[0xff; MOST_BYTES]);
        let bytes = |seed: &Seed<14>| {
            let mut bytes = [0u8; MOST_BYTES];
            seed.write(&mut bytes);
            bytes
        };
        assert_eq!(bytes(&left), [0xff; MOST_BYTES]);
        left.add_small(1);
        assert_eq!(bytes(&left), [0; MOST_BYTES]);
        left.add_bytes(&[0xff]);
        left.add_bytes(&[0x01, 0x01]);
        assert_eq!(bytes(&left)[MOST_BYTES - 3..], [0, 2, 0]);
        left.add_bytes(&[0xff; MOST_BYTES]);
        assert_eq!(bytes(&left)[MOST_BYTES - 3..], [0, 1, 0xff]);
    }
}
