//! The CPU's features, and the code that is chosen for it.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};

use esoteric_drbg_core::simd::{level, Level};
use esoteric_drbg_core::{refused_for_assessments, refused_for_output};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;

/// CPU features that these kernels detect at run time and use, separated by blanks.
#[pyfunction]
fn cpu_features() -> String {
    let mut found: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("sha") {
            found.push("sha_ni");
        }
        if std::arch::is_x86_feature_detected!("rdseed") {
            found.push("rdseed");
        }
        found.push("rdtscp");
    }
    match level() {
        Level::Avx512 => found.push("avx512"),
        Level::Avx2 => found.push("avx2"),
        Level::Portable => {}
    }
    #[cfg(target_arch = "aarch64")]
    {
        if std::arch::is_aarch64_feature_detected!("sha2") {
            found.push("sha2");
        }
        if std::arch::is_aarch64_feature_detected!("rand") {
            found.push("rndrrs");
        }
        found.push("cntvct");
    }
    found.join(" ")
}

/// Code that this CPU has the instructions for, but that gives other results on it than plain code, and is not used:
/// the function and version of each.
#[pyfunction]
fn refused_paths() -> Vec<String> {
    let mut refused = refused_for_output();
    refused.extend(refused_for_assessments());
    refused
}

/// Warn of code that is not used because it gives wrong results on this CPU.
fn announce(py: Python<'_>, refused: &[String]) -> PyResult<()> {
    if refused.is_empty() {
        return Ok(());
    }
    let names = refused.join(", ");
    let message =
        format!("this CPU gets other results than plain code does by {names}: plain code runs in their place");
    let message = CString::new(message)?;
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &message, 1)
}

/// Check once the code that assessments choose by the CPU, and warn of code with wrong results.
pub fn announce_for_assessments(py: Python<'_>) -> PyResult<()> {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    announce(py, &refused_for_assessments())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    announce(module.py(), &refused_for_output())?;
    module.add_function(wrap_pyfunction!(cpu_features, module)?)?;
    module.add_function(wrap_pyfunction!(refused_paths, module)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_path_is_a_warning_and_none_is_silence() {
        Python::initialize();
        Python::attach(|py| {
            py.run(c"import warnings; warnings.simplefilter('error')", None, None).unwrap();
            assert!(announce(py, &[]).is_ok());
            let warning = announce(py, &["a::b avx512".to_owned(), "c avx2".to_owned()]).unwrap_err();
            assert!(warning.is_instance_of::<PyRuntimeWarning>(py));
            assert!(warning.to_string().contains("a::b avx512, c avx2"));
        });
    }
}
