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

/// Paths that are chosen at run time, of what seeds and output take.
const OF_OUTPUT: [&[&simd::Path]; 2] = [sha256::PATHS, health::PATHS];
/// The same of what data are assessed by.
const OF_ASSESSMENTS: [&[&simd::Path]; 2] = [estimators::PATHS, iid::PATHS];

/// Check the paths that seeds and output take, unless they were before, and name those that this CPU gets wrong, as
/// `health::lag_block::count_block avx512`: kernels do without them. Takes 0.1 ms.
pub fn refused_for_output() -> Vec<String> {
    refused(&OF_OUTPUT)
}

/// The same of the paths that assessments take. Takes 1 ms, as one estimator cannot do without the tables of a long run.
pub fn refused_for_assessments() -> Vec<String> {
    refused(&OF_ASSESSMENTS)
}

fn refused(rooms: &[&[&simd::Path]]) -> Vec<String> {
    rooms.iter().copied().flatten().flat_map(|path| path.refused()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_refused_here_and_no_name_comes_twice() {
        assert_eq!((refused_for_output(), refused_for_assessments()), (vec![], vec![]));
        let rooms = [OF_OUTPUT, OF_ASSESSMENTS];
        let mut names: Vec<&str> = rooms.iter().flatten().copied().flatten().map(|path| path.name()).collect();
        names.sort_unstable();
        let number = names.len();
        names.dedup();
        assert_eq!(names.len(), number);
    }
}
