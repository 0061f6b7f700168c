//! Random words for numpy: the four callbacks of a `bitgen_t`, served from a buffer that a Python callable fills.
//!
//! numpy calls them without the interpreter lock, and a callback cannot report an error. So the error is kept, and the
//! callbacks return worthless numbers. numpy holds a lock around every draw; releasing this lock raises the kept error.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_void, CStr};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::thread::{self, ThreadId};

use esoteric_drbg_core::process::fork_guard;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::{ffi, PyTraverseError, PyVisit};

use super::python_locks::{Held, RLock};
use super::word_buffer::WordBuffer;
use crate::errors::{invalid, raise};

const CAPSULE_NAME: &CStr = c"BitGenerator";
const REENTERED: &str =
    "random words were drawn while the buffer was being filled: by a signal handler, a finaliser or the source itself";
/// 2^-53: one unit in the last place of a double in [0.5, 1).
const ULP: f64 = 1.0 / (1u64 << 53) as f64;

/// `bitgen_t` of numpy/random/bitgen.h.
#[repr(C)]
struct Bitgen {
    state: *mut c_void,
    next_uint64: unsafe extern "C" fn(*mut c_void) -> u64,
    next_uint32: unsafe extern "C" fn(*mut c_void) -> u32,
    next_double: unsafe extern "C" fn(*mut c_void) -> f64,
    next_raw: unsafe extern "C" fn(*mut c_void) -> u64,
}

/// A stream of random words, with the lock and the callbacks through which numpy draws from it.
#[pyclass(frozen, weakref, module = "esoteric_drbg.kernels._native")]
pub struct WordStream {
    fill: Py<PyAny>,
    on_failure: Py<PyAny>,
    words: WordBuffer,
    /// The fork generation of the process that is filling the buffer at this moment, or 0.
    filling: Cell<u64>,
    /// Words of this age in ns, or older, are dropped when numpy takes the lock.
    max_age_ns: u64,
    /// The fork generation that the lock and the flags belong to.
    generation: Cell<u64>,
    /// True from an error to the moment it is raised.
    failed: Cell<bool>,
    junk: Cell<u64>,
    error: UnsafeCell<Option<PyErr>>,
    retired: UnsafeCell<Option<String>>,
    /// The thread that holds the lock, and how many times.
    owner: Cell<Option<ThreadId>>,
    depth: Cell<usize>,
    /// A forked child may get another one.
    lock: UnsafeCell<RLock>,
}

// SAFETY: `words`, `failed` and `junk` are touched by the callbacks, of which numpy's contract has one at a time, under
// the lock, and by methods that hold that lock or are alone in a new process. The other cells are touched while
// attached to the interpreter, and no reference into them is kept across a call of it.
unsafe impl Send for WordStream {}
// SAFETY: as above.
unsafe impl Sync for WordStream {}

impl WordStream {
    #[inline]
    fn next_u64(&self) -> u64 {
        if self.words.has(8) {
            // SAFETY: the line above.
            return unsafe { self.words.take_u64() };
        }
        let low = self.next_u32();
        u64::from(low) | u64::from(self.next_u32()) << 32
    }

    #[inline]
    fn next_u32(&self) -> u32 {
        if self.words.has(4) {
            // SAFETY: the line above.
            return unsafe { self.words.take_u32() };
        }
        self.next_u32_refilled()
    }

    #[inline]
    fn next_f64(&self) -> f64 {
        (self.next_u64() >> 11) as f64 * ULP
    }

