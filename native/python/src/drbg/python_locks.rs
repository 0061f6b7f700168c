//! Python's locks.

use pyo3::ffi;
use pyo3::prelude::*;

/// The methods of a `threading.RLock`.
pub struct RLock {
    pub acquire: Py<PyAny>,
    pub release: Py<PyAny>,
}

impl RLock {
    pub fn new(py: Python<'_>) -> PyResult<Self> {
        let lock = py.import("threading")?.call_method0("RLock")?;
        Ok(Self { acquire: lock.getattr("acquire")?.unbind(), release: lock.getattr("release")?.unbind() })
    }
}

/// The interpreter lock, held even if PyO3 wrongly takes the thread for attached.
///
/// PyO3 takes a thread for attached while a call of ours is on its stack. During that call a signal handler, or the
/// source of the words itself, may draw with numpy, which releases the interpreter lock by itself: PyO3 does not notice
/// this.
pub struct Held(ffi::PyGILState_STATE);

impl Held {
    pub fn ensure() -> Self {
        // SAFETY: the interpreter runs, as `try_attach` has found; nested calls are counted.
        Self(unsafe { ffi::PyGILState_Ensure() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the counterpart of `ensure`, on the same thread, in reverse order.
        unsafe { ffi::PyGILState_Release(self.0) };
    }
}
