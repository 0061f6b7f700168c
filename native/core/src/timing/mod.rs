//! Timing samplers: raw deltas of the finest counter around work whose duration fluctuates.
//!
//! Every sampler yields one full-width delta a symbol; the 8-bit symbol is `delta / counter_step`, rounded, mod 256. `beat` alone
//! yields counts, whose unit is 1.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroize;

use crate::bytes::new_bytes;
use crate::ending;
use crate::errors::{invalid, out_of_memory, raise};
use crate::memory::{with_room, OutOfMemory};

mod beat;
mod clock;
mod counter;
mod facts;
mod flush;
mod memory;
mod pages;
mod sleep;
mod threads;

use beat::BeatWork;
use clock::ClockWork;
use counter::{counter, step, symbol_of};
use flush::FlushWork;
use memory::{CpuWork, MemoryWork};
use pages::PageWork;
use sleep::SleepWork;
use threads::ThreadWork;

/// Symbols between two looks at the deadline.
const DEADLINE_STRIDE: usize = 64;
/// Symbols after which a read of short work has lasted some 50 us, and so releases the interpreter lock.
const DETACH_SYMBOLS: usize = 1536;

/// Raw values that are overwritten when they are dropped. The vector never grows past its first allocation, so that no
/// copy stays behind, and its unused rest never becomes memory.
struct Raw(Vec<u8>);

