//! A hint to the CPU; it changes only the time that a later access takes.

/// Load the cache line of an entry, if there is one, while other work goes on.
#[inline(always)]
pub fn prefetch<T>(entries: &[T], place: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(entry) = entries.get(place) {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        // SAFETY: SSE is part of x86-64; a hint reads nothing the program sees and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(entry).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (entries, place);
}
