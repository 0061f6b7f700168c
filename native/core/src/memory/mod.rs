//! Memory: allocated without an abort, kept secret, overwritten.

mod allocate;
pub mod huge_pages;
pub mod prefetch;
pub mod secret_memory;
mod secret_pages;
pub mod wipe;

pub use allocate::{
    collected, copied, extend, filled, push, reserve, resize, with_room, zeroed, zeros, OutOfMemory, WithReserve, Zero,
};
