//! Timing samplers: raw deltas of the finest counter around work whose duration fluctuates.
//!
//! Every sampler yields one full-width delta for each sample; the 8-bit symbol is `delta / counter_step`, rounded,
//! mod 256. Only `beat` yields counts, whose unit is 1.

mod beat;
mod clock;
mod counter;
mod facts;
mod flush;
mod memory;
mod pages;
mod sampler;
mod sleep;
mod threads;
mod work;

pub use counter::counter;
pub use facts::{facts, step, Facts, KIND};
pub use sampler::{Raw, Sampler};