impl Raw {
    /// Room for `n` values of `width` bytes.
    fn with_room(n: usize, width: usize) -> Result<Self, OutOfMemory> {
        Ok(Self(with_room(n.checked_mul(width).ok_or(OutOfMemory)?)?))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// What happened before a symbol's work.
enum Between {
    Nothing,
    /// Something that took time: the counter is read anew.
    Paused,
    /// The work cannot go on.
    Failed,
}

/// What happens between two reads of the counter.
trait Work: Send {
    fn run(&mut self);

    /// What has to be done before the next symbol and is no part of its delta.
    #[inline(always)]
    fn between(&mut self) -> Between {
        Between::Nothing
    }

    #[inline(always)]
    fn counter() -> u64 {
        counter()
    }
}

enum Kind {
    Clock(ClockWork),
    Sleep(SleepWork),
    Memory(MemoryWork),
    Cpu(Box<CpuWork>),
    Flush(FlushWork),
    Pages(PageWork),
    Thread(ThreadWork),
    Beat(BeatWork),
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
        match work.between() {
            Between::Nothing => {}
            Between::Paused => before = W::counter(),
            Between::Failed => return,
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
            Kind::Sleep(work) => {
                work.try_out();
                measure(work, n, until, 1, sink);
            }
            Kind::Memory(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Cpu(work) => measure(work.as_mut(), n, until, DEADLINE_STRIDE, sink),
            Kind::Flush(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Pages(work) => measure(work, n, until, DEADLINE_STRIDE, sink),
            Kind::Thread(work) => measure(work, n, until, 1, sink),
            Kind::Beat(work) => work.measure(n, until, sink),
        }
    }

    /// What a raw value is divided by: ticks come in steps of the counter, increments come one by one.
    fn unit(&self) -> f64 {
        match self {
            Kind::Beat(_) => 1.0,
            _ => step(),
        }
    }

    /// Why the last read could not go on, told once.
    fn failure(&mut self) -> Option<String> {
        match self {
            Kind::Clock(work) => work.failure.take(),
            Kind::Sleep(work) => work.failure.take(),
            Kind::Pages(work) => work.failure.take(),
            Kind::Thread(work) => work.failure.take(),
            Kind::Beat(work) => work.failure.take(),
            _ => None,
        }
    }

    fn symbols(&mut self, n: usize, until: Option<Instant>) -> Result<Raw, OutOfMemory> {
        let step = self.unit();
        let mut symbols = Raw::with_room(n, 1)?;
        self.measure(n, until, |delta| symbols.0.push(symbol_of(delta, step)));
        Ok(symbols)
    }

    fn wide(&mut self, n: usize, until: Option<Instant>) -> Result<Raw, OutOfMemory> {
        let mut deltas = Raw::with_room(n, 8)?;
        self.measure(n, until, |delta| deltas.0.extend_from_slice(&delta.to_le_bytes()));
        Ok(deltas)
    }

    /// True if reading `n` symbols takes so long that other threads should run meanwhile.
    fn is_long(&self, n: usize) -> bool {
        let per_symbol = match self {
            Kind::Clock(work) => work.reads() * 8,
            Kind::Sleep(_) | Kind::Thread(_) | Kind::Beat(_) => return true,
            Kind::Flush(work) => work.touches * 5,
            Kind::Pages(work) => work.touches * 50,
            Kind::Memory(work) => work.touches.div_ceil(3),
            Kind::Cpu(work) => 2 + work.memory.touches.div_ceil(3),
        };
        n.saturating_mul(per_symbol) > DETACH_SYMBOLS
    }
}

/// A source of timing deltas. `kind` is `clock`, `sleep`, `memory`, `cpu`, `flush`, `pages`, `thread` or `beat`; `touches`
/// says how often one symbol repeats the work, and for `beat` how many ticks it lasts.
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
        collect: fn(&mut Kind, usize, Option<Instant>) -> Result<Raw, OutOfMemory>,
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
        let Some(kind) = self.lock() else {
            return Err(busy(py));
        };
        let collect = |mut kind: MutexGuard<'_, Kind>| (collect(&mut kind, n, until), kind.failure());
        let (raw, failure) = if kind.is_long(n) {
            // The guard ends inside, so that it is never held while this thread waits for the interpreter lock.
            drop(kind);
            ending::detach(py, || self.lock().map(collect)).ok_or_else(|| busy(py))?
        } else {
            collect(kind)
        };
        if let Some(reason) = failure {
            return Err(raise(py, "SourceReadError", reason));
        }
        match raw {
            Ok(raw) => new_bytes(py, &raw.0),
            Err(OutOfMemory) => Err(out_of_memory(py, &format!("{n_samples} symbols"))),
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
        let no_memory = |OutOfMemory| out_of_memory(py, &format!("a buffer of {buffer_bytes} bytes"));
        let kind = match kind {
            "clock" => Kind::Clock(ClockWork::new(touches)),
            "sleep" => Kind::Sleep(SleepWork::default()),
            "memory" => Kind::Memory(MemoryWork::new(buffer_bytes, touches).map_err(no_memory)?),
            "cpu" => Kind::Cpu(Box::new(CpuWork::new(buffer_bytes, touches).map_err(no_memory)?)),
            "flush" => Kind::Flush(FlushWork::new(buffer_bytes, touches).map_err(no_memory)?),
            "pages" => Kind::Pages(PageWork::new(py, buffer_bytes, touches)?),
            "thread" => Kind::Thread(ThreadWork { failure: None }),
            "beat" => Kind::Beat(BeatWork { ticks: touches as u64, failure: None }),
            _ => {
                let kinds = "clock, sleep, memory, cpu, flush, pages, thread or beat";
                return Err(invalid(py, format!("kind='{kind}': expected {kinds}")));
            }
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
fn counter_step() -> f64 {
    step()
}

/// Kind, step in ticks, ticks per ns, ns of a read, reads, how many of them went backwards, whether it moves at all.
#[pyfunction]
fn counter_facts() -> (&'static str, f64, f64, f64, u64, u64, bool) {
    let found = facts::facts();
    (facts::KIND, found.step, found.ticks_per_ns, found.read_ns, found.reads, found.backwards, found.moved)
}

/// Ticks of the finest counter.
#[pyfunction]
fn read_counter() -> u64 {
    counter()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    counter(); // what it finds out once is found out here, where no other thread can be in the middle of it at a fork
    module.add_function(wrap_pyfunction!(counter_facts, module)?)?;
    module.add_function(wrap_pyfunction!(counter_step, module)?)?;
    module.add_function(wrap_pyfunction!(read_counter, module)?)?;
    module.add_class::<TimingSampler>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcd_of_the_deltas_divides_them() {
        let step = step();
        let mut kind = Kind::Clock(ClockWork::new(1));
        let mut broken = 0;
        kind.measure(1000, None, |delta| {
            let delta = delta as f64;
            broken += u32::from((delta - (delta / step).round() * step).abs() > 1.5);
        });
        assert!(broken <= 50, "{broken} of 1000 deltas are no multiple of {step}");
        // moves to another CPU
    }

    #[test]
    fn a_passed_deadline_returns_what_there_is() {
        let mut kind = Kind::Sleep(SleepWork::default());
        let got = kind.symbols(1_000_000, Some(Instant::now() + Duration::from_millis(500))).unwrap();
        assert!(!got.0.is_empty() && got.0.len() < 1_000_000);
    }

    #[test]
    fn room_that_cannot_be_had_is_no_abort() {
        assert!(Raw::with_room(usize::MAX, 1).is_err());
        assert!(Raw::with_room(usize::MAX / 4, 8).is_err());
        assert!(Kind::Clock(ClockWork::new(1)).wide(usize::MAX, None).is_err());
    }

    #[test]
    fn short_reads_keep_the_interpreter_lock_and_long_ones_release_it() {
        let memory = |touches| Kind::Memory(MemoryWork::new(256, touches).unwrap());
        assert!(!memory(3).is_long(1536) && memory(3).is_long(1537));
        assert!(!memory(1024).is_long(4) && memory(1024).is_long(5));
        assert!(Kind::Sleep(SleepWork::default()).is_long(1));
        let cpu = Kind::Cpu(Box::new(CpuWork::new(256, 4).unwrap()));
        assert!(!cpu.is_long(384) && cpu.is_long(385));
        assert!(Kind::Clock(ClockWork::new(1)).is_long(usize::MAX));
    }
}
