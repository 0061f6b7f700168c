//! Timing samplers: raw deltas of the finest counter around work whose duration fluctuates.
//!
//! Every sampler yields one full-width delta a symbol; the 8-bit symbol is `(delta / counter_step) mod 256`.

use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroize;

use crate::ending;
use crate::errors::{invalid, raise};
use crate::sha256;

/// Symbols between two looks at the deadline.
const DEADLINE_STRIDE: usize = 64;
/// Symbols after which a read of short work has lasted some 50 us, and so releases the interpreter lock.
const DETACH_SYMBOLS: usize = 1536;
/// Back-to-back reads that the counter's common factor is found from.
const STEP_READS: usize = 2048;
const STEP_BATCHES: usize = 9;
/// Bytes of a cache line, near enough on every machine: two accesses of the walk never share one.
const LINE_BYTES: usize = 64;

/// The finest counter of this CPU, read in program order.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn counter() -> u64 {
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
fn counter() -> u64 {
    let ticks: u64;
    // SAFETY: reads the virtual counter, which every aarch64 system lets user code read; no memory is touched.
    unsafe { std::arch::asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// The operating system's monotonic clock in ns, where no counter can be read directly.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn counter() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// The finest counter of this CPU, read without waiting for what comes before it in program order.
#[inline(always)]
fn counter_at_once() -> u64 {
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

/// Raw values that are overwritten when they are dropped. The vector never grows past its first allocation, so that no
/// copy stays behind, and its unused rest never becomes memory.
struct Raw(Vec<u8>);

impl Raw {
    /// Room for `n` values of `width` bytes, or None where there is no memory for so many.
    fn with_room(n: usize, width: usize) -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(n.checked_mul(width)?).ok()?;
        Some(Self(bytes))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// What happens between two reads of the counter.
trait Work: Send {
    fn run(&mut self);

    #[inline(always)]
    fn counter() -> u64 {
        counter()
    }
}

/// Reads the operating system's monotonic clock.
struct ClockWork;

impl Work for ClockWork {
    #[inline(always)]
    fn run(&mut self) {
        std::hint::black_box(Instant::now());
    }
}

/// Asks the scheduler for the shortest sleep.
struct SleepWork;

impl Work for SleepWork {
    fn run(&mut self) {
        std::thread::sleep(Duration::from_nanos(1));
    }
}

/// Dependent read-modify-writes, one a cache line, through a private buffer: every line once before any comes again.
///
/// No access is an easy one, then, that a recently used line answers at once and in always the same time. The walk starts
/// at a fixed line: a restart repeats the addresses, and only the noise differs.
struct MemoryWork {
    buffer: Vec<u8>,
    touches: usize,
    line: usize,
    carry: u8,
}

impl MemoryWork {
    fn new(buffer_bytes: usize, touches: usize) -> Self {
        Self { buffer: vec![1; buffer_bytes], touches, line: 0, carry: 0 }
    }
}

impl Work for MemoryWork {
    #[inline(always)]
    fn run(&mut self) {
        let buffer = self.buffer.as_mut_slice();
        let lines = buffer.len() / LINE_BYTES;
        let (mut line, mut carry) = (self.line, self.carry);
        for _ in 0..self.touches {
            // Multiplier 1 mod 4 and odd increment: the full period of a power of two (Hull and Dobell 1962).
            line = line.wrapping_mul(0x01fb_f9a9).wrapping_add(12345) & (lines - 1);
            // Where in the line is up to the value before: the next access waits for it, and its latency cannot be hidden.
            let address = LINE_BYTES * line + usize::from(carry) % LINE_BYTES;
            carry = buffer[address].wrapping_add(1);
            buffer[address] = carry;
        }
        (self.line, self.carry) = (line, carry);
        std::hint::black_box(carry);
    }

    /// The accesses wait for each other; that the counter waits for them too costs a third of the time and adds nothing.
    #[inline(always)]
    fn counter() -> u64 {
        counter_at_once()
    }
}

/// A SHA-256 block whose digest says where the walk through a private buffer goes on.
struct CpuWork {
    memory: MemoryWork,
    block: [u8; 64],
}

impl Work for CpuWork {
    #[inline(always)]
    fn run(&mut self) {
        let mut digest = [0u8; 32];
        sha256::digest_padded(std::slice::from_ref(&self.block), &mut digest);
        self.block[..32].copy_from_slice(&digest);
        let mut lead = [0u8; 8];
        lead.copy_from_slice(&digest[..8]);
        self.memory.line ^= u64::from_le_bytes(lead) as usize;
        self.memory.run();
        self.block[63] = self.memory.carry;
    }
}

enum Kind {
    Clock(ClockWork),
    Sleep(SleepWork),
    Memory(MemoryWork),
    Cpu(Box<CpuWork>),
}

/// One delta after another into `sink`, until `n` are there or the deadline has passed. The look at the clock is no part
/// of a delta: with a deadline and without one the symbols are the same noise.
#[inline(always)]
fn measure<W: Work>(work: &mut W, n: usize, until: Option<Instant>, stride: usize, mut sink: impl FnMut(u64)) {
    let mut before = W::counter();
    for index in 0..n {
        if index % stride == stride - 1 {
            if let Some(until) = until {
                if Instant::now() >= until {
                    return;
                }
                before = W::counter();
            }
        }
        work.run();
        let now = W::counter();
        sink(now.wrapping_sub(before));
        before = now;
    }
}

impl Kind {
    fn measure(&mut self, n: usize, until: Option<Instant>, sink: impl FnMut(u64)) {
        match self {
            Kind::Clock(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Sleep(work) => measure(work, n, until, 1, sink),
            Kind::Memory(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Cpu(work) => measure(work.as_mut(), n, until, DEADLINE_STRIDE, sink),
        }
    }

    fn symbols(&mut self, n: usize, until: Option<Instant>) -> Option<Raw> {
        let step = step();
        let mut symbols = Raw::with_room(n, 1)?;
        self.measure(n, until, |delta| symbols.0.push((delta / step) as u8));
        Some(symbols)
    }

    fn wide(&mut self, n: usize, until: Option<Instant>) -> Option<Raw> {
        let mut deltas = Raw::with_room(n, 8)?;
        self.measure(n, until, |delta| deltas.0.extend_from_slice(&delta.to_le_bytes()));
        Some(deltas)
    }

    /// True if reading `n` symbols takes so long that other threads should run meanwhile.
    fn is_long(&self, n: usize) -> bool {
        let per_symbol = match self {
            Kind::Clock(_) => 1,
            Kind::Sleep(_) => return true,
            Kind::Memory(work) => work.touches.div_ceil(3),
            Kind::Cpu(work) => 2 + work.memory.touches.div_ceil(3),
        };
        n.saturating_mul(per_symbol) > DETACH_SYMBOLS
    }
}

/// A source of timing deltas. `kind` is `clock`, `sleep`, `memory` or `cpu`.
#[pyclass(frozen, module = "esoteric_drbg.kernels._native")]
pub struct TimingSampler {
    kind: Mutex<Kind>,
}

impl TimingSampler {
    /// Another thread's read makes this one fail rather than wait: it may hold the lock for its whole deadline.
    fn lock(&self) -> Option<MutexGuard<'_, Kind>> {
        match self.kind.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        n_samples: i64,
        deadline_s: Option<f64>,
        collect: fn(&mut Kind, usize, Option<Instant>) -> Option<Raw>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let n = usize::try_from(n_samples).unwrap_or(0);
        if n == 0 {
            return Err(invalid(py, format!("n_samples={n_samples}: ask for at least 1 symbol")));
        }
        let until = match deadline_s {
            Some(seconds) if seconds.is_finite() && seconds > 0.0 => {
                Some(Instant::now() + Duration::from_secs_f64(seconds.min(1e9)))
            }
            Some(seconds) => return Err(invalid(py, format!("deadline_s={seconds}: expected a positive number"))),
            None => None,
        };
        let Some(mut kind) = self.lock() else {
            return Err(busy(py));
        };
        let raw = if kind.is_long(n) {
            // The guard ends inside, so that it is never held while this thread waits for the interpreter lock.
            drop(kind);
            let raw = ending::detach(py, || self.lock().map(|mut kind| collect(&mut kind, n, until)));
            raw.ok_or_else(|| busy(py))?
        } else {
            collect(&mut kind, n, until)
        };
        match raw {
            Some(raw) => Ok(PyBytes::new(py, &raw.0)),
            None => Err(invalid(py, format!("n_samples={n_samples}: there is no memory for so many symbols"))),
        }
    }
}

fn busy(py: Python<'_>) -> PyErr {
    raise(py, "SourceReadError", "the sampler is being read by another thread".to_owned())
}

#[pymethods]
impl TimingSampler {
    #[new]
    #[pyo3(signature = (kind, *, buffer_bytes = 1048576, touches = 2))]
    fn new(py: Python<'_>, kind: &str, buffer_bytes: usize, touches: usize) -> PyResult<Self> {
        if !buffer_bytes.is_power_of_two() || !(256..=1 << 30).contains(&buffer_bytes) || !(1..=1024).contains(&touches)
        {
            let message = format!(
                "buffer_bytes={buffer_bytes}, touches={touches}: expected a power of two from 256 to 2^30, and 1 to 1024"
            );
            return Err(invalid(py, message));
        }
        let kind = match kind {
            "clock" => Kind::Clock(ClockWork),
            "sleep" => Kind::Sleep(SleepWork),
            "memory" => Kind::Memory(MemoryWork::new(buffer_bytes, touches)),
            "cpu" => Kind::Cpu(Box::new(CpuWork { memory: MemoryWork::new(buffer_bytes, touches), block: [0x5a; 64] })),
            _ => return Err(invalid(py, format!("kind='{kind}': expected clock, sleep, memory or cpu"))),
        };
        Ok(Self { kind: Mutex::new(kind) })
    }

    /// `n_samples` symbols, one a byte; fewer if the deadline passes first.
    #[pyo3(signature = (n_samples, deadline_s = None))]
    fn read_symbols<'py>(
        &self,
        py: Python<'py>,
        n_samples: i64,
        deadline_s: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, n_samples, deadline_s, Kind::symbols)
    }

    /// `n_samples` deltas at full width, little-endian u64; fewer if the deadline passes first.
    #[pyo3(signature = (n_samples, deadline_s = None))]
    fn read_wide<'py>(
        &self,
        py: Python<'py>,
        n_samples: i64,
        deadline_s: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, n_samples, deadline_s, Kind::wide)
    }
}

/// The common factor of the counter's deltas, in ticks.
#[pyfunction]
fn counter_step() -> u64 {
    step()
}

/// Ticks of the finest counter.
#[pyfunction]
fn read_counter() -> u64 {
    counter()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(counter_step, module)?)?;
    module.add_function(wrap_pyfunction!(read_counter, module)?)?;
    module.add_class::<TimingSampler>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcd_of_the_deltas_divides_them() {
        assert_eq!(gcd(52, 78), 26);
        assert_eq!(gcd(0, 7), 7);
        let step = step();
        let mut kind = Kind::Clock(ClockWork);
        let mut broken = 0;
        kind.measure(1000, None, |delta| broken += u32::from(delta % step != 0));
        assert!(broken <= 50, "{broken} of 1000 deltas are no multiple of {step}");
        // moves to another CPU
    }

    #[test]
    fn a_passed_deadline_returns_what_there_is() {
        let mut kind = Kind::Sleep(SleepWork);
        let got = kind.symbols(1_000_000, Some(Instant::now() + Duration::from_millis(5))).unwrap();
        assert!(!got.0.is_empty() && got.0.len() < 10_000);
    }

    #[test]
    fn room_that_cannot_be_had_is_no_abort() {
        assert!(Raw::with_room(usize::MAX, 1).is_none());
        assert!(Raw::with_room(usize::MAX / 4, 8).is_none());
        assert!(Kind::Clock(ClockWork).wide(usize::MAX, None).is_none());
    }

    #[test]
    fn short_reads_keep_the_interpreter_lock_and_long_ones_release_it() {
        let memory = |touches| Kind::Memory(MemoryWork::new(256, touches));
        assert!(!memory(3).is_long(1536) && memory(3).is_long(1537));
        assert!(!memory(1024).is_long(4) && memory(1024).is_long(5));
        assert!(Kind::Sleep(SleepWork).is_long(1));
        let cpu = Kind::Cpu(Box::new(CpuWork { memory: MemoryWork::new(256, 4), block: [0; 64] }));
        assert!(!cpu.is_long(384) && cpu.is_long(385));
        assert!(Kind::Clock(ClockWork).is_long(usize::MAX));
    }

    #[test]
    fn memory_walk_visits_every_line_once_a_lap() {
        let mut work = MemoryWork::new(1 << 14, 1);
        for lap in 2..5u8 {
            for _ in 0..(1 << 14) / LINE_BYTES {
                work.run();
            }
            let written = |line: &[u8]| line.iter().map(|&byte| usize::from(byte) - 1).sum::<usize>();
            assert!(work.buffer.chunks(LINE_BYTES).all(|line| written(line) == usize::from(lap) - 1));
        }
    }

    #[test]
    fn memory_walk_repeats_its_addresses() {
        let (mut a, mut b) = (MemoryWork::new(4096, 3), MemoryWork::new(4096, 3));
        for _ in 0..500 {
            a.run();
            b.run();
            assert_eq!((a.line, a.carry), (b.line, b.carry));
        }
    }
}