    #[cold]
    fn next_u32_refilled(&self) -> u32 {
        if !self.failed.get() {
            // A panic must not cross into C. No answer: the interpreter is shutting down.
            let answer = catch_unwind(AssertUnwindSafe(|| {
                Python::try_attach(|py| {
                    let _held = Held::ensure();
                    self.refill(py).map_err(|error| self.fail(error)).ok()
                })
            }));
            if let Ok(Some(Some(word))) = answer {
                return word;
            }
            self.failed.set(true);
        }
        // Not random and not secret, but never all equal: some distributions draw again until a number suits them.
        let mut x = self.junk.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.junk.set(x);
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x >> 32) as u32
    }

    /// Fill the buffer and return its first word.
    fn refill(&self, py: Python<'_>) -> PyResult<u32> {
        if self.is_filling() {
            return Err(raise(py, "DRBGStateError", REENTERED.to_owned()));
        }
        let outcome = self.fill_buffer(py);
        self.filling.set(0);
        self.words.filled(outcome?);
        // SAFETY: a buffer holds at least 8 bytes.
        Ok(unsafe { self.words.take_u32() })
    }

    /// Return the fork generation of the process that the bytes belong to.
    fn fill_buffer(&self, py: Python<'_>) -> PyResult<u64> {
        loop {
            let generation = fork_guard::arm();
            self.filling.set(generation);
            self.fill.bind(py).call1((self.words.view(py)?,))?;
            py.check_signals()?;
            // If the process was forked during the fill, parent and child would have the same bytes.
            if generation == fork_guard::current() {
                return Ok(generation);
            }
        }
    }

    /// True while this process fills the buffer. A fill that its parent had begun does not count: if it goes on in this
    /// process, it starts again, and a handler that never returns to it has its own words.
    fn is_filling(&self) -> bool {
        self.filling.get() != 0 && self.filling.get() == fork_guard::current()
    }

    /// Overwrite the buffer, unless it is being filled.
    fn forget(&self) {
        if !self.is_filling() {
            self.words.wipe();
        }
    }

    /// Keep an error until the lock is released; the first error is kept.
    fn fail(&self, error: PyErr) {
        self.failed.set(true);
        self.forget();
        // SAFETY: attached; the reference ends with this statement.
        unsafe { (*self.error.get()).get_or_insert(error) };
    }

    /// End the failure and return the error that it raises, or None if there is none.
    fn take_failure(slf: &Bound<'_, Self>) -> Option<PyErr> {
        let this = slf.get();
        let py = slf.py();
        if !this.failed.replace(false) {
            return None;
        }
        // SAFETY: attached; the reference ends with this statement.
        let kept = unsafe { (*this.error.get()).take() };
        let kept = kept.unwrap_or_else(|| raise(py, "DRBGStateError", "the random words ran out".to_owned()));
        match this.on_failure.bind(py).call1((slf, kept.value(py))) {
            Ok(error) => Some(PyErr::from_value(error)),
            Err(error) => Some(error),
        }
    }

    fn lock_acquire<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        let here = fork_guard::arm();
        if this.generation.replace(here) != here {
            this.begin_in_child(py)?;
            this.on_failure.bind(py).call1((slf, py.None()))?;
        }
        Ok(this.acquire_method(py))
    }

    fn acquire_method<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        // SAFETY: attached; the reference ends with this statement.
        unsafe { (*self.lock.get()).acquire.clone_ref(py) }.into_bound(py)
    }

    /// In a forked child: forget the parent's words, and its lock if a thread that no longer exists holds it.
    fn begin_in_child(&self, py: Python<'_>) -> PyResult<()> {
        // A waiting thread may have taken the lock just before the fork, before it could record that.
        if self.acquire_method(py).call1((false,))?.is_truthy()? {
            self.lock_release(py).call0()?;
        } else {
            let fresh = RLock::new(py)?;
            // SAFETY: attached; the reference to the cell ends with this statement.
            drop(unsafe { std::mem::replace(&mut *self.lock.get(), fresh) });
            self.owner.set(None);
            self.depth.set(0);
            self.failed.set(false);
            // SAFETY: as above.
            drop(unsafe { (*self.error.get()).take() });
        }
        self.forget();
        Ok(())
    }

    fn lock_release<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        // SAFETY: as above.
        unsafe { (*self.lock.get()).release.clone_ref(py) }.into_bound(py)
    }

    /// After the lock was taken: raise after `retire`, or after a failure that was not raised yet.
    fn entered(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        this.depth.set(this.depth.get() + 1);
        this.owner.set(Some(thread::current().id()));
        // SAFETY: attached; the reference ends with this statement.
        if let Some(reason) = unsafe { (*this.retired.get()).clone() } {
            Self::release(slf)?;
            return Err(raise(slf.py(), "DRBGStateError", reason));
        }
        if this.is_filling() && this.depth.get() > 1 {
            Self::release(slf)?;
            return Err(raise(slf.py(), "DRBGStateError", REENTERED.to_owned()));
        }
        // A failure without the lock could not be raised at once; it is raised before anything more is drawn.
        if this.depth.get() == 1 && this.failed.get() {
            Self::release(slf)?;
        }
        if this.depth.get() == 1 && this.words.older_than(this.max_age_ns) {
            this.forget();
        }
        Ok(())
    }

    fn locked<T>(slf: &Bound<'_, Self>, draw: impl FnOnce(&Self) -> T) -> PyResult<T> {
        Self::__enter__(slf)?;
        let word = draw(slf.get());
        Self::release(slf)?;
        Ok(word)
    }
}

#[pymethods]
impl WordStream {
    /// Words that are `max_age_ns` old when numpy takes the lock are dropped; by default they are kept.
    #[new]
    #[pyo3(signature = (fill, on_failure, buffer_bytes, max_age_ns = None))]
    fn new(
        py: Python<'_>,
        fill: Py<PyAny>,
        on_failure: Py<PyAny>,
        buffer_bytes: usize,
        max_age_ns: Option<u64>,
    ) -> PyResult<Self> {
        if buffer_bytes == 0 || !buffer_bytes.is_multiple_of(8) {
            return Err(invalid(py, format!("buffer_bytes={buffer_bytes}: expected a positive multiple of 8")));
        }
        let lock = RLock::new(py)?;
        Ok(Self {
            fill,
            on_failure,
            words: WordBuffer::new(py, buffer_bytes)?,
            filling: Cell::new(0),
            max_age_ns: max_age_ns.unwrap_or(u64::MAX),
            generation: Cell::new(fork_guard::arm()),
            failed: Cell::new(false),
            junk: Cell::new(0),
            error: UnsafeCell::new(None),
            retired: UnsafeCell::new(None),
            owner: Cell::new(None),
            depth: Cell::new(0),
            lock: UnsafeCell::new(lock),
        })
    }

