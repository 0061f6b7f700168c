//! The finest counter of the CPU, and the common factor of its deltas.

#[cfg(not(target_arch = "aarch64"))]
use std::sync::OnceLock;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use std::time::Instant;

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

/// The finest counter of this CPU, read without waiting for earlier instructions in program order.
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

/// The step of a counter in ticks, from back-to-back deltas in whole ticks: their common factor, or the real number of
/// which they are rounded multiples; 1 if there is neither. A delta of 0 lies between two steps and shows only that
/// the step is longer than a read. The Python twin has the reasons.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // far below 2^53
pub fn step_of(deltas: &[u64]) -> f64 {
    let common = deltas.iter().copied().fold(0, gcd);
    if common > 1 {
        return common as f64;
    }
    let mut sorted: Vec<u64> = deltas.iter().copied().filter(|&delta| delta > 0).collect();
    sorted.sort_unstable();
    // Frequent values, neighbours together: one multiple of the step, rounded up or down.
    let mut centres: Vec<f64> = Vec::new();
    let (mut first, mut last) = (None, 0);
    for run in sorted.chunk_by(|a, b| a == b) {
        if run.len() * FREQUENT < sorted.len() {
            continue;
        }
        match first {
            Some(_) if run[0] == last + 1 => {}
            Some(begin) => {
                centres.push((begin + last) as f64 / 2.0);
                first = Some(run[0]);
            }
            None => first = Some(run[0]),
        }
        last = run[0];
    }
    if let Some(begin) = first {
        centres.push((begin + last) as f64 / 2.0);
    }
    if let [only] = centres[..] {
        return if 10 * (deltas.len() - sorted.len()) >= deltas.len() { only.max(1.0) } else { 1.0 };
    }
    let [shortest, _, ..] = centres[..] else { return 1.0 };
    for parts in 1..=(shortest / FINEST) as usize {
        let step = refined(shortest / parts as f64, centres.iter().copied());
        if centres.iter().all(|&centre| off(centre, step) <= MIDDLE) {
            let step = refined(step, sorted.iter().map(|&delta| delta as f64));
            let fitting = sorted.iter().filter(|&&delta| off(delta as f64, step) <= ROUNDING).count();
            return if 100 * fitting >= 99 * sorted.len() { step } else { 1.0 };
        }
    }
    1.0
}

/// Distance, in ticks, of a delta from the nearest multiple of the step.
fn off(delta: f64, step: f64) -> f64 {
    (delta - (delta / step + 0.5).floor() * step).abs()
}

/// Refine the estimate of the step with the deltas that are multiples of it, from the shortest to the longest.
fn refined(mut step: f64, deltas: impl Iterator<Item = f64>) -> f64 {
    let (mut ticks, mut steps) = (0.0, 0.0);
    for delta in deltas {
        if off(delta, step) <= ROUNDING {
            ticks += delta;
            steps += (delta / step + 0.5).floor();
            step = if steps > 0.0 { ticks / steps } else { step };
        }
    }
    step
}

/// A value is frequent if it is at least one in this many deltas.
const FREQUENT: usize = 200;
/// A step of fewer ticks than this cannot be told from a counter that shows every tick.
const FINEST: f64 = 8.0;
/// Largest distance, in ticks, of a delta from a multiple of the step: both its ends are rounded, for a clock in ns
/// twice each.
const ROUNDING: f64 = 1.5;
/// The same for the middle of neighbouring values.
const MIDDLE: f64 = 0.75;

/// The symbol of a delta: its number of steps, modulo 256.
#[inline(always)]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // symbols are bytes
pub fn symbol_of(delta: u64, step: f64) -> u8 {
    (delta as f64 / step + 0.5) as u64 as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcd_of_two_numbers() {
        assert_eq!(gcd(52, 78), 26);
        assert_eq!(gcd(0, 7), 7);
    }

    const STEP_READS: usize = 2048;

    /// Reads of a counter that moves by `step` ticks a time and shows whole ones.
    fn deltas(step: f64) -> Vec<u64> {
        let (mut at, mut state, mut shown, mut found) = (0u64, 1u64, 0u64, Vec::new());
        for _ in 0..STEP_READS {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            at += [14, 15, 15, 16, 17][(state >> 33) as usize % 5] + if state >> 55 == 0 { 900 } else { 0 };
            let now = (at as f64 * step) as u64;
            found.push(now - shown);
            shown = now;
        }
        found
    }

    #[test]
    fn whole_and_broken_steps_are_found() {
        assert_eq!(step_of(&deltas(26.0)), 26.0);
        for step in [24.5, 24.454_26, 10.000_3, 25.99, 8.7] {
            assert!((step_of(&deltas(step)) - step).abs() < 2e-5 * step, "{step}: {}", step_of(&deltas(step)));
        }
        assert_eq!(step_of(&deltas(1.0)), 1.0);
        assert_eq!(step_of(&[0; 100]), 1.0);
        // a counter that is slower than its reads
        let slow = |step: f64| -> Vec<u64> {
            let shown = |at: usize| ((at as f64 / 40.0).floor() * step) as u64;
            (0..STEP_READS).map(|at| shown(at + 1) - shown(at)).collect()
        };
        for step in [2596.0, 2596.14, 24.5, 259_609.5] {
            assert!((step_of(&slow(step)) - step).abs() <= 0.5, "{step}: {}", step_of(&slow(step)));
        }
        let noise: Vec<u64> = (0..2048u64).map(|i| 300 + (i * 7919) % 97).collect();
        assert_eq!(step_of(&noise), 1.0);
    }

    #[test]
    fn a_symbol_counts_steps_whatever_the_rounding() {
        for k in 0..100_000u64 {
            assert_eq!(symbol_of((k as f64 * 24.454_26) as u64, 24.454_26), k as u8);
            assert_eq!(symbol_of(26 * k, 26.0), k as u8);
            assert_eq!(symbol_of(k, 1.0), k as u8);
        }
    }
}
