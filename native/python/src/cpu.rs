//! What the CPU has, and which code is chosen for it.

use esoteric_drbg_core::simd::{level, Level};
use pyo3::prelude::*;

/// CPU features these kernels detect at run time and use, blank-separated.
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

/// Code that this CPU has the instructions for, but that computes something else on it than plain code does: it is not used. A
/// function and its version each.
#[pyfunction]
fn refused_paths() -> Vec<String> {
    esoteric_drbg_core::refused_paths()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(cpu_features, module)?)?;
    module.add_function(wrap_pyfunction!(refused_paths, module)?)
}
