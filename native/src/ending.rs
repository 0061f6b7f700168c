//! Daemon threads at the end of the interpreter.
//!
//! Before Python 3.14 a thread that wants the interpreter lock back while the interpreter ends is made to exit, and the
//! forced unwinding through Rust frames aborts the process. So a thread whose work without the lock ends after the end
//! has begun waits here for ever instead, as Python 3.14 does with every such thread.

use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use pyo3::prelude::*;

/// The thread that ends the interpreter: it alone goes on.
static ENDED_BY: OnceLock<ThreadId> = OnceLock::new();

/// Run `work` without the interpreter lock.
pub fn detach<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
    py.detach(|| {
        let result = work();
        if ENDED_BY.get().is_some_and(|thread| *thread != thread::current().id()) {
            loop {
                thread::park();
            }
        }
        result
    })
}

/// Say that this thread is about to end the interpreter.
#[pyfunction]
fn end_begins() {
    let _ = ENDED_BY.set(thread::current().id());
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(end_begins, module)?)
}
