//! The continuous health tests, SP 800-90B section 4.4, on a stream in chunks of any size.

mod continuous;
mod lag_block;
mod lag_predictor;

pub use continuous::{Proportion, Repetition};
pub use lag_predictor::{Failures, LagPredictor, MOST};

use crate::simd::Path;

/// The paths of this module that are chosen at run time.
pub(crate) static PATHS: &[&Path] = &[&lag_block::COUNT_BLOCK];
