//! Hot kernels of `esoteric_drbg`. Each class and function here has a readable Python reference of the same
//! name in `kernels/reference/`, and equals it on every input; `kernels/table.py` pairs them.

use pyo3::prelude::*;

#[path = "../python/src/drbg/bit_generator.rs"]
mod bit_generator;
#[path = "../python/src/bytes.rs"]
mod bytes;
#[path = "../core/src/drbg/ctr_drbg.rs"]
mod ctr_drbg;
#[path = "../core/src/drbg/sealed.rs"]
mod drbg_state;
#[path = "../python/src/ending.rs"]
mod ending;
#[path = "../python/src/errors.rs"]
mod errors;
#[path = "../core/src/estimators/mod.rs"]
mod estimators;
#[path = "../core/src/process/fork_guard.rs"]
mod fork_guard;
#[path = "../core/src/process/fork_lock.rs"]
mod fork_lock;
#[path = "../core/src/drbg/hash_df.rs"]
mod hash_df;
#[path = "../core/src/drbg/hash_drbg.rs"]
mod hash_drbg;
#[path = "../core/src/drbg/sha512.rs"]
mod hash_drbg_512;
#[path = "../core/src/health/continuous.rs"]
mod health;
#[path = "../core/src/drbg/hmac_drbg.rs"]
mod hmac_drbg;
#[path = "../core/src/iid/sequence.rs"]
mod iid;
#[path = "../core/src/iid/bzip2.rs"]
mod iid_bzip2;
#[path = "../core/src/iid/compression.rs"]
mod iid_compression;
#[path = "../core/src/iid/huffman.rs"]
mod iid_huffman;
#[path = "../core/src/iid/move_to_front.rs"]
mod iid_move_to_front;
#[path = "../core/src/iid/rotations.rs"]
mod iid_rotations;
#[path = "../core/src/iid/shuffle.rs"]
mod iid_shuffle;
#[path = "../core/src/iid/statistics.rs"]
mod iid_statistics;
#[path = "../core/src/health/lag_block.rs"]
mod lag_block;
#[path = "../core/src/health/lag_predictor.rs"]
mod lag_predictor;
#[path = "../core/src/memory/allocate.rs"]
mod memory;
#[path = "../core/src/simd/multiversion.rs"]
mod multiversion;
#[path = "../core/src/rdseed.rs"]
mod rdseed;
#[path = "../core/src/memory/secret_memory.rs"]
mod secret_memory;
#[path = "../core/src/memory/secret_pages.rs"]
mod secret_pages;
#[path = "../core/src/sha256/digest.rs"]
mod sha256;
#[path = "../core/src/sha256/lanes.rs"]
mod sha256_lanes;
#[cfg(target_arch = "x86_64")]
#[path = "../core/src/sha256/wide.rs"]
mod sha256_wide;
#[path = "../core/src/timing/mod.rs"]
mod timing;
#[path = "../core/src/memory/wipe.rs"]
mod wipe;
#[path = "../python/src/drbg/word_buffer.rs"]
mod word_buffer;
#[path = "../core/src/iid/xoshiro_lanes.rs"]
mod xoshiro_lanes;

/// Every allocation of these kernels.
#[global_allocator]
static ALLOCATOR: memory::WithReserve = memory::WithReserve::new();

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
    match multiversion::level() {
        multiversion::Level::Avx512 => found.push("avx512"),
        multiversion::Level::Avx2 => found.push("avx2"),
        multiversion::Level::Portable => {}
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

// These kernels are written for an interpreter with one lock: a free-threaded one takes it on when it imports them. Becomes
// false once they are shown to do without: `WordStream` keeps cells that it guards, and `ending` counts on it.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(cpu_features, module)?)?;
    drbg_state::register(module)?;
    ending::register(module)?;
    bit_generator::register(module)?;
    estimators::register(module)?;
    fork_guard::register(module)?;
    hash_df::register(module)?;
    hash_drbg::register(module)?;
    health::register(module)?;
    iid::register(module)?;
    lag_predictor::register(module)?;
    rdseed::register(module)?;
    secret_memory::register(module)?;
    timing::register(module)?;
    Ok(())
}
