//! Raises the error classes that Python defines in `esoteric_drbg.errors`: both sides have one family of errors.

use esoteric_drbg_core::drbg::mechanism::Fault;
use esoteric_drbg_core::error::Error;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Build the error `esoteric_drbg.errors.<class>` with a message.
pub fn raise(py: Python<'_>, class: &str, message: String) -> PyErr {
    let built = py
        .import("esoteric_drbg.errors")
        .and_then(|module| module.getattr(class))
        .and_then(|object| Ok(object.cast_into::<PyType>()?));
    match built {
        Ok(class) => PyErr::from_type(class, message),
        Err(error) => error,
    }
}

/// `InvalidInputError`: an argument is outside its range.
pub fn invalid(py: Python<'_>, message: String) -> PyErr {
    raise(py, "InvalidInputError", message)
}

/// `OutOfMemoryError`: there is no memory for something.
pub fn out_of_memory(py: Python<'_>, what: &str) -> PyErr {
    raise(py, "OutOfMemoryError", format!("there is not enough memory for {what}"))
}

/// Turn Python's own MemoryError into `OutOfMemoryError`; return any other error unchanged.
pub fn ours(py: Python<'_>, error: PyErr, what: &str) -> PyErr {
    if error.is_instance_of::<PyMemoryError>(py) {
        out_of_memory(py, what)
    } else {
        error
    }
}

/// The Python exception for an error of the core.
pub fn python(py: Python<'_>, error: Error) -> PyErr {
    match error {
        Error::InvalidInput(message) => invalid(py, message),
        Error::OutOfMemory(what) => out_of_memory(py, &what),
        Error::SourceRead(message) => raise(py, "SourceReadError", message),
        Error::SourceUnavailable(message) => raise(py, "SourceUnavailableError", message),
    }
}

/// The Python exception for a fault of the mechanism of that name.
pub fn fault(py: Python<'_>, name: &str, fault: Fault) -> PyErr {
    match fault {
        Fault::NotInstantiated => raise(py, "DRBGStateError", format!("{name} is not instantiated")),
        Fault::Changed => {
            let message = format!("{name}: the working state changed by itself; it is overwritten");
            raise(py, "StateIntegrityError", message)
        }
        Fault::Forked => raise(py, "ForkedStateError", format!("{name} was seeded in another process")),
        Fault::ForkedSeed => {
            let message = "the process was forked after the entropy input was got: a child gets its own".to_owned();
            raise(py, "ForkedStateError", message)
        }
    }
}