    /// Bytes that the buffer still has for this process.
    #[getter]
    fn buffered(&self) -> usize {
        self.words.left()
    }

    /// Write the callbacks into the `bitgen_t` of a capsule, which keeps this object alive from now on.
    fn install(slf: &Bound<'_, Self>, capsule: &Bound<'_, PyAny>) -> PyResult<()> {
        let raw = capsule.as_ptr();
        // SAFETY: attached; IsValid takes any object.
        if unsafe { ffi::PyCapsule_IsValid(raw, CAPSULE_NAME.as_ptr()) } == 0 {
            return Err(PyValueError::new_err("expected the capsule of a numpy BitGenerator"));
        }
        // SAFETY: the name says that the pointer is numpy's `bitgen_t`, writable, and alive with the capsule. The
        // context holds one reference to this object, so `state` stays valid as long as the capsule; it is given
        // back by the destructor.
        unsafe {
            if !ffi::PyCapsule_GetContext(raw).is_null() || ffi::PyCapsule_GetDestructor(raw).is_some() {
                return Err(PyValueError::new_err("this capsule is in use already"));
            }
            let bitgen = ffi::PyCapsule_GetPointer(raw, CAPSULE_NAME.as_ptr()).cast::<Bitgen>();
            bitgen.write(Bitgen {
                state: ptr::from_ref(slf.get()).cast_mut().cast(),
                next_uint64,
                next_uint32,
                next_double,
                next_raw: next_uint64,
            });
            ffi::PyCapsule_SetContext(raw, slf.clone().into_ptr().cast());
            ffi::PyCapsule_SetDestructor(raw, Some(drop_context));
        }
        Ok(())
    }

    /// Forget the buffered words.
    fn discard(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::locked(slf, Self::forget)
    }

    /// Refuse every later use with `DRBGStateError(reason)`.
    fn retire(&self, reason: String) {
        // SAFETY: attached; the reference ends with this statement.
        unsafe { *self.retired.get() = Some(reason) };
    }

    fn next_uint64(slf: &Bound<'_, Self>) -> PyResult<u64> {
        Self::locked(slf, Self::next_u64)
    }

    fn next_uint32(slf: &Bound<'_, Self>) -> PyResult<u32> {
        Self::locked(slf, Self::next_u32)
    }

    fn next_double(slf: &Bound<'_, Self>) -> PyResult<f64> {
        Self::locked(slf, Self::next_f64)
    }

    #[pyo3(signature = (blocking = true, timeout = -1.0), text_signature = "($self, blocking=True, timeout=-1.0)")]
    fn acquire(slf: &Bound<'_, Self>, blocking: bool, timeout: f64) -> PyResult<bool> {
        let acquired = Self::lock_acquire(slf)?.call1((blocking, timeout))?.is_truthy()?;
        if acquired {
            Self::entered(slf)?;
        }
        Ok(acquired)
    }

    /// Release the lock and raise the kept error: at every level of a nested use; the outermost ends the failure.
    fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        let py = slf.py();
        let depth = this.depth.get();
        let failure = if this.owner.get() != Some(thread::current().id()) {
            None // this thread does not hold the lock: `release` below raises
        } else if depth > 1 {
            this.depth.set(depth - 1);
            // SAFETY: attached; the reference ends with this statement.
            unsafe { (*this.error.get()).as_ref().map(|error| error.clone_ref(py)) }
        } else {
            let failure = Self::take_failure(slf);
            this.depth.set(0);
            this.owner.set(None);
            failure
        };
        this.lock_release(py).call0()?;
        failure.map_or(Ok(()), Err)
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::lock_acquire(slf)?.call0()?;
        Self::entered(slf)
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        Self::release(slf)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let message = "buffered random words are secret: they are neither copied nor pickled".to_owned();
        Err(raise(slf.py(), "CloneRefusedError", message))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fill)?;
        visit.call(&self.on_failure)
    }
}

unsafe extern "C" fn next_uint64(state: *mut c_void) -> u64 {
    // SAFETY: `install` made `state` from a reference that the capsule keeps alive.
    unsafe { &*state.cast::<WordStream>() }.next_u64()
}

unsafe extern "C" fn next_uint32(state: *mut c_void) -> u32 {
    // SAFETY: as in `next_uint64`.
    unsafe { &*state.cast::<WordStream>() }.next_u32()
}

unsafe extern "C" fn next_double(state: *mut c_void) -> f64 {
    // SAFETY: as in `next_uint64`.
    unsafe { &*state.cast::<WordStream>() }.next_f64()
}

unsafe extern "C" fn drop_context(capsule: *mut ffi::PyObject) {
    // SAFETY: the interpreter calls this once, attached, when the capsule dies; the context is the reference that
    // `install` put there.
    unsafe { ffi::Py_DECREF(ffi::PyCapsule_GetContext(capsule).cast()) };
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<WordStream>()
}
