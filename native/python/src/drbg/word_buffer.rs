//! A buffer of random words that Python code fills and C code empties.

use std::cell::Cell;
use std::ffi::c_int;

use esoteric_drbg_core::memory::secret_memory::SecretBytes;
use esoteric_drbg_core::process::fork_guard;
use esoteric_drbg_core::process::rough_clock::rough_ns;
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

/// The bytes as an object that Python can fill. It lives as long as any view of them.
#[pyclass(frozen, module = "esoteric_drbg.kernels._native")]
struct SecretBuffer(SecretBytes);

#[pymethods]
impl SecretBuffer {
    // SAFETY: as the buffer protocol has it: `view` is a Py_buffer to be filled in.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().0;
        let length = bytes.bytes() as isize; // an object of that size was made
                                             // SAFETY: the bytes stay where they are for the life of the object, which
                                             // the view keeps alive.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.start().cast(), length, 0, flags) };
        if filled == 0 {
            Ok(())
        } else {
            Err(PyErr::fetch(slf.py()))
        }
    }
}

/// The words; the caller makes sure that only one thread at a time uses them.
pub struct WordBuffer {
    object: Py<SecretBuffer>,
    base: *mut u8,
    capacity: usize,
    /// Position of the next unused byte, a multiple of 4; `capacity` when there is none.
    position: Cell<usize>,
    fork_generation: Cell<u64>,
    filled_at_ns: Cell<u64>,
}

impl WordBuffer {
    /// An empty buffer of `capacity` bytes, a positive multiple of 8.
    pub fn new(py: Python<'_>, capacity: usize) -> PyResult<Self> {
        let bytes = SecretBytes::new(capacity)
            .ok_or_else(|| PyMemoryError::new_err(format!("no memory for a buffer of {capacity} bytes")))?;
        let base = bytes.start();
        Ok(Self {
            object: Py::new(py, SecretBuffer(bytes))?,
            base,
            capacity,
            position: Cell::new(capacity),
            fork_generation: Cell::new(0),
            filled_at_ns: Cell::new(0),
        })
    }

    /// A writable view of the whole buffer.
    pub fn view<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(self.object.bind(py).as_any())
    }

    /// True if `size` more bytes are there, and they belong to this process.
    #[inline]
    pub fn has(&self, size: usize) -> bool {
        self.position.get() + size <= self.capacity && self.fork_generation.get() == fork_guard::current()
    }

    /// Number of bytes that are left for this process.
    pub fn left(&self) -> usize {
        if self.has(0) {
            self.capacity - self.position.get()
        } else {
            0
        }
    }

    /// Take the next 8 bytes.
    ///
    /// # Safety
    /// `has(8)` is true.
    #[inline]
    pub unsafe fn take_u64(&self) -> u64 {
        // SAFETY: passed on.
        u64::from_le(unsafe { self.take() })
    }

    /// Take the next 4 bytes.
    ///
    /// # Safety
    /// `has(4)` is true.
    #[inline]
    pub unsafe fn take_u32(&self) -> u32 {
        // SAFETY: passed on.
        u32::from_le(unsafe { self.take() })
    }

    /// Take a word; its place is overwritten.
    ///
    /// # Safety
    /// `has(size_of::<T>())` is true, and T is an unsigned integer.
    #[inline]
    unsafe fn take<T: Default>(&self) -> T {
        let at = self.position.get();
        self.position.set(at + size_of::<T>());
        // SAFETY: `has` keeps the range inside the buffer, and any bytes make an unsigned integer.
        unsafe {
            let place = self.base.add(at).cast::<T>();
            let word = place.read_unaligned();
            place.write_unaligned(T::default());
            word
        }
    }

    /// Declare the buffer full, of bytes that belong to the process of that fork generation.
    pub fn filled(&self, generation: u64) {
        self.fork_generation.set(generation);
        self.filled_at_ns.set(rough_ns());
        self.position.set(0);
    }

    /// True if there are words that are `age_ns` old or older.
    pub fn older_than(&self, age_ns: u64) -> bool {
        self.position.get() < self.capacity && rough_ns().wrapping_sub(self.filled_at_ns.get()) >= age_ns
    }

    /// Overwrite the buffer; no bytes are left to take.
    pub fn wipe(&self) {
        self.position.set(self.capacity);
        for at in 0..self.capacity {
            // SAFETY: inside the buffer. Volatile, so that it also happens just before the memory is freed.
            unsafe { self.base.add(at).write_volatile(0) };
        }
    }
}

impl Drop for WordBuffer {
    fn drop(&mut self) {
        self.wipe();
    }
}
