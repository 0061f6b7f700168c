//! The finest counter of the CPU, and the common factor of its deltas.

use std::sync::OnceLock;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use std::time::Instant;

/// Back-to-back reads that the counter's common factor is found from.
const STEP_READS: usize = 2048;
const STEP_BATCHES: usize = 9;

/// The finest counter of this CPU, read in program order.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn counter() -> u64 {
    use std::arch::x86_64::{__cpuid, __rdtscp, _mm_lfence, _rdtsc};
    static RDTSCP: OnceLock<bool> = OnceLock::new();
    if *RDTSCP.get_or_init(|| __cpuid(0x8000_0001).edx & (1 << 27) != 0) {
        let mut core = 0u32;
        // SAFETY: CPUID reports RDTSCP; it only writes the local variable.
        unsafe { __rdtscp(&mut core) }
    } else {
        // SAFETY: LFENCE and RDTSC are part of x86-64 and touch no memory.
        unsafe {
            _mm_lfence();
            _rdtsc()
        }
    }
}

/// The finest counter of this CPU, read in program order.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub fn counter() -> u64 {
    let ticks: u64;
    // SAFETY: reads the virtual counter, which every aarch64 system lets user code read; no memory is touched.
    unsafe { std::arch::asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// The operating system's monotonic clock in ns, where no counter can be read directly.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub fn counter() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// The finest counter of this CPU, read without waiting for what comes before it in program order.
#[inline(always)]
pub fn counter_at_once() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: RDTSC is part of x86-64 and touches no memory.
    return unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    counter()
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The common factor of the counter's deltas: a coarse counter would otherwise fake a wide symbol.
///
/// The middle of several measurements: the counters of two CPUs may differ by a part of a step, and one move of the
/// thread from CPU to CPU then leaves a single delta that no step divides.
pub fn step() -> u64 {
    static STEP: OnceLock<u64> = OnceLock::new();
    *STEP.get_or_init(|| {
        let mut factors = [0; STEP_BATCHES];
        for factor in &mut factors {
            let mut before = counter();
            for _ in 0..STEP_READS {
                let now = counter();
                *factor = gcd(*factor, now.wrapping_sub(before));
                before = now;
            }
        }
        factors.sort_unstable();
        factors[STEP_BATCHES / 2].max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcd_of_two_numbers() {
        assert_eq!(gcd(52, 78), 26);
        assert_eq!(gcd(0, 7), 7);
    }
}
