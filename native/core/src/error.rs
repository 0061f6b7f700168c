//! Errors of the kernels. The binding turns each kind into its class of `esoteric_drbg.errors`, with the same message.

/// Why a kernel did not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument is outside its range.
    InvalidInput(String),
    /// There is not enough memory for the thing named.
    OutOfMemory(String),
    /// A source could not be read.
    SourceRead(String),
    /// This machine does not have the source.
    SourceUnavailable(String),
}
