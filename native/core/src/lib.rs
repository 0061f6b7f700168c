//! The hot kernels of `esoteric_drbg`, without Python. What each one computes is written down, readably, in
//! `kernels/reference/`; `native/python/` hands these to Python under the same names.
//!
//! The rooms, each of which uses those above it only: `error`, `simd`, `process`, `memory`, `sha256`, then `drbg`, `health`, `timing`,
//! `estimators`, `iid` and `rdseed`.

pub mod drbg;
pub mod error;
pub mod estimators;
pub mod health;
pub mod iid;
pub mod memory;
pub mod process;
pub mod rdseed;
pub mod sha256;
pub mod simd;
pub mod timing;

/// Every path that is chosen at run time.
fn paths() -> impl Iterator<Item = &'static simd::Path> {
    [sha256::PATHS, health::PATHS, estimators::PATHS, iid::PATHS].into_iter().flatten().copied()
}

/// Check every path that is chosen at run time, unless it was before, and name those that this CPU gets wrong, as
/// `health::lag_block::count_block avx512`: kernels do without them.
pub fn refused_paths() -> Vec<String> {
    paths().flat_map(simd::Path::refused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_refused_here_and_no_name_comes_twice() {
        assert_eq!(refused_paths(), Vec::<String>::new());
        let mut names: Vec<&str> = paths().map(simd::Path::name).collect();
        names.sort_unstable();
        let number = names.len();
        names.dedup();
        assert_eq!(names.len(), number);
    }
}
