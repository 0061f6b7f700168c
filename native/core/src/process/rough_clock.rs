//! A clock that takes a few nanoseconds to read and is some milliseconds late.

/// Nanoseconds since an arbitrary start.
#[cfg(target_os = "linux")]
#[inline]
pub fn rough_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the local variable and nothing else. Every kernel since 2.6.32 has the clock; without it the time
    // stands still at 0, as far as this function can tell, and mixing waits for the next seed.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

/// Nanoseconds since an arbitrary start.
#[cfg(not(target_os = "linux"))]
pub fn rough_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
