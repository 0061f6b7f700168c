//! Two cores against each other: one counts as fast as it can, the other reads the count after fixed times.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::counter::counter;
use super::work::DEADLINE_STRIDE;

/// Bytes of the stack of the counting thread.
const STACK_BYTES: usize = 64 << 10;
/// Reads without change after which this thread yields its CPU, for which the other one may wait, and checks the time.
const PATIENCE: u32 = 50_000;

/// In a separate cache line: two CPUs that read the stop flag do not disturb the count.
#[repr(align(128))]
struct Count(AtomicU64);
#[repr(align(128))]
struct Stop(AtomicBool);

/// Ends the counting thread in every case, panics included.
struct StopAtEnd<'a>(&'a Stop);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0 .0.store(true, Ordering::Relaxed);
    }
}

/// The count of another core while the counter of this one advances by `ticks`.
pub struct BeatWork {
    pub ticks: u64,
    pub failure: Option<String>,
}

impl BeatWork {
    /// Give increments of the other core's count to `sink`, until there are `n` or the deadline has passed.
    ///
    /// The counting thread lives as long as this call: between reads it keeps no core busy, and a forked child lacks no
    /// thread. While the operating system does not let it run, there is no sample, rather than a series of zeros.
    pub fn measure(&mut self, n: usize, until: Option<Instant>, mut sink: impl FnMut(u64)) {
        let (count, stop) = (Count(AtomicU64::new(0)), Stop(AtomicBool::new(false)));
        let here = current_cpu();
        let passed = || until.is_some_and(|until| Instant::now() >= until);
        thread::scope(|scope| {
            let _end = StopAtEnd(&stop);
            let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || {
                stay_off(here);
                let mut counted = 0u64;
                while !stop.0.load(Ordering::Relaxed) {
                    counted += 1;
                    count.0.store(counted, Ordering::Relaxed);
                }
            });
            if let Err(error) = spawned {
                self.failure = Some(format!("no thread could be made: {error}"));
                return;
            }
            let Some(mut seen) = next(&count.0, 0, passed) else { return };
            let mut before = counter();
            for index in 0..n {
                if index % DEADLINE_STRIDE == DEADLINE_STRIDE - 1 && passed() {
                    return;
                }
                while counter().wrapping_sub(before) < self.ticks {
                    std::hint::spin_loop();
                }
                let Some(now) = next(&count.0, seen, passed) else { return };
                before = counter();
                sink(now - seen);
                seen = now;
            }
        });
    }
}

/// The CPU this thread runs on, if the operating system tells it.
#[cfg(target_os = "linux")]
fn current_cpu() -> Option<usize> {
    // SAFETY: a question without arguments.
    usize::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// Keep this thread, which lives for one read, off one CPU: a busy scheduler would leave it on the CPU where it was
/// made, and the two threads would take turns instead of running in parallel. If that is refused, or no other CPU is
/// allowed, it stays.
#[cfg(target_os = "linux")]
fn stay_off(cpu: Option<usize>) {
    const BYTES: usize = std::mem::size_of::<libc::cpu_set_t>();
    let Some(cpu) = cpu.filter(|&cpu| cpu < 8 * BYTES) else { return };
    // SAFETY: the set is plain bits, all of them written by `zeroed`; both calls are told its size, and concern the
    // calling thread alone; `cpu` is a bit of the set.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, BYTES, &mut set) == 0 {
            libc::CPU_CLR(cpu, &mut set);
            libc::sched_setaffinity(0, BYTES, &set);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn current_cpu() -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
fn stay_off(_cpu: Option<usize>) {}

/// The count as soon as it exceeds `seen`; None if the deadline passes first.
#[inline(always)]
fn next(count: &AtomicU64, seen: u64, passed: impl Fn() -> bool) -> Option<u64> {
    let mut looks = 0;
    loop {
        let now = count.load(Ordering::Relaxed);
        if now != seen {
            return Some(now);
        }
        looks += 1;
        if looks == PATIENCE {
            looks = 0;
            if passed() {
                return None;
            }
            thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_symbol_is_some_counting() {
        let mut counts = Vec::new();
        let mut work = BeatWork { ticks: 100, failure: None };
        work.measure(200, Some(Instant::now() + Duration::from_secs(60)), |count| counts.push(count));
        assert_eq!(counts.len(), 200);
        assert!(counts.iter().all(|&count| count > 0));
    }

    #[test]
    fn a_passed_deadline_ends_both_threads() {
        let mut got = 0;
        let mut work = BeatWork { ticks: 100, failure: None };
        work.measure(usize::MAX, Some(Instant::now() + Duration::from_millis(5)), |_| got += 1);
        assert!(got < usize::MAX);
    }
}
