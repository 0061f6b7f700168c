//! Checks that the stack overwritten after each operation is as deep as the operation goes.

use super::ctr_drbg::CtrDrbg;
use super::hash_df::{hash_df_bits, Hash};
use super::hash_drbg_sha256::HashDrbg256;
use super::hash_drbg_sha512::HashDrbg512;
use super::hmac_drbg::{HmacDrbg, HmacSha256, HmacSha512};
use super::mechanism::Mechanism;
use crate::memory::wipe::depth::{taken, ROOM};
use crate::memory::wipe::{DEEP, LONG, MEDIUM, SHORT};

/// Each operation of each mechanism, and the bytes of stack that it took.
fn every_operation() -> Vec<(String, usize)> {
    let (entropy, extra) = ([0x11u8; 48], [0x22u8; 300]);
    let mut mechanisms: Vec<(&str, Box<dyn Mechanism>)> = vec![
        ("Hash_DRBG SHA-512", Box::new(HashDrbg512::default())),
        ("HMAC_DRBG SHA-256", Box::new(HmacDrbg::<HmacSha256>::default())),
        ("HMAC_DRBG SHA-512", Box::new(HmacDrbg::<HmacSha512>::default())),
        ("CTR_DRBG with df", Box::new(CtrDrbg::new(true))),
        ("CTR_DRBG without df", Box::new(CtrDrbg::new(false))),
    ];
    let mut all = Vec::new();
    let mut note = |name: &str, operation: &str, bytes: usize| all.push((format!("{name} {operation}"), bytes));
    for (name, mechanism) in &mut mechanisms {
        note(name, "instantiate", taken(|| mechanism.instantiate(&entropy, &[], &extra[..48])));
        note(name, "reseed", taken(|| mechanism.reseed(&entropy, &extra[..48])));
        for length in [0, 1, 32, 33, 4096, 65536] {
            let mut out = vec![0u8; length];
            note(name, "generate", taken(|| mechanism.generate(&mut out, &[], 1)));
            note(name, "generate with additional input", taken(|| mechanism.generate(&mut out, &extra[..48], 1)));
        }
    }
    let mut working = HashDrbg256::default();
    note("Hash_DRBG", "instantiate", taken(|| working.instantiate(&entropy, &entropy, &extra)));
    note("Hash_DRBG", "reseed", taken(|| working.reseed(&entropy, &extra)));
    note("Hash_DRBG", "one block", taken(|| working.generate_block(&mut [0u8; 32], 1)));
    for length in [0, 1, 32, 33, 100, 512, 513, 544, 4096, 65536] {
        let mut out = vec![0u8; length];
        note("Hash_DRBG", &format!("generate {length}"), taken(|| working.generate(&mut out, &[], 1)));
        note("Hash_DRBG", "generate with additional input", taken(|| working.generate(&mut out, &extra, 1)));
    }
    for hash in [Hash::Sha256, Hash::Sha512] {
        note("Hash_df", "", taken(|| drop(hash_df_bits(hash, &extra, 2400, 440))));
    }
    all
}

#[test]
fn no_operation_takes_more_stack_than_is_overwritten() {
    for (name, bytes) in every_operation() {
        // The overwritten stack begins below the frame of `below`'s caller, like the measured stack.
        let most = match name.split_once(' ') {
            Some(("Hash_DRBG", "one block")) => SHORT,
            Some(("Hash_DRBG", "generate 33" | "generate 100" | "generate 512")) => MEDIUM,
            Some(("Hash_DRBG", operation)) if !operation.starts_with("SHA-512") => LONG,
            _ => DEEP,
        };
        assert!(bytes <= most, "{name} took {bytes} bytes of stack");
        assert!(bytes < ROOM, "{name}: the depth was not measured");
    }
}
