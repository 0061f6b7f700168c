"""Python kernels that run where Rust is missing and ``kernels.reference`` is too slow for a million samples."""
