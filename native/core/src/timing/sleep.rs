//! The shortest sleep that the scheduler grants.

use super::counter::counter;
use super::facts::facts;
use super::work::{Between, Work};

/// Nanoseconds of the trial sleep before each read, which shows whether the thread really sleeps, and of the sleeps
/// that are timed.
const TRIAL_NS: i64 = 50_000;
const SHORTEST_NS: i64 = 1;

/// Asks the scheduler for the shortest sleep. A sleep that is refused, by a sandbox for example, ends the sampling: the
/// time of a refusal must not become a sample.
#[derive(Default)]
pub struct SleepWork {
    pub failure: Option<String>,
}

impl SleepWork {
    /// Check that a sleep takes at least half its time: the kernel never sleeps less, but the counter may be inexact.
    #[allow(clippy::cast_precision_loss)] // some 10^5
    pub fn try_out(&mut self) {
        let before = counter();
        self.sleep(TRIAL_NS);
        let slept = counter().wrapping_sub(before) as f64 / facts().ticks_per_ns;
        if self.failure.is_none() && slept < TRIAL_NS as f64 / 2.0 {
            self.failure =
                Some(format!("a sleep of {TRIAL_NS} ns ended after {slept:.0} ns: the thread did not sleep"));
        }
    }

    #[inline(always)]
    fn sleep(&mut self, ns: i64) {
        if let Err(error) = sleep(ns) {
            self.failure = Some(format!("the thread could not sleep: {error}"));
        }
    }
}

impl Work for SleepWork {
    #[inline(always)]
    fn run(&mut self) {
        self.sleep(SHORTEST_NS);
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

/// Sleep; a signal does not shorten it.
#[cfg(target_os = "linux")]
#[inline(always)]
fn sleep(ns: i64) -> std::io::Result<()> {
    #[allow(clippy::useless_conversion)] // c_long has 32 bits on some machines
    let mut left = libc::timespec { tv_sec: 0, tv_nsec: ns.try_into().unwrap_or(1) };
    loop {
        let asked = left;
        // SAFETY: the call reads one local variable and writes the other, both of them timespecs.
        match unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &raw const asked, &raw mut left) } {
            0 => return Ok(()),
            libc::EINTR => {}
            error => return Err(std::io::Error::from_raw_os_error(error)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn sleep(ns: i64) -> std::io::Result<()> {
    std::thread::sleep(std::time::Duration::from_nanos(ns.unsigned_abs()));
    Ok(())
}
