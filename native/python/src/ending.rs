//! Daemon threads at the end of the interpreter.
//!
//! Before Python 3.14, a thread that asks for the interpreter lock while the interpreter ends is made to exit, and the
//! forced unwinding through Rust frames aborts the process. So a thread that finishes its work without the lock after
//! the end has begun is blocked here and never continues, as Python 3.14 does with all these threads.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use esoteric_drbg_core::process::fork_guard;
use pyo3::prelude::*;

/// The fork generation of the process whose interpreter ends, or 0: a child that is forked meanwhile goes on.
static ENDED_IN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// True in the thread that ends the interpreter: only this thread goes on.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// Run `work` without the interpreter lock.
pub fn detach<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
    py.detach(|| {
        let result = work();
        let ended_in = ENDED_IN.load(Ordering::Relaxed);
        if ended_in != 0 && ended_in == fork_guard::current() && !ENDS.get() {
            loop {
                thread::park();
            }
        }
        result
    })
}

/// Record that this thread is about to end the interpreter.
#[pyfunction]
fn end_begins() {
    ENDS.set(true);
    ENDED_IN.store(fork_guard::arm(), Ordering::Relaxed);
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(end_begins, module)?)
}
