//! Code that is compiled for several instruction sets, chosen at run time, and checked before it is used.

mod multiversion;
mod path;
pub mod sample;

pub(crate) use multiversion::multiversion;
pub use multiversion::{level, Level, NAMES};
pub use path::Path;
