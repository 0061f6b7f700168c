//! Reads of the operating system's monotonic clock.

use super::work::{Between, Work};

/// Reads the monotonic clock some times: through the kernel where Linux would answer from a page of the process, in a
/// time that hardly varies. A read that is refused, by a sandbox for example, ends the sampling: how long a refusal takes is
/// not what is measured.
pub struct ClockWork {
    reads: usize,
    pub failure: Option<String>,
}

impl ClockWork {
    pub fn new(reads: usize) -> Self {
        Self { reads, failure: None }
    }

    /// Reads of the clock a symbol.
    pub fn reads(&self) -> usize {
        self.reads
    }
}

impl Work for ClockWork {
    #[inline(always)]
    fn run(&mut self) {
        for _ in 0..self.reads {
            if !read() {
                self.failure = Some(fault());
                return;
            }
        }
    }

    #[inline(always)]
    fn between(&mut self) -> Between {
        if self.failure.is_some() {
            Between::Failed
        } else {
            Between::Nothing
        }
    }
}

/// Reads the clock; false if the kernel did not answer, or wrote no time.
#[cfg(target_os = "linux")]
#[inline(always)]
fn read() -> bool {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: -1 };
    // SAFETY: the call writes no more than a timespec into the local variable, which is one.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut now) };
    std::hint::black_box(&now);
    result == 0 && now.tv_nsec >= 0
}

#[cfg(not(target_os = "linux"))]
#[inline(always)]
fn read() -> bool {
    std::hint::black_box(std::time::Instant::now());
    true
}

/// What the last read failed with.
#[cold]
fn fault() -> String {
    format!("the clock could not be read (clock_gettime): {}", std::io::Error::last_os_error())
}
