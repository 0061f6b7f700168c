//! Reads of the operating system's monotonic clock.

use super::work::{Between, Work};

/// Reads the monotonic clock several times: by a system call, since the read that Linux answers from a page of the
/// process takes a time that hardly varies. A read that is refused, by a sandbox for example, ends the sampling: the
/// time of a refusal must not become a sample.
pub struct ClockWork {
    reads: usize,
    pub failure: Option<String>,
}

impl ClockWork {
    pub fn new(reads: usize) -> Self {
        Self { reads, failure: None }
    }

    /// Reads of the clock for one sample.
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

/// The error of the last read.
#[cold]
fn fault() -> String {
    format!("the clock could not be read (clock_gettime): {}", std::io::Error::last_os_error())
}
