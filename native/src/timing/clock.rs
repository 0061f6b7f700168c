//! Reads of the operating system's monotonic clock.

use super::Work;

/// Reads the monotonic clock some times: through the kernel where Linux would answer from a page of the process, in a
/// time that hardly varies.
pub struct ClockWork {
    pub reads: usize,
}

impl Work for ClockWork {
    #[inline(always)]
    fn run(&mut self) {
        for _ in 0..self.reads {
            read();
        }
    }
}

#[cfg(target_os = "linux")]
#[inline(always)]
fn read() {
    let mut now = std::mem::MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the call writes no more than a timespec into the local variable, which nobody reads as one.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, now.as_mut_ptr()) };
    std::hint::black_box((result, &now));
}

#[cfg(not(target_os = "linux"))]
#[inline(always)]
fn read() {
    std::hint::black_box(std::time::Instant::now());
}
