//! Properties of the counter: its step, its rate, the cost of a read, and whether it moves at all.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::OnceLock;
use std::time::Instant;

use super::counter::{counter, step_of};

/// Back-to-back reads of one batch, and the number of batches: the figures are medians.
const READS: usize = 2048;
const FEWEST_READS: usize = 64;
const BATCHES: usize = 9;
/// Nanoseconds that all batches take at most, unless a read takes more than some 20 us, as a trapped one does.
const LONGEST_NS: f64 = 1e7;
/// Nanoseconds, and reads, after which a counter that has not moved counts as stuck.
const STUCK_NS: f64 = 5e6;
const STUCK_READS: usize = 1 << 18;

/// The result of [`facts`]; `CounterFacts` of `kernels/timing.py` describes the values.
#[derive(Clone, Copy)]
pub struct Facts {
    pub step: f64,
    pub ticks_per_ns: f64,
    pub read_ns: f64,
    pub reads: u64,
    pub backwards: u64,
    pub moved: bool,
}

/// Which counter these kernels read.
pub const KIND: &str = if cfg!(target_arch = "x86_64") {
    "tsc"
} else if cfg!(target_arch = "aarch64") {
    "cntvct"
} else {
    "monotonic"
};

/// A clock of the operating system in ns, read by a system call, without any counter of this process. None if that is
/// refused.
#[cfg(target_os = "linux")]
fn asked(clock: libc::clockid_t) -> Option<f64> {
    let mut now = std::mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the call writes no more than a timespec into the local variable, which is plain numbers, zeroed.
    let now = unsafe {
        if libc::syscall(libc::SYS_clock_gettime, clock, now.as_mut_ptr()) != 0 {
            return None;
        }
        now.assume_init()
    };
    #[allow(clippy::cast_precision_loss)] // some 100 ns after a year of uptime
    Some(now.tv_sec as f64 * 1e9 + now.tv_nsec as f64)
}

/// Nanoseconds this thread has run, where that is known separately from the time that has passed.
fn run_ns() -> f64 {
    #[cfg(target_os = "linux")]
    if let Some(now) = asked(libc::CLOCK_THREAD_CPUTIME_ID) {
        return now;
    }
    monotonic_ns()
}

/// Nanoseconds on a clock that never stops.
fn passed_ns() -> f64 {
    #[cfg(target_os = "linux")]
    if let Some(now) = asked(libc::CLOCK_MONOTONIC) {
        return now;
    }
    monotonic_ns()
}

fn monotonic_ns() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e9
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The facts of this process's counter, found once.
pub fn facts() -> &'static Facts {
    // Not a OnceLock: a fork while another thread fills it would leave it locked in the child.
    static FACTS: AtomicPtr<Facts> = AtomicPtr::new(std::ptr::null_mut());
    let known = FACTS.load(Ordering::Acquire);
    if !known.is_null() {
        // SAFETY: the line below stored it: leaked, so valid for the life of the process, and never changed.
        return unsafe { &*known };
    }
    let fresh: &'static Facts = Box::leak(Box::new(find()));
    let pointer = std::ptr::from_ref(fresh).cast_mut();
    match FACTS.compare_exchange(std::ptr::null_mut(), pointer, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        // One set of facts for the whole process, whichever thread was first.
        // SAFETY: as above.
        Err(other) => unsafe { &*other },
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // far below 2^53
fn find() -> Facts {
    let mut reads = vec![0; READS + 1];
    let began = run_ns();
    reads[..FEWEST_READS].fill_with(counter);
    let each = ((run_ns() - began) / FEWEST_READS as f64).max(1.0);
    let n = ((LONGEST_NS / BATCHES as f64 / each) as usize).clamp(FEWEST_READS, READS);
    reads.truncate(n + 1);
    let (mut steps, mut costs, mut backwards, mut moved) = (Vec::new(), Vec::new(), 0, false);
    let (first, first_ns) = (counter(), passed_ns());
    for _ in 0..BATCHES {
        let began = run_ns();
        reads.fill_with(counter);
        costs.push((run_ns() - began) / (n + 1) as f64);
        let deltas: Vec<u64> =
            reads.windows(2).filter(|pair| pair[1] >= pair[0]).map(|pair| pair[1] - pair[0]).collect();
        backwards += n - deltas.len();
        moved |= deltas.len() < n;
        if deltas.iter().any(|&delta| delta > 0) {
            steps.push(step_of(&deltas));
        }
    }
    if steps.is_empty() {
        steps.extend(next_step().map(|size| size as f64));
    }
    moved |= !steps.is_empty();
    let step = if steps.is_empty() { 1.0 } else { middle(steps) };
    let ticks = counter().wrapping_sub(first) as i64 as f64;
    let ticks_per_ns = ticks / (passed_ns() - first_ns);
    Facts {
        step,
        ticks_per_ns: if ticks_per_ns.is_finite() && ticks_per_ns > 0.0 { ticks_per_ns } else { 1.0 },
        read_ns: middle(costs),
        reads: (BATCHES * n) as u64,
        backwards: backwards as u64,
        moved,
    }
}

/// Ticks by which a slow counter moves at a time; None if it does not move twice within [`STUCK_NS`].
fn next_step() -> Option<u64> {
    let began = run_ns();
    let (mut before, mut moves) = (counter(), 0);
    for index in 0..STUCK_READS {
        let now = counter();
        if now != before {
            moves += 1;
            if moves == 2 {
                return Some(now.abs_diff(before));
            }
            before = now;
        }
        if index % FEWEST_READS == 0 && run_ns() - began > STUCK_NS {
            return None;
        }
    }
    None
}

/// The step of the counter in ticks: without it, samples of a coarse counter would look too wide.
///
/// It is the median of several measurements. The counters of two CPUs may differ by a part of a step: if the thread
/// moves from CPU to CPU, one delta is not a multiple of the step.
pub fn step() -> f64 {
    facts().step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_counter_moves_on() {
        let found = facts();
        assert!(found.moved && found.step > 0.0 && found.read_ns > 0.0 && found.ticks_per_ns > 0.0);
        assert!(found.backwards <= found.reads / 100);
    }

    #[test]
    fn the_middle_is_no_mean() {
        assert_eq!(middle(vec![3.0, 900.0, 1.0]), 3.0);
    }
}
