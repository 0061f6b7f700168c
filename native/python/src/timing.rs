//! Timing samplers, and the properties of the counter that they read.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use esoteric_drbg_core::memory::OutOfMemory;
use esoteric_drbg_core::timing::{counter, facts, step, Raw, Sampler, KIND};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bytes::new_bytes;
use crate::ending;
use crate::errors::{invalid, out_of_memory, python, raise};

/// A source of timing deltas. `kind` is `clock`, `sleep`, `memory`, `cpu`, `flush`, `pages`, `thread` or `beat`.
/// `touches` is how many times the work is repeated for one sample; for `beat`, how many ticks a sample lasts.
#[pyclass(frozen, module = "esoteric_drbg.kernels._native")]
pub struct TimingSampler {
    sampler: Mutex<Sampler>,
}

impl TimingSampler {
    /// While another thread reads, this read fails instead of waiting: the other may hold the lock for its whole
    /// deadline.
    fn lock(&self) -> Option<MutexGuard<'_, Sampler>> {
        match self.sampler.try_lock() {
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
        collect: fn(&mut Sampler, usize, Option<Instant>) -> Result<Raw, OutOfMemory>,
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
        let Some(sampler) = self.lock() else {
            return Err(busy(py));
        };
        let collect = |mut sampler: MutexGuard<'_, Sampler>| (collect(&mut sampler, n, until), sampler.failure());
        let (raw, failure) = if sampler.is_long(n) {
            // The guard is dropped inside, so that it is never held while this thread waits for the interpreter lock.
            drop(sampler);
            ending::detach(py, || self.lock().map(collect)).ok_or_else(|| busy(py))?
        } else {
            collect(sampler)
        };
        if let Some(reason) = failure {
            return Err(raise(py, "SourceReadError", reason));
        }
        match raw {
            Ok(raw) => new_bytes(py, &raw),
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
        let sampler = Sampler::new(kind, buffer_bytes, touches).map_err(|error| python(py, error))?;
        Ok(Self { sampler: Mutex::new(sampler) })
    }

    /// `n_samples` samples, one a byte; fewer if the deadline passes first.
    #[pyo3(signature = (n_samples, deadline_s = None))]
    fn read_symbols<'py>(
        &self,
        py: Python<'py>,
        n_samples: i64,
        deadline_s: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, n_samples, deadline_s, Sampler::symbols)
    }

    /// `n_samples` deltas at full width, little-endian u64; fewer if the deadline passes first.
    #[pyo3(signature = (n_samples, deadline_s = None))]
    fn read_wide<'py>(
        &self,
        py: Python<'py>,
        n_samples: i64,
        deadline_s: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.read(py, n_samples, deadline_s, Sampler::wide)
    }
}

/// The step of the counter, in ticks.
#[pyfunction]
fn counter_step() -> f64 {
    step()
}

/// Kind, step in ticks, ticks per ns, ns of a read, reads, how many of them went backwards, whether it moves at all.
#[pyfunction]
fn counter_facts() -> (&'static str, f64, f64, f64, u64, u64, bool) {
    let found = facts();
    (KIND, found.step, found.ticks_per_ns, found.read_ns, found.reads, found.backwards, found.moved)
}

/// Ticks of the finest counter.
#[pyfunction]
fn read_counter() -> u64 {
    counter()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    counter(); // its first call is made here, so that no other thread can be in the middle of it at a fork
    module.add_function(wrap_pyfunction!(counter_facts, module)?)?;
    module.add_function(wrap_pyfunction!(counter_step, module)?)?;
    module.add_function(wrap_pyfunction!(read_counter, module)?)?;
    module.add_class::<TimingSampler>()
}
