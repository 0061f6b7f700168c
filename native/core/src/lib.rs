//! The hot kernels of `esoteric_drbg`, without Python. `kernels/reference/` specifies each of them in readable Python;
//! `native/python/` gives them to Python under the same names.
//!
//! The modules, each of which uses only those before it: `error`, `simd`, `process`, `memory`, `sha256`, then `drbg`,
//! `health`, `timing`, `estimators`, `iid` and `rdseed`.

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

/// The paths chosen at run time in kernels that seeds and output use.
const OF_OUTPUT: [&[&simd::Path]; 2] = [sha256::PATHS, health::PATHS];
/// The paths chosen at run time in kernels that assessments use.
const OF_ASSESSMENTS: [&[&simd::Path]; 2] = [estimators::PATHS, iid::PATHS];

/// Check the paths that seeds and output use, unless this was done before, and name those that give a wrong result on
/// this CPU, as `health::lag_block::count_block avx512`: kernels do not use them. Takes 0.1 ms.
pub fn refused_for_output() -> Vec<String> {
    refused(&OF_OUTPUT)
}

/// The same for the paths that assessments use. Takes 1 ms, because one estimator needs the tables of a long run.
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
