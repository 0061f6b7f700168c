//! The CPU's conditioned entropy instruction: RDSEED on x86-64, RNDRRS on aarch64.

use crate::memory::wipe;

/// Tries for one word before the instruction counts as failed; under load it may give none a few times.
const TRIES: u32 = 1000;

/// True if this CPU has RDSEED (x86-64) or RNDRRS (aarch64).
#[cfg(target_arch = "x86_64")]
pub fn supported() -> bool {
    std::arch::is_x86_feature_detected!("rdseed")
}

/// True if this CPU has RDSEED (x86-64) or RNDRRS (aarch64).
#[cfg(target_arch = "aarch64")]
pub fn supported() -> bool {
    std::arch::is_aarch64_feature_detected!("rand")
}

/// True if this CPU has RDSEED (x86-64) or RNDRRS (aarch64).
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn supported() -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
fn step() -> Option<u64> {
    #[target_feature(enable = "rdseed")]
    fn instruction() -> Option<u64> {
        let mut word = 0u64;
        (std::arch::x86_64::_rdseed64_step(&mut word) == 1).then_some(word)
    }
    // SAFETY: `supported` found RDSEED before any caller gets here.
    unsafe { instruction() }
}

#[cfg(target_arch = "aarch64")]
fn step() -> Option<u64> {
    let (word, failed): (u64, u64);
    // SAFETY: `supported` found FEAT_RNG; S3_3_C2_C4_1 is RNDRRS, which sets the Z flag when it fails.
    unsafe {
        std::arch::asm!("mrs {0}, S3_3_C2_C4_1", "cset {1}, eq", out(reg) word, out(reg) failed, options(nomem, nostack));
    }
    (failed == 0).then_some(word)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn step() -> Option<u64> {
    None
}

/// Fill `out` a word at a time from `next`, which gets `tries` tries for each word; return the number of bytes filled.
fn harvest(out: &mut [u8], tries: u32, mut next: impl FnMut() -> Option<u64>) -> usize {
    let mut filled = 0;
    for chunk in out.chunks_mut(8) {
        let Some(word) = (0..tries).find_map(|_| {
            let word = next();
            if word.is_none() {
                std::hint::spin_loop();
            }
            word
        }) else {
            break;
        };
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        filled += chunk.len();
    }
    filled
}

/// Fill `out` with bytes from the instruction; return how many it gave before it failed. None without the instruction.
pub fn fill(out: &mut [u8]) -> Option<usize> {
    supported().then(|| wipe::after_any(|| harvest(out, TRIES, step)))
}

#[cfg(test)]
mod tests {
    use super::harvest;

    #[test]
    fn harvest_survives_empty_tries_and_stops_at_the_limit() {
        let mut calls = 0u64;
        let mut out = [0u8; 20];
        let filled = harvest(&mut out, 3, || {
            calls += 1;
            calls.is_multiple_of(3).then_some(calls)
        });
        assert_eq!((filled, calls), (20, 9));
        assert_eq!(out[..8], 3u64.to_le_bytes());
        assert_eq!(out[16..], 9u64.to_le_bytes()[..4]);
        assert_eq!(harvest(&mut out, 2, || None), 0);
        let mut left = 2;
        let partial = harvest(&mut out, 5, || {
            left -= 1;
            (left >= 0).then_some(1)
        });
        assert_eq!(partial, 16);
    }
}
